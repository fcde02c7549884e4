"""What a running sidecar can take over from a new configuration, and what has to wait for its next start."""

from collections.abc import Iterator
from typing import Any, Final

from sidecar.brokers.limits import WindowSpec
from sidecar.brokers.positions import TellsPositions
from sidecar.brokers.registry import build
from sidecar.calls.limiter.specs import Planned, plan
from sidecar.config.model import Broker, Config, Credentials, Limits

_LIVE: Final = (
    *("retry", "breaker", "maintenance", "startup"),
    *("degradation", "cache", "timeouts", "deadline_seconds", "queue"),
)
"""Parts of a broker that can change wholly while it is called."""


def adopted(running: Config, wanted: Config) -> Config:
    """The running configuration with everything of the wanted one that can change without a restart.

    What cannot: what a socket, a file or a table of metrics was opened for at the start, and whether the sidecar has
    keys and signs, because bots would have to know. Of the limits, their sizes can; which there are cannot.
    """
    brokers = {
        name: _broker(broker, wanted.brokers[name]) if _same_broker(broker, wanted.brokers.get(name)) else broker
        for name, broker in running.brokers.items()
    }
    log = running.log.model_copy(update={"level": wanted.log.level, "format": wanted.log.format})
    alerting = running.alerting.model_copy(
        update={
            name: getattr(wanted.alerting, name) for name in ("alertmanager", "channels", "throttle", "still_seconds")
        }
    )
    closes = [name for name in wanted.stop.close_positions if running.state.path and _can_close(brokers.get(name))]
    stop = wanted.stop.model_copy(update={"close_positions": tuple(closes)})
    return running.model_copy(update={"brokers": brokers, "log": log, "alerting": alerting, "stop": stop})


def differences(one: Config, other: Config) -> tuple[str, ...]:
    """The keys whose values differ, such as `brokers.binance.retry.attempts`; never a value."""
    return tuple(_different(one.model_dump(), other.model_dump(), ""))


def _can_close(broker: Broker | None) -> bool:
    """Whether positions can be closed there as the sidecar runs now; the new file may need a restart for it."""
    return broker is not None and broker.credentials.signs and isinstance(build(broker), TellsPositions)


def _same_broker(running: Broker, wanted: Broker | None) -> bool:
    """Whether a name still means the same upstream: the new policies of another would be wrong for this one."""
    return wanted is not None and (running.profile, running.base_url) == (wanted.profile, wanted.base_url)


def _broker(running: Broker, wanted: Broker) -> Broker:
    update: dict[str, object] = {name: getattr(wanted, name) for name in _LIVE}
    update["limits"] = _limits(running, wanted)
    update["credentials"] = _credentials(running.credentials, wanted.credentials)
    return running.model_copy(update=update)


def _credentials(running: Credentials, wanted: Credentials) -> Credentials:
    alike = running.use == wanted.use and bool(running.given) == bool(wanted.given)
    return wanted if alike else running


def _limits(running: Broker, wanted: Broker) -> Limits:
    specs = build(running).limits
    if _kinds(plan("", specs, running.limits)) == _kinds(plan("", specs, wanted.limits)):
        return wanted.limits
    shares = {name: getattr(wanted.limits, name) for name in ("warn_at", "wait_at", "learn")}
    return running.limits.model_copy(update=shares)


def _kinds(planned: tuple[Planned, ...]) -> list[tuple[object, ...]]:
    """What the limits are, but for their sizes."""
    return [
        (one.spec.name, one.spec.scope, one.cost)
        + ((one.spec.seconds, one.spec.header) if isinstance(one.spec, WindowSpec) else (one.spec.group,))
        for one in planned
    ]


def _different(one: Any, other: Any, path: str) -> Iterator[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        for name in sorted({*one, *other}):
            yield from _different(one.get(name), other.get(name), f"{path}.{name}" if path else str(name))
    elif one != other:
        yield path
