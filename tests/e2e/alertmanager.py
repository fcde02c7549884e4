"""A real Alertmanager with the shipped configuration, in which seconds stand for minutes."""

import re
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any, Final

import yaml

from tests.e2e.prometheus import ANSWER_SECONDS, binary
from tests.e2e.sinks import Sinks
from tests.e2e.stack import free_port

ALERTS: Final = Path(__file__).parents[2] / "alerts"

WINDOW_SECONDS: Final = 20
"""How long the rules look back instead of minutes or an hour: longer than a busy machine stands still."""
GATHER_SECONDS: Final = 12
"""How long chat waits for company instead of a minute; likewise."""


def quick_rules(folder: Path) -> Path:
    """The shipped rules, with seconds for their minutes and hours; without the one that tells of a slow machine."""
    quick = folder / "rules"
    quick.mkdir()
    for file in (ALERTS / "rules").glob("*.yaml"):
        text = re.sub(r"\[(3m|5m|30m|1h)\]", f"[{WINDOW_SECONDS}s]", file.read_text())
        content = yaml.safe_load(text.replace("interval: 30s", "interval: 1s"))
        for group in content["groups"]:
            group["rules"] = [rule for rule in group["rules"] if rule.get("alert") != "SidecarNotificationsFailing"]
        (quick / file.name).write_text(yaml.safe_dump(content))
    return quick


class Alertmanager:
    """The shipped routes, to the sinks; what it has told it remembers when it is started again."""

    def __init__(self, folder: Path, sinks: Sinks) -> None:
        self.address = f"127.0.0.1:{free_port()}"
        self._arguments = [
            f"--config.file={_quick_config(folder, sinks)}",
            f"--storage.path={folder / 'alertmanager'}",
            f"--web.listen-address={self.address}",
            "--cluster.listen-address=",
        ]
        self._log = folder / "alertmanager.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, perhaps once more, and wait until it is ready."""
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 - the real thing is what is wanted
                [binary("prometheus-alertmanager", "alertmanager"), *self._arguments],
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        ends = time.monotonic() + ANSWER_SECONDS
        while time.monotonic() < ends:
            try:
                with urllib.request.urlopen(f"http://{self.address}/-/ready", timeout=30):
                    return
            except OSError:
                time.sleep(0.05)
        raise AssertionError(f"Alertmanager did not start:\n{self._log.read_text()}")

    def stop(self) -> None:
        """Stop it as Kubernetes does; harmless when it does not run."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(ANSWER_SECONDS)
            self._process = None


def _quick_config(folder: Path, sinks: Sinks) -> Path:
    config = yaml.safe_load((ALERTS / "alertmanager" / "alertmanager.yaml").read_text())
    config["global"] |= {
        "slack_api_url_file": _secret(folder, "slack-url", f"{sinks.url}/slack"),
        "pagerduty_url": f"{sinks.url}/pagerduty",
    }
    config["templates"] = [str(ALERTS / "alertmanager" / "templates" / "*.tmpl")]
    for route in config["route"]["routes"]:
        wait = {"page": "1s", "watchdog": "0s"}.get(route["receiver"], f"{GATHER_SECONDS}s")
        route |= {"group_wait": wait, "group_interval": "1s"}
        if route["receiver"] == "watchdog":
            route["repeat_interval"] = "1s"
    receivers = {receiver["name"]: receiver for receiver in config["receivers"]}
    receivers["page"]["pagerduty_configs"][0]["routing_key_file"] = _secret(folder, "pagerduty-key", "a-key-for-tests")
    receivers["watchdog"]["webhook_configs"] = [{"url": f"{sinks.url}/watchdog"}]
    for name in ("chat-critical", "chat"):
        receivers[name] |= _further_channels(folder, sinks)
    file = folder / "alertmanager.yaml"
    file.write_text(yaml.safe_dump(config))
    return file


def _further_channels(folder: Path, sinks: Sinks) -> dict[str, Any]:
    """The shipped blocks of mail, Telegram and a webhook, with the sinks' addresses."""
    blocks: dict[str, Any] = {}
    for file in (ALERTS / "alertmanager" / "channels").glob("*.yaml"):
        blocks |= yaml.safe_load(file.read_text())
    (mail,), (telegram,), (webhook,) = (blocks[f"{name}_configs"] for name in ("email", "telegram", "webhook"))
    mail |= {
        "smarthost": f"127.0.0.1:{sinks.mail_port}",
        "auth_password_file": _secret(folder, "email-password", "a-password-for-tests"),
        "require_tls": False,
    }
    # The oldest Alertmanager that is supported takes the token by value only.
    del telegram["bot_token_file"]
    telegram |= {"api_url": f"{sinks.url}/telegram", "bot_token": "a-token-for-tests"}
    token = _secret(folder, "webhook-token", "a-token-for-tests")
    webhook |= {
        "url": f"{sinks.url}/webhook",
        "http_config": {"authorization": {"type": "Bearer", "credentials_file": token}},
    }
    return blocks


def _secret(folder: Path, name: str, value: str) -> str:
    file = folder / name
    file.write_text(value)
    return str(file)
