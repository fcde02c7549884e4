"""The view as a page. Printable ASCII, and no state told by colour alone."""

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Final, Literal

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from sidecar.cli.board import NO_NEW_RISK, can_trade, duration
from sidecar.cli.live.glance import ErrorLine, Glance, OrderLine
from sidecar.cli.live.watch import Happened, View
from sidecar.config.report import printable
from sidecar.telemetry.state import BrokerReading, LimitState
from sidecar.words import BreakerState, DegradationLevel, OrderState

_BAR: Final = 16
_GAP: Final = 2
_YIELDING: Final = 24
"""How wide a column that yields stays, if it needs to be."""
_LEAST: Final = 3
"""Lines without which a table tells nothing: a head, and a row or how many there are."""
_FULL, _HIGH = 0.95, 0.8
_EVENTS: Final = 6
"""Lines that are kept free for events, as long as there is room for more than the brokers."""
_COLOURS: Final = {"yes": "green", "trying": "yellow", "no": "red", "was": "dim"}
_ORDERS: Final = {OrderState.IN_DOUBT.value: "bold red", OrderState.DEAD.value: "red"}
_SEVERITIES: Final = {"critical": "bold red", "error": "red", "warning": "yellow"}

Cells = tuple[Text, ...]


@dataclass(frozen=True, slots=True)
class _Part:
    """A table of the page."""

    heads: tuple[str, ...]
    rows: Sequence[Cells]
    right: frozenset[int] = frozenset()
    """Columns whose cells stand to the right."""
    yields: int = 0
    """The column that is cut when the line is too short for all."""

    @property
    def height(self) -> int:
        """Lines when nothing is left out."""
        return len(self.rows) + 1

    def drawn(self, width: int, height: int) -> RenderableType:
        """At most so wide and so high; rows that are left out are counted, and the last columns go first."""
        shown = self.rows if self.height <= height else self.rows[: height - 2]
        widths = [max(map(len, column)) for column in zip(self.heads, *self.rows, strict=True)]
        least = [*widths]
        least[self.yields] = min(_YIELDING, widths[self.yields])
        columns = len(widths)
        while columns > 1 and _with_gaps(least[:columns]) > width:
            columns -= 1
        room = width - _with_gaps(least[:columns]) + least[self.yields]
        table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
        for index, head in enumerate(self.heads[:columns]):
            justify: Literal["left", "right"] = "right" if index in self.right else "left"
            most = room if index == self.yields else None
            table.add_column(head, no_wrap=True, overflow="crop", justify=justify, max_width=most)
        for row in shown:
            table.add_row(*row[:columns])
        if len(shown) == len(self.rows):
            return table
        return Group(table, Text(f"... {len(self.rows) - len(shown)} more", style="dim"))


def _with_gaps(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def page(view: View, now: float, width: int, height: int | None = None) -> RenderableType:
    """The whole page. `now` is Unix seconds; `height` in lines, None for as long as it becomes."""
    top = [line for told in _head(view, now) for line in told.wrap(Console(width=width), width)]
    if view.glance is None:
        return Group(*top)
    shown: list[RenderableType] = [*top]
    left = sys.maxsize if height is None else height - len(top)
    parts = [_brokers(view.glance, now, stale=bool(view.problem)), *_middle(view.glance, now)]
    for index, part in enumerate(parts):
        room = left - 1 - (_EVENTS if index and view.events else 0)
        # A long table leaves the later ones their least, as long as that leaves something of itself; not the brokers.
        fair = room - (_LEAST + 1) * (len(parts) - index - 1)
        least = min(_LEAST, part.height)
        lines = min(part.height, fair if index and fair >= least else room)
        if lines >= least:
            shown += [Text(""), part.drawn(width, lines)]
            left -= lines + 1
    return Group(*shown, *_events(view.events, left))


def _head(view: View, now: float) -> list[Text]:
    time = Text(_time(now), style="dim")
    if view.glance is None:
        return [Text.assemble(time, "  ", printable(view.problem) or "asking ...")]
    status = view.glance.status
    ready = status.state.replace("_", " ") + (f" ({status.detail})" if status.detail else "")
    up = duration(status.uptime_seconds)
    lines = [
        Text.assemble(
            (printable(status.bot), "bold"),
            ": ",
            (printable(ready), "green" if status.state == "ready" else "yellow"),
            f"; up {up}; {status.calls_in_flight} calls in flight; version {printable(status.version)}  ",
            time,
        )
    ]
    if view.problem:
        ago = duration(max(0.0, now - view.glance.at))
        lines.append(
            Text(f"no answer for {ago}, what follows is the past: {printable(view.problem)}", style="bold red")
        )
    return lines


def _brokers(glance: Glance, now: float, *, stale: bool) -> _Part:
    rows = []
    for broker in glance.brokers:
        verdict = can_trade(broker)
        word = f"was {verdict}" if stale else verdict
        colour = _COLOURS.get(word.partition(":")[0].partition(" ")[0], "")
        cells = (
            Text(printable(broker.name), style="bold"),
            Text(word, style=colour),
            Text("" if stale else _next(broker, now)),
            Text(str(broker.condition.state)),
            Text(str(broker.in_flight)),
            Text(f"{broker.retry_budget:.0f}"),
        )
        rows.append(cells)
    heads = ("BROKER", "NEW ORDERS", "NEXT", "CONDITION", "CALLS", "RETRIES")
    return _Part(heads, rows, frozenset({4, 5}), yields=1)


def _next(broker: BrokerReading, now: float) -> str:
    """What will happen next, where something keeps orders back."""
    if not broker.condition.can_trade:
        return f"asked again in {_left(broker.condition.next_probe, now)}"
    if broker.gate.shut and broker.gate.until is not None:
        return f"opens in {_left(broker.gate.until, now)}"
    level = broker.degradation
    if level.level in NO_NEW_RISK:
        return "" if level.next_step is None else f"eases in {_left(level.next_step, now)}"
    probes = {breaker.group: breaker.retry_at for breaker in broker.breakers if breaker.retry_at is not None}
    return f"probe in {_left(probes.get('orders', min(probes.values())), now)}" if probes else ""


def _middle(glance: Glance, now: float) -> list[_Part]:
    parts = [
        _degraded(glance, now),
        _breakers(glance, now),
        _orders(glance.orders or (), now),
        _errors(glance.errors or ()),
        _limits(glance),
    ]
    return [part for part in parts if part.rows]


def _degraded(glance: Glance, now: float) -> _Part:
    rows = [
        (
            Text(printable(broker.name)),
            Text(level.level.replace("_", " "), style="red" if level.level in NO_NEW_RISK else "yellow"),
            Text(duration(max(0.0, now - level.since))),
            Text("" if level.next_step is None else f"in {_left(level.next_step, now)}"),
            Text(printable(": ".join(filter(None, (level.cause, level.note)))).replace("_", " ")),
        )
        for broker in glance.brokers
        if (level := broker.degradation).level is not DegradationLevel.NONE
    ]
    return _Part(("DEGRADED", "LEVEL", "FOR", "NEXT STEP", "WHY"), rows, yields=4)


def _breakers(glance: Glance, now: float) -> _Part:
    rows = [
        (
            Text(printable(f"{broker.name} {breaker.group}")),
            Text(breaker.state.replace("_", " "), style="yellow" if breaker.state is BreakerState.HALF_OPEN else "red"),
            Text(f"{breaker.failure_rate:.0%}"),
            Text(f"{breaker.slow_rate:.0%}"),
            Text("" if breaker.retry_at is None else f"in {_left(breaker.retry_at, now)}"),
        )
        for broker in glance.brokers
        for breaker in broker.breakers
        if breaker.state is not BreakerState.CLOSED
    ]
    return _Part(("BREAKER NOT CLOSED", "STATE", "FAILED", "SLOW", "NEXT PROBE"), rows, frozenset({2, 3}))


def _orders(orders: Sequence[OrderLine], now: float) -> _Part:
    doubtful = [order for order in orders if order.state == OrderState.IN_DOUBT]
    rows = [_order(f"{order.broker} {order.client_id}", order, now) for order in doubtful]
    # What goes its way must not push away what does not: one line tells of all that are alike.
    alike = groupby(sorted((order for order in orders if order not in doubtful), key=_kind), key=_kind)
    for (broker, _), group in alike:
        oldest, *others = sorted(group, key=lambda order: order.created_at or now)
        name = f"{broker}: {len(others) + 1} orders" if others else f"{broker} {oldest.client_id}"
        rows.append(_order(name, oldest, now))
    return _Part(("ORDER", "STATE", "AGE", "WHY"), rows, yields=3)


def _kind(order: OrderLine) -> tuple[str, str]:
    return order.broker, order.state


def _order(name: str, order: OrderLine, now: float) -> Cells:
    return (
        Text(printable(name)),
        Text(printable(order.state).replace("_", " "), style=_ORDERS.get(order.state, "")),
        Text("" if order.created_at is None else duration(max(0.0, now - order.created_at))),
        Text(printable(order.reason)),
    )


def _errors(errors: Iterable[ErrorLine]) -> _Part:
    times: Counter[tuple[str, str]] = Counter()
    for error in errors:
        times[f"{error.broker} {error.type}".strip(), error.severity.lower()] += error.count
    rows = [
        (
            Text(printable(name).replace("_", " ")),
            Text(printable(severity), style=_SEVERITIES.get(severity, "")),
            Text(str(count)),
        )
        for (name, severity), count in sorted(times.items(), key=lambda one: (_rank(one[0][1]), one[0]))
    ]
    return _Part(("ERROR", "SEVERITY", "TIMES"), rows, frozenset({2}))


def _rank(severity: str) -> int:
    """The worst first; what a newer sidecar may call its errors comes last."""
    known = list(_SEVERITIES)
    return known.index(severity) if severity in known else len(known)


def _limits(glance: Glance) -> _Part:
    limits = [(broker.name, limit) for broker in glance.brokers for limit in broker.limits]
    limits.sort(key=lambda one: -_share(one[1]))
    rows = [
        (
            Text(printable(f"{broker} {limit.limit}")),
            _bar(_share(limit)),
            Text(f"{_share(limit):.0%}"),
            Text(f"{limit.used:.4g} of {limit.capacity:.15g}"),
            Text("" if limit.exhaustion_seconds is None else duration(limit.exhaustion_seconds)),
            Text(str(limit.waiting)),
        )
        for broker, limit in limits
    ]
    return _Part(("LIMIT", "", "USED", "", "USED UP IN", "WAITING"), rows, frozenset({2, 3, 5}))


def _share(limit: LimitState) -> float:
    return limit.used / limit.capacity if limit.capacity else 0.0


def _bar(share: float) -> Text:
    filled = min(_BAR, round(share * _BAR))
    colour = "red" if share >= _FULL else "yellow" if share >= _HIGH else "green"
    return Text.assemble("[", ("#" * filled, colour), ("." * (_BAR - filled), "dim"), "]")


def _events(events: Sequence[Happened], left: int) -> list[RenderableType]:
    room = left - 2
    if not events or room < 1:
        return []
    lines = [Text.assemble((_time(event.at), "dim"), "  ", event.words, _often(event)) for event in events[:room]]
    for line in lines:
        line.no_wrap, line.overflow = True, "crop"
    return [Text(""), Text("LAST EVENTS", style="bold"), *lines]


def _often(event: Happened) -> str:
    return f" ({event.times} times)" if event.times > 1 else ""


def _left(moment: float, now: float) -> str:
    return duration(max(0.0, moment - now))


def _time(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%H:%M:%S}Z"
