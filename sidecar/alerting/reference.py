"""The reference of alerting: `python -m sidecar.alerting.reference` writes docs/alerting.md."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from sidecar.alerting.routes import AGGREGATE_SECONDS, OTHER_SEVERITIES, PAGER_SEVERITIES, pauses
from sidecar.alerting.types import TYPES, ErrorType
from sidecar.alerting.vitals import LOOK_SECONDS
from sidecar.alerting.watch import ENDS, RAISES
from sidecar.config.model import Throttle
from sidecar.words import Severity

FILE: Final = Path("docs/alerting.md")
ALERTS: Final = Path(__file__).parents[2] / "alerts"

WATCHDOG: Final = "SidecarWatchdog"

LOOKED_AT: Final = {ErrorType.DATABASE: "writes of the state file", ErrorType.AUDIT_FAILED: "writes of the audit log"}
"""What no event tells: the vitals look at it."""

_HEAD: Final = f"""\
# Who is told of what

Whatever goes wrong becomes an error of a known type, which lasts until its condition ends. `sidecar errors` and
`GET /v1/errors` list them, `sidecar errors patterns` shows what comes after what, and
`sidecar errors resolve ID --reason …` ends one by hand. With `state.path` they survive a restart.

## With Prometheus and Alertmanager

Each type is an alert of the rules in `alerts/`. What cannot wait for a scrape (*pushed* below) goes to
`alerting.alertmanager.url` at once besides, with the same labels, so that both are one alert; it is told again while it
lasts, and ended when it ends. Where Prometheus adds labels to the sidecar's series, such as `namespace`, or to
its alerts (`external_labels`; kube-prometheus-stack adds `prometheus`), name them under `alerting.alertmanager.labels`:
with other labels it is another alert, and told twice. The chart names the namespace by itself.

## On a machine without them

Channels under `alerting.channels` go straight to people: Slack, PagerDuty, Telegram, mail, a webhook, and whatever else
has an [Apprise URL](https://github.com/caronc/apprise/wiki). The URL holds keys, so it is kept in a file of its own:

```yaml
state: {{path: /var/lib/sidecar/state.db}}      # remembers over a restart who was told of what
alerting:
  channels:
    chat: {{url_file: /etc/sidecar/chat-url}}   # slack://TokenA/TokenB/TokenC/
    pager: {{url_file: /etc/sidecar/pager-url}} # pagerduty://IntegrationKey@ApiKey
```

`sidecar alerts test --config sidecar.yaml` sends one message through each and says what came back.

- Pagers are told of what is critical, at once, one incident for each type and broker, which its end resolves. All other
  channels are told of errors too, after {AGGREGATE_SECONDS:g} seconds: whatever comes meanwhile is in the same message,
  and what is over by then is not told at all.
- The same type at the same broker is told once; again when its pause is over and it still happens. What comes back
  within the pause is told at its end, if it lasts.
- What the bot waits for is told again every hour (`alerting.still_seconds`).
- The end is told to whoever was told of the beginning.
- A channel that is away is tried again, after 15 seconds and then more and more rarely, up to every ten minutes.

## Every type

The log has all of them.

| what happens | error type | severity | alert | told to | pause | over |
| --- | --- | --- | --- | --- | --- | --- |
"""
_RULES: Final = """
## What only the rules see

No single event tells it, so that the sidecar's own channels do not either.

| alert | error type | severity | told to | lasts before | what it means |
| --- | --- | --- | --- | --- | --- |
"""
_ADVICE: Final = """
## What to do

| error type | what it means | what to do |
| --- | --- | --- |
"""


def text() -> str:
    """The page as it is committed."""
    return _HEAD + "".join(_types()) + _RULES + "".join(_rules()) + _ADVICE + "".join(_advice())


def rules() -> dict[str, dict[str, Any]]:
    """The alerts of the Prometheus rules by their name."""
    files = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in sorted((ALERTS / "rules").glob("*.yaml"))]
    found = [rule for file in files for group in file["groups"] for rule in group["rules"] if "alert" in rule]
    return {rule["alert"]: rule for rule in found}


def causes(kind: ErrorType) -> list[str]:
    """What raises an error of this type, in words."""
    events = [words(line.event) for line in RAISES if line.kind is kind]
    looked = [f"{LOOKED_AT[kind]}, every {LOOK_SECONDS:g} s"] if kind in LOOKED_AT else []
    return list(dict.fromkeys([*events, *looked]))


def ends(kind: ErrorType) -> list[str]:
    """What ends an error of this type, in words."""
    found = [words(line.event) for line in ENDS if line.kind is kind and not line.inherited]
    if kind in LOOKED_AT:
        found.append("a write that succeeds")
    if kind is ErrorType.ORDER_OUTCOME_UNKNOWN:
        found.append("a call that succeeds and names the order")
    quiet = TYPES[kind].quiet_seconds
    if quiet is not None:
        found.append(f"quiet for {quiet:g} s")
    return list(dict.fromkeys(found)) or ["by hand"]


def route(severity: Severity) -> str:
    """Whom a severity reaches, unless it is configured otherwise."""
    told = [*(["pagers"] if severity in PAGER_SEVERITIES else []), *(["chat"] if severity in OTHER_SEVERITIES else [])]
    return ", ".join([*told, "log"])


def words(event: type) -> str:
    """An event's name as words."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", event.__name__).lower()


def _types() -> Iterator[str]:
    waits = pauses(Throttle())
    for kind, known in TYPES.items():
        pushed = ", pushed" if known.push else ""
        cells = (
            ", ".join(causes(kind)) or "nothing yet",
            f"`{kind}`",
            str(known.severity),
            f"{_page(known.alert)}{pushed}",
            route(known.severity),
            f"{waits[known.topic]:g} s ({known.topic})",
            ", ".join(ends(kind)),
        )
        yield f"| {' | '.join(cells)} |\n"


def _rules() -> Iterator[str]:
    of_types = {known.alert for known in TYPES.values()}
    for name, rule in rules().items():
        if name in of_types:
            continue
        labels = rule["labels"]
        told = route(Severity(labels["severity"])).removesuffix("log").removesuffix(", ")
        cells = (
            _page(name),
            f"`{labels['error_type']}`",
            labels["severity"],
            told or ("the dead man's switch" if name == WATCHDOG else "nobody"),
            rule.get("for", "-"),
            rule["annotations"]["summary"],
        )
        yield f"| {' | '.join(cells)} |\n"


def _page(alert: str) -> str:
    page = f"runbooks/{alert}.md"
    return f"[`{alert}`](../alerts/{page})" if (ALERTS / page).exists() else f"`{alert}`"


def _advice() -> Iterator[str]:
    for kind, known in TYPES.items():
        yield f"| `{kind}` ({known.category}) | {known.meaning} | {known.suggestion} |\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
