"""One look at a running sidecar."""

from dataclasses import dataclass
from typing import Final, TypeVar

from pydantic import BaseModel, ConfigDict

from sidecar.api.models import Brokers, Status
from sidecar.cli.ask import AbsentError, AskError, Target, ask
from sidecar.telemetry.state import BrokerReading

_DOUBTFUL: Final = "/v1/orders?state=in_doubt&limit=1000"
_UNDER_WAY: Final = "/v1/orders?state=sending&state=queued&state=accepted&state=working&limit=100"
"""Asked for apart, so that many orders that only work cannot hide one that is in doubt."""
_LASTING: Final = "/v1/errors?resolved=false&limit=1000"


Model = TypeVar("Model", bound=BaseModel)


class _Told(BaseModel):
    # A newer sidecar may tell more.
    model_config = ConfigDict(extra="ignore", frozen=True)


class OrderLine(_Told):
    """What the view needs to know of an order."""

    broker: str = ""
    state: str = ""
    client_id: str = ""
    reason: str = ""
    created_at: float | None = None
    """Unix seconds."""


class ErrorLine(_Told):
    """What the view needs to know of an error that lasts."""

    broker: str = ""
    type: str = ""
    severity: str = ""
    count: int = 1


class _Orders(_Told):
    orders: list[OrderLine]


class _Errors(_Told):
    errors: list[ErrorLine]


@dataclass(frozen=True, slots=True)
class Glance:
    """What the sidecar said of itself at one moment."""

    at: float
    """Unix seconds."""
    status: Status
    brokers: tuple[BrokerReading, ...]
    orders: tuple[OrderLine, ...] | None = None
    """Those that are not done with, in doubt first; None where this sidecar carries no orders."""
    errors: tuple[ErrorLine, ...] | None = None
    """None where this sidecar keeps no errors."""


def look(target: Target, now: float) -> Glance:
    """Ask everything once. Raises `AskError`."""
    try:
        status = Status.model_validate_json(ask(target, "/v1/status"))
        brokers = Brokers.model_validate_json(ask(target, "/v1/brokers")).brokers
        orders = [_if_there(target, path, _Orders) for path in (_DOUBTFUL, _UNDER_WAY)]
        errors = _if_there(target, _LASTING, _Errors)
    except ValueError:
        raise AskError(f"{target} answered something that no sidecar of this version says") from None
    return Glance(
        now,
        status,
        tuple(brokers),
        None if None in orders else tuple(order for part in orders if part is not None for order in part.orders),
        None if errors is None else tuple(errors.errors),
    )


def _if_there(target: Target, path: str, model: type[Model]) -> Model | None:
    try:
        return model.model_validate_json(ask(target, path))
    except AbsentError:
        return None
