"""`sidecar orders`: the orders that a running sidecar carries, one of them, and its end; and taking one back."""

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace, RawDescriptionHelpFormatter, _SubParsersAction
from contextlib import closing
from typing import Final
from urllib.parse import quote, urlencode

from sidecar.api.order_views import Orders, OrderView
from sidecar.api.questions import MOST_AT_ONCE
from sidecar.cli.ask import AskError, Lines, Target, ask, withdraw
from sidecar.cli.orderpage import listing, page, step, told
from sidecar.cli.where import TOLD, add_where, asked
from sidecar.words import OrderState

DEAD: Final = 4
"""The exit status beside those of `sidecar.cli.where`."""
_USUAL: Final = 20
_STATES: Final = f"only in this state: {', '.join(OrderState)}"
_PATIENCE_SECONDS: Final = 30.0
"""The broker may have to be asked how far an order is."""

_EPILOG: Final = """\
examples:
  sidecar orders                               the newest orders
  sidecar orders --state dead --state in_doubt those that need eyes
  sidecar orders --client-id entry-42
  sidecar orders 7dea13a6ea606fed3923          one order and its history
  sidecar orders --follow 7dea13a6ea606fed3923 its history as it happens
  sidecar orders --cancel 7dea13a6ea606fed3923
  sidecar orders --state dead --json | jq -r '.orders[].client_id'

An order that has not been sent is cancelled at once. For any other the broker
is asked to cancel it, and that request is shown: follow it, or the order.

Exit status: 0 when it was told or cancelled, 1 when no sidecar answers, 2 when
the question itself cannot be asked, 3 when the sidecar says no (no such order,
nothing to cancel), 4 when the one order asked for is dead: a person must look
at the account.
"""


def add(subparsers: "_SubParsersAction[ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "orders",
        help="see the orders that the sidecar carries, and take them back",
        description="Show the orders that a running sidecar carries, follow one, or cancel one.",
        epilog=_EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    one = parser.add_mutually_exclusive_group()
    one.add_argument("id", nargs="?", help="show this order and its history")
    one.add_argument("--follow", metavar="ID", help="show this order's history as it happens")
    one.add_argument("--cancel", metavar="ID", help="take this order back")
    parser.add_argument("--broker", action="append", default=[], help="only this broker's; repeatable, like the next")
    parser.add_argument("--state", action="append", default=[], choices=list(OrderState), metavar="STATE", help=_STATES)
    parser.add_argument("--client-id", action="append", default=[], metavar="ID", help="only with this client id")
    parser.add_argument(
        "--limit", type=_count, default=_USUAL, metavar="N", help=f"the newest N at most (default {_USUAL})"
    )
    parser.add_argument("--json", action="store_true", help="print JSON, for --follow an object a line")
    add_where(parser)
    parser.set_defaults(run=run)


def run(arguments: Namespace) -> int:
    """Do what the arguments say, and return the exit status."""
    return asked("orders", arguments, _answer)


def _answer(place: Target, arguments: Namespace) -> int:
    if arguments.follow is not None:
        return _follow(place, arguments.follow, as_json=arguments.json)
    if arguments.cancel is not None:
        return _one(withdraw(place, _path(arguments.cancel)), as_json=arguments.json)
    if arguments.id is not None:
        return _one(ask(place, _path(arguments.id), seconds=_PATIENCE_SECONDS), as_json=arguments.json)
    filters = {"broker": arguments.broker, "state": arguments.state, "client_id": arguments.client_id}
    query = urlencode({**filters, "limit": arguments.limit}, doseq=True)
    answer = ask(place, f"/v1/orders?{query}")
    orders = Orders.model_validate_json(answer).orders
    _show(answer.decode() if arguments.json else listing(orders))
    if len(orders) == arguments.limit:
        sys.stderr.write(f"The newest {len(orders)}; --limit shows more.\n")
    return TOLD


def _one(answer: bytes, *, as_json: bool) -> int:
    order = OrderView.model_validate_json(answer)
    _show(answer.decode() if as_json else page(order))
    return _status(order)


def _follow(place: Target, order_id: str, *, as_json: bool) -> int:
    shown = 0
    with closing(Lines(place, f"{_path(order_id)}/events")) as lines:
        for line in lines:
            field, _, data = line.partition(": ")
            if field != "data":
                continue
            order = OrderView.model_validate_json(data)
            changes = order.changes or []
            _show(data if as_json else "\n".join(map(step, changes[shown:])))
            shown = len(changes)
            if order.final:
                _show("" if as_json else f"{order.kind} {order.id}: {told(order.state)}")
                return _status(order)
    raise AskError(f"{place} went away before the order's end; nothing is lost, ask again when it is back")


def _show(text: str) -> None:
    if text:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()


def _status(order: OrderView) -> int:
    return DEAD if order.state is OrderState.DEAD else TOLD


def _path(order_id: str) -> str:
    return f"/v1/orders/{quote(order_id, safe='')}"


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= MOST_AT_ONCE):
        raise ArgumentTypeError(f"{text!r} is not a whole number from 1 to {MOST_AT_ONCE}")
    return int(text)
