"""Orders that the sidecar carries, as a page for people; 80 columns of printable ASCII."""

import textwrap
from collections.abc import Sequence
from typing import Final

from sidecar.api.order_views import ChangeView, OrderView
from sidecar.cli.board import clock
from sidecar.cli.outline import table
from sidecar.config.report import printable
from sidecar.words import OrderState

WIDTH: Final = 80
_MARK: Final = ".."
_INDENT: Final = "  "
_NAME_WIDTH: Final = 13
_BROKER_WIDTH: Final = 12
_WHAT_WIDTH: Final = 14
_YEAR: Final = len("2026-")
_STATE_WIDTH: Final = max(map(len, OrderState))
_LOOK: Final = "It is not known whether the broker executed it: look at the account before it is sent again."

Row = tuple[str, ...]


def listing(orders: Sequence[OrderView]) -> str:
    """Two lines an order: where it stands; then its client id, and why. Raises `ValueError` or `OverflowError`."""
    if not orders:
        return "no such orders"
    head: Row = ("CHANGED", "STATE", "BROKER", "WHAT", "ID")
    lines = table([head, *map(_row, orders)]).split("\n")
    told = [lines[0]]
    for line, order in zip(lines[1:], orders, strict=True):
        told += [line, clipped(f"{_INDENT}{order.client_id}: {order.reason or '-'}", WIDTH)]
    return "\n".join(told)


def page(order: OrderView) -> str:
    """Everything about one order. Raises `ValueError` or `OverflowError` for times that no sidecar tells."""
    rows = [
        ("broker", order.broker + (f", its order {order.broker_order_id}" if order.broker_order_id else "")),
        ("account", order.account),
        ("instrument", order.instrument),
        ("client id", order.client_id),
        ("taken", clock(order.created_at)),
        ("attempts", str(order.attempts)),
        ("expires", "" if order.settled else f"{clock(order.expires_at)}, if it has not been sent by then"),
        ("answer", "" if order.answer is None else f"{order.answer.status} (--json shows it)"),
        ("reason", order.reason),
        ("ATTENTION", _LOOK if order.may_have_been_executed else ""),
    ]
    parts = [f"{order.kind} {order.id}: {told(order.state)}", *(field(name, value) for name, value in rows if value)]
    return "\n".join([*parts, "", *map(step, order.changes or ())])


def step(change: ChangeView) -> str:
    """One line of an order's life, and more where the reason is long."""
    head = f"{short(change.at)}  {told(change.state).ljust(_STATE_WIDTH)}  "
    return wrapped(head, change.reason)


def told(state: OrderState) -> str:
    """A state in people's words."""
    return state.replace("_", " ")


def clipped(text: str, width: int) -> str:
    """The text, printable, with its end left out where it is longer than `width`."""
    shown = printable(text)
    return shown if len(shown) <= width else shown[: width - len(_MARK)] + _MARK


def _row(order: OrderView) -> Row:
    what = order.instrument if order.kind == "order" else f"{order.kind} {order.instrument}"
    place = (clipped(order.broker, _BROKER_WIDTH), clipped(what, _WHAT_WIDTH))
    return (short(order.updated_at), told(order.state), *place, printable(order.id))


def short(moment: float) -> str:
    """A moment without its year."""
    """A moment without its year."""
    return clock(moment)[_YEAR:]


def field(name: str, value: str) -> str:
    """A line of a page, and more where the value is long."""
    """A line of a page, and more where the value is long."""
    return wrapped(f"{_INDENT}{name.ljust(_NAME_WIDTH)}", value)


def wrapped(head: str, text: str) -> str:
    """The text behind its head, on as many lines as it takes."""
    """The text behind its head, on as many lines as it takes."""
    lines = textwrap.wrap(printable(text), WIDTH - len(head)) or [""]
    return f"\n{' ' * len(head)}".join([head + lines[0], *lines[1:]]).rstrip()
