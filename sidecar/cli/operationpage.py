"""Operations as a page for people; 80 columns of printable ASCII."""

from collections.abc import Sequence
from typing import Final

from sidecar.api.operation_views import LegView, OperationView, Statistics, StepView
from sidecar.cli.board import clock
from sidecar.cli.orderpage import WIDTH, clipped, field, short, wrapped
from sidecar.cli.outline import table
from sidecar.config.report import printable
from sidecar.telemetry.events import OPERATION_STEPS
from sidecar.words import OperationState

_INDENT: Final = "  "
_BROKER_WIDTH: Final = 12
_STEP_WIDTH: Final = max(map(len, OPERATION_STEPS))
_LOOK: Final = "It could not be carried out, nor be undone: look at the account."

_AT_ONCE: Final = "in one request, which the broker keeps together"

Row = tuple[str, ...]


def listing(operations: Sequence[OperationView]) -> str:
    """Two lines an operation: where it stands; then its ids, and why. Raises `ValueError`, `OverflowError`."""
    if not operations:
        return "no such operations"
    head: Row = ("CHANGED", "STATE", "BROKER", "TYPE")
    lines = table([head, *map(_row, operations)]).split("\n")
    told = [lines[0]]
    for line, operation in zip(lines[1:], operations, strict=True):
        names = f"{operation.id} {operation.client_id}".rstrip()
        told += [line, clipped(f"{_INDENT}{names}: {_why(operation)}", WIDTH)]
    return "\n".join(told)


def page(operation: OperationView) -> str:
    """Everything about one operation. Raises `ValueError`, or `OverflowError` for times that no sidecar tells."""
    rows = [
        ("broker", operation.broker),
        ("asked for", ", ".join(f"{name} {value}" for name, value in operation.intent.items() if _said(name, value))),
        ("placed", _AT_ONCE if operation.native else ""),
        ("stop at", str(operation.stop_price or "")),
        ("target at", str(operation.target_price or "")),
        ("client id", operation.client_id),
        ("begun", clock(operation.created_at)),
        ("reason", operation.reason),
        ("trouble", ", ".join(operation.recoveries)),
        *(("error", error) for error in operation.errors),
        ("ATTENTION", _LOOK if operation.state is OperationState.FAILED and operation.errors else ""),
    ]
    head = f"{_words(operation.type)} {printable(operation.id)}: {_words(operation.state)}"
    if operation.settled and not operation.final:
        head += ", all is in place and watched"
    parts = [head, *(field(name, value) for name, value in rows if value), "", *map(_leg, operation.legs)]
    return "\n".join([*parts, "", *map(_step, operation.steps or ())]).rstrip()


def fared(types: Sequence[Statistics]) -> str:
    """How the operations of each type have fared."""
    head: Row = ("TYPE", "STARTED", "ACTIVE", "DONE", "PARTLY", "FAILED", "UNDONE", "SUCCESS", "TROUBLE", "MENDED")
    rows = [
        (
            _words(told.type),
            *map(str, (told.started, told.active, told.completed, told.partially_completed)),
            *map(str, (told.failed, told.rolled_back)),
            _share(told.success_rate),
            str(told.recovery_attempts),
            _share(told.recovery_success_rate),
        )
        for told in types
    ]
    return table([head, *rows])


def _row(operation: OperationView) -> Row:
    broker = clipped(operation.broker, _BROKER_WIDTH)
    return (short(operation.updated_at), _words(operation.state), broker, _words(operation.type))


def _why(operation: OperationView) -> str:
    watched = "all is in place and watched" if operation.settled else "-"
    return operation.reason or (operation.errors[-1] if operation.errors else watched)


def _leg(leg: LegView) -> str:
    traded = f", {leg.filled} traded" if leg.filled else ""
    order = f", order {leg.order}" if leg.order else ", not handed in yet"
    why = f": {leg.reason}" if leg.reason else ""
    return wrapped(f"{_INDENT}{printable(leg.name).ljust(13)}", f"{_words(leg.state)}{traded}{order}{why}")


def _step(step: StepView) -> str:
    return wrapped(f"{short(step.at)}  {printable(step.step).ljust(_STEP_WIDTH)}  ", step.detail)


def _said(name: str, value: object) -> bool:
    return name not in {"type", "broker", "client_id"} and value not in ("", None, [], ())


def _words(name: str) -> str:
    return name.replace("_", " ")


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"
