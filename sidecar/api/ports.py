"""What the sockets need of the rest of the sidecar."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from sidecar.calls.model import Result
from sidecar.telemetry.state import BrokerReading, OperationalReading
from sidecar.wire import Request
from sidecar.words import BreakerMode, DegradationLevel, RefusalKind

Exposition = Callable[[str], tuple[bytes, str]]
"""Takes an `Accept` header, returns the metrics and their content type."""


class Controls(Protocol):
    """One broker's state, and what a person may change of it."""

    def reading(self) -> BrokerReading:
        """The broker's state now."""

    def reset_breakers(self, group: str | None, reason: str) -> None:
        """Close a breaker, or with None all. Raises `KeyError` for an unknown group."""

    def set_breaker_mode(self, group: str | None, mode: BreakerMode, reason: str) -> None:
        """Hand a breaker, or with None all, to its measurements or to a person. `KeyError` for an unknown group."""

    def reset_limits(self, reason: str) -> None:
        """Forget what is counted against the broker's limits, and open its gate."""

    def degrade(self, level: DegradationLevel, reason: str, seconds: float) -> None:
        """Let the broker's degradation level be at least this for so long."""

    def recover(self, reason: str) -> None:
        """Back to degradation level `none` at once, whatever had demanded another."""


class Gateway(Protocol):
    """One broker, ready to be called."""

    @property
    def name(self) -> str:
        """The broker's name in the configuration and in the path of its calls."""

    async def run(
        self,
        request: Request,
        *,
        deadline_seconds: float | None,
        traceparent: bytes | None,
        tracestate: bytes | None,
        gone: Callable[[], bool],
    ) -> Result:
        """Carry one call to its fate.

        `gone` tells whether the bot has hung up: an order that still waits then is not sent any more.
        `deadline_seconds` is how long the bot still waits (above 0); None takes the broker's default. A stream's answer
        has `chunks`, which the caller iterates to the end, or cancels in the middle and closes.
        """

    async def knows(self, *requests: Request) -> bool:
        """Whether any of these calls has come before, under a key by which it would not be carried out again."""

    def announced(self, request: Request) -> AbstractContextManager[None]:
        """Let `knows` tell of a call that is about to be run, too."""

    def refuse(self, kind: RefusalKind, message: str) -> Result:
        """Say no in the broker's own envelope; the broker is not touched."""

    @property
    def controls(self) -> Controls:
        """What a person may look at and change."""


class Health(Protocol):
    """Whether the sidecar is up, and whether it may be given calls."""

    @property
    def started(self) -> bool:
        """Whether the start is over. Must not depend on the bot: an orchestrator starts it only after this."""

    @property
    def ready(self) -> tuple[bool, str]:
        """Whether calls are welcome, and a sentence that says why not."""

    def reading(self) -> OperationalReading:
        """What the sidecar as a whole is doing, and what was found of each broker."""
