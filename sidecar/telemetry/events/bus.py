"""How an event reaches those who listen."""

from collections.abc import Callable
from typing import Any, TypeVar

from sidecar.clock import Clock
from sidecar.telemetry.events.trail import Event, Stamped, trail

E = TypeVar("E")
Handler = Callable[[Any], None]


class Bus:
    """Hands each event to those who asked for its kind, in the order in which they asked.

    Handlers run in the emitter's own task: they must be quick and must not block. One that fails is reported to
    `on_failure` and keeps nobody else from hearing the event.
    """

    def __init__(self, clock: Clock, on_failure: Callable[[Exception], None] | None = None) -> None:
        self._clock = clock
        self._handlers: dict[type, tuple[Handler, ...]] = {}
        self.on_failure = on_failure

    def subscribe(self, kind: type[E], handler: Callable[[E], None]) -> None:
        """Call `handler` with every event of exactly this type."""
        self._handlers[kind] = (*self._handlers.get(kind, ()), handler)

    def emit(self, event: Event) -> None:
        """Tell that something happened; put it on the trail of the call in progress."""
        steps = trail.get()
        if steps is not None:
            steps.append(Stamped(self._clock.now(), event))
        for handler in self._handlers.get(type(event), ()):
            try:
                handler(event)
            except Exception as failure:  # noqa: BLE001 - a broken listener must not break a call
                if self.on_failure is not None:
                    self.on_failure(failure)
