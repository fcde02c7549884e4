"""What a broker's limits are, once the configuration has had its say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from sidecar.brokers.limits import BucketSpec, LimitSpec, Scope, WindowSpec
from sidecar.calls.limiter.errors import LimitSettingsError
from sidecar.config import model

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Planned:
    """One limit to enforce."""

    spec: LimitSpec
    pinned: bool = False
    """Whether the configuration has set its size, which then beats what the broker announces."""
    cost: float = 0.0
    """What a call takes whose intent does not say: 1 in a window that only the configuration knows, else 0."""


def plan(broker: str, specs: Sequence[LimitSpec], settings: model.Limits) -> tuple[Planned, ...]:
    """The profile's limits, changed and extended by the settings; in the profile's order, then the settings'."""
    known = {spec.name: spec for spec in specs}
    for name in settings.windows:
        if name in settings.buckets or isinstance(known.get(name), BucketSpec):
            raise _contradiction(broker, name)
    for name in settings.buckets:
        if isinstance(known.get(name), WindowSpec):
            raise _contradiction(broker, name)
    planned = [_changed(spec, settings) for spec in specs]
    planned += [_new_window(broker, name, window) for name, window in _added(settings.windows, known)]
    planned += [_new_bucket(broker, name, bucket) for name, bucket in _added(settings.buckets, known)]
    return tuple(planned)


def _added(configured: Mapping[str, T], known: Mapping[str, LimitSpec]) -> list[tuple[str, T]]:
    return [(name, value) for name, value in configured.items() if name not in known]


def _changed(spec: LimitSpec, settings: model.Limits) -> Planned:
    if isinstance(spec, WindowSpec):
        window = settings.windows.get(spec.name, model.Window())
        return Planned(
            WindowSpec(
                spec.name,
                capacity=spec.capacity if window.capacity is None else window.capacity,
                seconds=spec.seconds if window.seconds is None else window.seconds,
                scope=spec.scope if window.scope is None else Scope(window.scope),
                header=spec.header if window.header is None else window.header.lower().encode("latin-1"),
            ),
            pinned=window.capacity is not None,
        )
    bucket = settings.buckets.get(spec.name, model.Bucket())
    changed = replace(
        spec,
        rate=spec.rate if bucket.rate is None else bucket.rate,
        burst=spec.burst if bucket.burst is None else bucket.burst,
        group=spec.group if bucket.group is None else bucket.group,
    )
    return Planned(changed, pinned=bucket.rate is not None or bucket.burst is not None)


def _new_window(broker: str, name: str, window: model.Window) -> Planned:
    if window.capacity is None or window.seconds is None:
        raise LimitSettingsError(
            f"brokers.{broker}.limits.windows.{name}: the profile knows no such window; "
            "give it both `capacity` and `seconds`, or use one of the profile's names"
        )
    # The address is the cautious guess: a limit shared too widely waits too much, one shared too little is exceeded.
    scope = Scope(window.scope or Scope.ADDRESS)
    header = (window.header or "").lower().encode("latin-1")
    return Planned(WindowSpec(name, window.capacity, window.seconds, scope, header), pinned=True, cost=1.0)


def _new_bucket(broker: str, name: str, bucket: model.Bucket) -> Planned:
    if bucket.rate is None:
        raise LimitSettingsError(
            f"brokers.{broker}.limits.buckets.{name}: the profile knows no such bucket; "
            "give it a `rate`, or use one of the profile's names"
        )
    burst = bucket.rate if bucket.burst is None else bucket.burst
    return Planned(BucketSpec(name, bucket.rate, burst, group=bucket.group or ""), pinned=True)


def _contradiction(broker: str, name: str) -> LimitSettingsError:
    return LimitSettingsError(
        f"brokers.{broker}.limits: {name} is named both as a window and as a bucket; a name belongs to one limit"
    )
