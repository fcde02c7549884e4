"""What the control API tells of errors."""

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus
from math import isfinite
from typing import Any, Final

from sidecar.alerting.registry import Registry
from sidecar.alerting.report import ErrorEntry, ErrorList, Patterns, Wanted, entry, listed, patterns
from sidecar.alerting.types import ErrorType
from sidecar.api.answers import as_json
from sidecar.api.models import Reset
from sidecar.api.problem import problem
from sidecar.api.questions import FILTERS, bad, known, limit
from sidecar.api.routes import Asked, Route
from sidecar.clock import Clock
from sidecar.wire import Answer
from sidecar.words import Severity

WITHIN_SECONDS: Final = 30.0
_BOOLEANS: Final = {"true": True, "false": False}
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_AGO: Final = re.compile(r"^(\d+(?:\.\d+)?)([smhdw])$")
_FILTERS: Final = {
    "type": "Only errors of this type, such as auth_failed.",
    "broker": "Only this broker's errors.",
    "severity": "Only this severity: critical, error, warning, info.",
    "resolved": "true: only what is over; false: only what lasts.",
    "since": "Only what was seen then or later: Unix seconds, ISO 8601, or how long ago (90s, 30m, 2h, 7d).",
    "limit": FILTERS["limit"],
}


class ErrorRoutes:
    """Answers what concerns errors."""

    def __init__(self, registry: Registry, clock: Clock) -> None:
        self._registry = registry
        self._clock = clock

    def routes(self) -> tuple[Route, ...]:
        """The operations."""
        within = {"within": f"Seconds within which one error counts as coming after another; {WITHIN_SECONDS:g}."}
        return (
            Route("GET", "/v1/errors", "What went wrong, the newest first", self._list, ErrorList, query=_FILTERS),
            Route(
                "GET", "/v1/errors/patterns", "Rates, and what comes after what", self._patterns, Patterns, query=within
            ),
            Route("GET", "/v1/errors/{id}", "One error", self._one, ErrorEntry),
            Route("POST", "/v1/errors/{id}/resolve", "Say that an error is over", self._resolve, ErrorEntry, Reset),
        )

    def _list(self, asked: Asked) -> Answer:
        wanted = Wanted(
            types=known(asked, "type", list(ErrorType)),
            brokers=asked.query.get("broker", ()),
            severities=known(asked, "severity", list(Severity)),
            resolved=_last(asked, "resolved", _boolean, None),
            since=_last(asked, "since", self._moment, 0.0),
        )
        return as_json(listed(self._registry, wanted, limit(asked)))

    def _patterns(self, asked: Asked) -> Answer:
        within = _last(asked, "within", _seconds, WITHIN_SECONDS)
        return as_json(patterns(self._registry, self._clock.now(), within))

    def _one(self, asked: Asked) -> Answer:
        record = self._registry.find(asked.params["id"])
        return _unknown() if record is None else as_json(entry(record))

    def _resolve(self, asked: Asked) -> Answer:
        record = self._registry.resolve(asked.params["id"], asked.body.reason)
        return _unknown() if record is None else as_json(entry(record))

    def _moment(self, text: str) -> float:
        ago = _AGO.match(text)
        if ago:
            return self._clock.now() - float(ago[1]) * _UNITS[ago[2]]
        with suppress(ValueError):
            seconds = float(text)
            if isfinite(seconds):
                return seconds
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise bad("since takes Unix seconds, ISO 8601, or how long ago: 90s, 30m, 2h, 7d") from None
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _last(asked: Asked, name: str, read: Callable[[str], Any], default: Any) -> Any:
    given = asked.query.get(name)
    return read(given[-1]) if given else default


def _boolean(text: str) -> bool:
    if text not in _BOOLEANS:
        raise bad("resolved takes true or false")
    return _BOOLEANS[text]


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds <= 86400:  # noqa: PLR2004 - a day
        raise bad("within takes seconds, above 0 and at most 86400")
    return seconds


def _unknown() -> Answer:
    return problem(HTTPStatus.NOT_FOUND, "no error has this id; GET /v1/errors lists them")
