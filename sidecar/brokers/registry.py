"""The one place that knows every profile."""

from sidecar.brokers.binance_spot import BinanceSpot
from sidecar.brokers.binance_usdm import BinanceUsdm
from sidecar.brokers.generic import Generic, HeaderNames, Knowledge
from sidecar.brokers.oanda import Oanda
from sidecar.brokers.openalgo import OpenAlgo
from sidecar.brokers.profile import Endpoint, Profile
from sidecar.brokers.projectx import ProjectX
from sidecar.config import model
from sidecar.words import Effect, Outcome, Priority


def build(config_broker: model.Broker) -> Profile:
    """The profile that a configured broker names."""
    match config_broker.profile:
        case "binance-usdm":
            return BinanceUsdm()
        case "binance-spot":
            return BinanceSpot()
        case "oanda":
            return Oanda()
        case "projectx":
            return ProjectX()
        case "openalgo":
            return OpenAlgo()
        case "generic":
            return Generic(_knowledge(config_broker.generic or model.Generic()))


def _knowledge(told: model.Generic) -> Knowledge:
    names = told.rate_limit_headers
    return Knowledge(
        routes=tuple(
            (route.method, route.path, _endpoint(name, route), route.cost) for name, route in told.endpoints.items()
        ),
        headers=HeaderNames(
            **{kind: getattr(names, kind).lower().encode("latin-1") for kind in ("used", "remaining", "limit", "reset")}
        ),
        probe=told.probe or "",
        statuses={
            **dict.fromkeys(told.transient_statuses, (Outcome.TRANSIENT, "server_error")),
            **dict.fromkeys(told.maintenance_statuses, (Outcome.MAINTENANCE, "maintenance")),
            **dict.fromkeys(told.banned_statuses, (Outcome.BANNED, "ban")),
            **dict.fromkeys(told.rate_limited_statuses, (Outcome.RATE_LIMITED, "rate_limit")),
        },
    )


def _endpoint(name: str, route: model.Route) -> Endpoint:
    return Endpoint(name, route.group, route.effect, route.priority, _audit(route), route.stream)


def _audit(route: model.Route) -> str:
    """The audit event that fits what the configuration tells about an endpoint."""
    match route.effect:
        case Effect.OPENS_RISK:
            return "order_placed"
        case Effect.REDUCES_RISK:
            return "order_cancelled" if route.priority is Priority.CANCEL else "order_placed"
        case Effect.OTHER:
            return "account_changed"
        case Effect.READ:
            return ""
