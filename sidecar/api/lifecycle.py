"""What a person may ask of the sidecar's own life: check the brokers again, read the configuration again."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus

from pydantic import BaseModel, Field

from sidecar.api.answers import as_json
from sidecar.api.ports import Health
from sidecar.api.problem import problem
from sidecar.api.routes import Asked, Route
from sidecar.telemetry.events import Reloaded
from sidecar.telemetry.state import OperationalReading
from sidecar.wire import Answer


class ReloadTold(BaseModel):
    """What a new configuration has changed."""

    changed: list[str] = Field(description="The keys whose new values are in force now.")
    needs_restart: list[str] = Field(description="Keys that have changed and take effect at the next start only.")


class LifecycleRoutes:
    """Answers what concerns starts and reloads."""

    def __init__(self, health: Health, *, retry: Callable[[], None], reload: Callable[[], Awaitable[Reloaded]]) -> None:
        """`retry` has every broker checked again; `reload` reads the configuration, and tells what came of it."""
        self._health = health
        self._retry = retry
        self._reload = reload

    def routes(self) -> tuple[Route, ...]:
        """The operations."""
        return (
            Route(
                "POST",
                "/v1/startup/retry",
                "Check again now every broker that is not ready; the answer tells how it stands before that",
                self._check_again,
                OperationalReading,
                statuses=(202,),
            ),
            Route("POST", "/v1/reload", "Read the configuration again", self._read_again, ReloadTold),
        )

    def _check_again(self, asked: Asked) -> Answer:
        del asked
        self._retry()
        return as_json(self._health.reading(), HTTPStatus.ACCEPTED)

    async def _read_again(self, asked: Asked) -> Answer:
        del asked
        told = await self._reload()
        if told.problems:
            errors = [{"pointer": "#", "detail": text} for text in told.problems]
            return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "the old configuration stays", errors=errors)
        return as_json({"changed": told.changed, "needs_restart": told.kept})
