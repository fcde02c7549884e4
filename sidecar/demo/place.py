"""The folder of the demo: what is in it, and the configuration that it starts the sidecar with."""

import fcntl
import json
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp

from sidecar.demo.errors import PlaceError

_MARK: Final = "# Written by `sidecar demo`."

_CONFIGURATION: Final = """\
{mark} A copy is a good beginning for your own: `sidecar check FILE` reads it.
bot: demo
listen:
  unix: {unix}
  tcp: {tcp}
scrape:
  address: {scrape}          # /metrics, /readyz
audit:
  directory: {audit}
telemetry:
  file: {traces}             # a collector goes under otlp.endpoint
  sample_ratio: 0.1          # of plain reads; orders, failures and everything else of note are always traced
brokers:
  binance:
    profile: binance-usdm
    base_url: {binance}      # for real: https://fapi.binance.com
    breaker: &short
      # The demo is short of time, so that breakers open after 3 failures and look again after 3 seconds.
      # The defaults suit real brokers: 5 failures, 60 seconds, growing to 900.
      failures: 3
      recovery_seconds: 3
      recovery_max_seconds: 5
    maintenance: &patience
      base_seconds: 3        # likewise: 30 seconds, growing to 900
      max_seconds: 5
  oanda:
    profile: oanda
    base_url: {oanda}        # for real: https://api-fxpractice.oanda.com
    breaker: *short
    maintenance: *patience
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Paths in the demo's folder."""

    folder: Path

    @property
    def config(self) -> Path:
        """The sidecar's configuration."""
        return self.folder / "sidecar.yaml"

    @property
    def socket(self) -> Path:
        """The sidecar's Unix socket."""
        return self.folder / "sidecar.sock"

    def session(self) -> aiohttp.ClientSession:
        """HTTP over the socket; the host's name in a URL means nothing there."""
        return aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(self.socket)))

    @property
    def audit(self) -> Path:
        """The folder of the audit log."""
        return self.folder / "audit"

    @property
    def traces(self) -> Path:
        """The spans, as JSON lines."""
        return self.folder / "traces.jsonl"

    def log(self, name: str) -> Path:
        """Where a process writes what it has to say."""
        return self.folder / f"{name}.log"

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Make the folder and keep it for this demo alone; what an earlier demo left in it is removed.

        Raises:
            PlaceError: when another demo runs in it, or when it holds something that no demo has made.
        """
        try:
            self._make()
            with (self.folder / "lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._clear()
                yield
        except BlockingIOError:
            raise PlaceError(
                f"another demo runs in {self.folder}; end it, or name another folder with --directory"
            ) from None
        except PermissionError as error:
            raise PlaceError(
                f"{error.filename}: {error.strerror}; name a folder that you may write to with --directory"
            ) from None

    def _make(self) -> None:
        if self.folder.exists() and not self.folder.is_dir():
            raise PlaceError(f"{self.folder} is no folder; name another one with --directory")
        foreign = self.folder.exists() and any(self.folder.iterdir()) and not (self.folder / "lock").exists()
        if foreign:
            raise PlaceError(f"{self.folder} holds something else already; name another folder with --directory")
        self.folder.mkdir(parents=True, exist_ok=True)

    def _clear(self) -> None:
        if self.config.exists() and not self.config.read_text(encoding="utf-8").startswith(_MARK):
            raise PlaceError(f"{self.config} is not the demo's own; name another folder with --directory")
        shutil.rmtree(self.audit, ignore_errors=True)
        for old in (self.config, self.socket, self.traces, *self.folder.glob("*.log")):
            old.unlink(missing_ok=True)

    def write(self, *, tcp: str, scrape: str, binance: str, oanda: str) -> None:
        """Write the sidecar's configuration: addresses as `host:port`, brokers as URLs."""
        values = {"tcp": tcp, "scrape": scrape, "binance": binance, "oanda": oanda}
        values |= {"unix": str(self.socket), "audit": str(self.audit), "traces": str(self.traces)}
        # JSON's strings are YAML's, whatever a path holds.
        quoted = {name: json.dumps(value) for name, value in values.items()}
        self.config.write_text(_CONFIGURATION.format(mark=_MARK, **quoted), encoding="utf-8")


def free_port(*wanted: int) -> int:
    """The first of the wanted ports of this machine's loopback address that nobody has, else any free one."""
    for port in (*wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise PlaceError("no port is free on 127.0.0.1; end some of what listens there")
