"""The reference of what can be seen: `python -m sidecar.telemetry.reference` writes docs/metrics.md."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sidecar.telemetry.metrics import Metrics
from sidecar.telemetry.table import SEEN, InTrace

FILE: Final = Path("docs/metrics.md")

_HEAD: Final = """\
# What can be seen

`GET /metrics` on the scrape listener gives Prometheus's text, or OpenMetrics with exemplars to whoever asks for it.
Every known label set of a counter starts at 0, so that the first error is an increase. No label is ever a symbol, an
order id, a URL or a message. Where several sidecars share an address, its weight is told by each of them: aggregate
`sidecar_rate_limit_used` with `max`, never with `sum`.

## Metrics

| metric | kind | labels | what it tells |
| --- | --- | --- | --- |
"""
_EVENTS: Final = """
## Events

What happens is an event, told once, at the place where it happens. `GET /v1/events` on the bots' listener streams them.

| event | metrics | in the trace | audit log | log |
| --- | --- | --- | --- | --- |
"""
_IN_TRACE: Final = {
    InTrace.CALL_SPAN: "the call's span",
    InTrace.ATTEMPT_SPAN: "a span of its own",
    InTrace.ATTRIBUTE: "attributes of the attempt's span",
    InTrace.SPAN_EVENT: "a span event",
    InTrace.OPERATION_SPAN: "a span of the operation",
    InTrace.ABSENT: "",
}


def text() -> str:
    """The page as it is committed."""
    return _HEAD + "".join(_metrics()) + _EVENTS + "".join(_events())


def _metrics() -> Iterator[str]:
    for family in sorted(Metrics((), bot="", version="").families, key=lambda family: family.name):
        labels = ", ".join(f"`{label}`" for label in family.labels)
        yield f"| `{family.name}` | {family.kind} | {labels} | {family.help} |\n"


def _events() -> Iterator[str]:
    for kind, seen in SEEN.items():
        words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind.__name__).lower()
        metrics = ", ".join(f"`{name}`" for name in seen.metrics)
        audit, log = ("yes" if told else "" for told in (seen.audit, seen.log))
        yield f"| {words} | {metrics} | {_IN_TRACE[seen.trace]} | {audit} | {log} |\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
