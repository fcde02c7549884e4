"""A real Alertmanager with the shipped configuration, and listeners that stand in for those whom it tells."""

import json
import re
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, Self

import yaml

from tests.e2e.prometheus import ANSWER_SECONDS, binary
from tests.e2e.stack import free_port

ALERTS: Final = Path(__file__).parents[2] / "alerts"

_SHORTER: Final = {"3m": "5s", "5m": "10s", "30m": "15s", "1h": "15s"}


class Sinks:
    """Who was told what: every JSON body by the path that it came to."""

    def __init__(self) -> None:
        self.heard: dict[str, list[dict[str, Any]]] = {"pagerduty": [], "slack": []}
        heard = self.heard

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                heard[self.path.strip("/")].append(json.loads(body))
                self.send_response(202 if self.path == "/pagerduty" else 200)
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_: object) -> None:
                """Nothing: what was heard is kept."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @classmethod
    @contextmanager
    def listening(cls) -> Iterator[Self]:
        """Listen until the block ends."""
        sinks = cls()
        thread = threading.Thread(target=sinks._server.serve_forever)
        thread.start()
        try:
            yield sinks
        finally:
            sinks._server.shutdown()
            thread.join()
            sinks._server.server_close()


def quick_rules(folder: Path) -> Path:
    """The shipped rules, with seconds for their minutes and hours."""
    quick = folder / "rules"
    quick.mkdir()
    for file in (ALERTS / "rules").glob("*.yaml"):
        text = re.sub(r"\[(3m|5m|30m|1h)\]", lambda found: f"[{_SHORTER[found[1]]}]", file.read_text())
        (quick / file.name).write_text(text.replace("interval: 30s", "interval: 500ms"))
    return quick


@contextmanager
def alertmanager(folder: Path, sinks: Sinks) -> Iterator[str]:
    """Alertmanager with the shipped routes, waiting a second where they wait a minute; its address as `host:port`."""
    address = f"127.0.0.1:{free_port()}"
    arguments = [
        f"--config.file={_quick_config(folder, sinks)}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
    ]
    log = folder / "alertmanager.log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - the real thing is what is wanted
            [binary("prometheus-alertmanager", "alertmanager"), *arguments], stdout=output, stderr=subprocess.STDOUT
        )
    try:
        _wait_until_ready(address, log)
        yield address
    finally:
        process.terminate()
        process.wait(10)


def _quick_config(folder: Path, sinks: Sinks) -> Path:
    config = yaml.safe_load((ALERTS / "alertmanager" / "alertmanager.yaml").read_text())
    secrets = {"slack-url": f"{sinks.url}/slack", "pagerduty-key": "a-key-for-tests"}
    for name, value in secrets.items():
        (folder / name).write_text(value)
    config["global"] |= {"slack_api_url_file": str(folder / "slack-url"), "pagerduty_url": f"{sinks.url}/pagerduty"}
    config["templates"] = [str(ALERTS / "alertmanager" / "templates" / "*.tmpl")]
    for route in config["route"]["routes"]:
        route |= {"group_wait": "1s", "group_interval": "1s"}
    for receiver in config["receivers"]:
        for page in receiver.get("pagerduty_configs", ()):
            page["routing_key_file"] = str(folder / "pagerduty-key")
    file = folder / "alertmanager.yaml"
    file.write_text(yaml.safe_dump(config))
    return file


def _wait_until_ready(address: str, log: Path) -> None:
    ends = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < ends:
        try:
            with urllib.request.urlopen(f"http://{address}/-/ready", timeout=5):
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"Alertmanager did not start:\n{log.read_text()}")
