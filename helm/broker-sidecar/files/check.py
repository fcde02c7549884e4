"""What `helm test` runs: is a call carried to each broker, can the sidecar be scraped, does Prometheus know it?

It starts a sidecar of its own with the release's configuration and keys, so that nothing of the bot's is touched. What
that one meets it tells nobody.
"""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

from sidecar.brokers.registry import build
from sidecar.config.environment import variable
from sidecar.config.load import load
from sidecar.config.model import Config
from sidecar.config.report import ConfigError
from sidecar.wire import Request

CONFIG = "/etc/sidecar/sidecar.yaml"
START_SECONDS = 60
PAUSE_SECONDS = 1


class Wrong(Exception):
    """Raised when a check fails; says what to look at."""


class Unix(http.client.HTTPConnection):
    """HTTP over the sidecar's socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=30)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def call(request: Request) -> tuple[int, str]:
    """The status and the fate of a call through the socket."""
    headers = {name.decode(): value.decode() for name, value in request.headers}
    if token := os.environ.get("BROKER_SIDECAR_TOKEN_FILE"):
        headers["Proxy-Authorization"] = "Bearer " + Path(token).read_text(encoding="utf-8").strip()
    connection = Unix(os.environ["BROKER_SIDECAR_SOCKET"])
    connection.request(request.method, request.target, request.body or None, headers)
    answer = connection.getresponse()
    answer.read()
    return answer.status, answer.getheader("Sidecar-Fate") or ""


def quiet(config: Config) -> dict[str, str]:
    """The environment of a sidecar that tells nobody: a test pages no one."""
    channels = (variable(("alerting", "channels", name, "enabled")) for name in config.alerting.channels)
    return {variable(("alerting", "alertmanager", "url")): "[]", **dict.fromkeys(channels, "false")}


def started() -> str:
    """Wait until the sidecar takes calls."""
    ends = time.monotonic() + START_SECONDS
    while time.monotonic() < ends:
        try:
            if call(Request("GET", "/v1/status", ()))[0] == HTTPStatus.OK:
                return "it takes calls at its socket"
        except OSError:
            time.sleep(0.2)
    raise Wrong(f"the sidecar took no call within {START_SECONDS} s; its log is above")


def broker(name: str, probe: Request | None) -> str:
    """A harmless call is answered by the broker; being told that it wants a key is an answer too."""
    if probe is None:
        return "no harmless call is known; nothing was sent. For profile generic, generic.probe names one"
    _, fate = call(Request(probe.method, f"/{name}{probe.target}", probe.headers, probe.body))
    outcome = fate.partition(";")[0]
    told = f"{probe.method} {probe.target}: {fate or 'no Sidecar-Fate'}"
    if outcome not in {"ok", "rejected", "fatal"}:
        raise Wrong(f"{told}; may the pod reach the broker's address?")
    return told


def scraped(url: str) -> str:
    """The metrics page."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        page: str = answer.read().decode()
    if "sidecar_info{" not in page:
        raise Wrong(f"{url} shows no sidecar_info")
    return f"{url} shows {sum(not line.startswith('#') for line in page.splitlines())} series"


def prometheus(url: str, path: str, found: Callable[[Any], str], ends: float) -> str:
    """What Prometheus knows. Of a new release it learns a minute or two after: until then it is asked again."""
    while True:
        with urllib.request.urlopen(url.rstrip("/") + path, timeout=10) as answer:
            data = json.load(answer)["data"]
        if told := found(data):
            return told
        if time.monotonic() > ends:
            raise Wrong("Prometheus knows none; see monitoring.additionalLabels and rules.additionalLabels")
        time.sleep(PAUSE_SECONDS)


def up(data: Any) -> str:
    """The targets that answer; empty when there are none."""
    return f"up for {len(data['result'])} targets" if data["result"] else ""


def rules(data: Any) -> str:
    """The alerts that are loaded; empty when there are none. Raises `Wrong` when one cannot be evaluated."""
    known = [rule for group in data["groups"] for rule in group["rules"] if rule["name"].startswith("Sidecar")]
    for rule in known:
        if rule["health"] == "err":
            raise Wrong(f"{rule['name']} cannot be evaluated: {rule.get('lastError', '')}")
    return f"{len(known)} alerts, such as {known[0]['name']}" if known else ""


def checks(plan: dict[str, Any], config: Config) -> Iterator[tuple[str, Callable[[], str]]]:
    """What is looked at, in this order."""
    yield "socket", started
    for name, settings in config.brokers.items():
        yield f"broker {name}", partial(broker, name, build(settings).probe)
    for url in plan["scrape"]:
        yield "scrape", partial(scraped, url)
    if url := plan["prometheus"]:
        ends = time.monotonic() + plan["wait_seconds"]
        if plan["up"]:
            query = "/api/v1/query?" + urllib.parse.urlencode({"query": plan["up"]})
            yield "prometheus", partial(prometheus, url, query, up, ends)
        if plan["rules"]:
            yield "rules", partial(prometheus, url, "/api/v1/rules?type=alert", rules, ends)


def main() -> int:
    """Run every check and tell of each; 1 when one failed."""
    plan = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    try:
        config = load(Path(CONFIG), os.environ)
    except ConfigError as wrong:
        print(f"FAIL  configuration: {wrong}")
        return 1
    sidecar = subprocess.Popen(
        [sys.executable, "-m", "sidecar", "run", "--config", CONFIG], env=os.environ | quiet(config)
    )
    failed = 0
    try:
        for name, check in checks(plan, config):
            try:
                print(f"ok    {name}: {check()}", flush=True)
            except (Wrong, OSError, ValueError) as wrong:
                failed += 1
                print(f"FAIL  {name}: {wrong}", flush=True)
    finally:
        sidecar.send_signal(signal.SIGTERM)
        sidecar.wait()
    if not plan["prometheus"]:
        print("note  Prometheus was not asked: tests.prometheusUrl is empty")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
