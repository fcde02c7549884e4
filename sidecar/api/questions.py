"""What a query asks for, read with care: a value that makes no sense is refused in words, never bent."""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Final

from sidecar.api.prefer import LONGEST_WAIT_SECONDS
from sidecar.api.problem import RefusedError, problem
from sidecar.api.routes import Asked

MOST_AT_ONCE: Final = 1000
_USUAL_LIMIT: Final = 100

FILTERS: Final[Mapping[str, str]] = {
    "broker": "Only this broker's.",
    "state": "Only those in this state.",
    "client_id": "Only the one with this client id.",
    "limit": f"How many at most, up to {MOST_AT_ONCE}; {_USUAL_LIMIT} when it is not said.",
}
"""What a list may be narrowed by."""
WAITS: Final[Mapping[str, str]] = {
    "wait": f"Seconds to wait until it is settled, up to {LONGEST_WAIT_SECONDS:g}.",
    "until": "`final`: wait for its end, not only until it is settled.",
}
"""How one that is asked for may be waited for."""


def heed_parameters(told: Iterable[str], known: Iterable[str]) -> None:
    """Refuse parameters that mean nothing: a list would be longer than who misspelt one believes.

    Raises RefusedError.
    """
    if unknown := sorted(set(told).difference(known)):
        there = f"there are {', '.join(known)}" if known else "there are none here"
        raise bad(f"no such parameter: {', '.join(unknown)}; {there}")


def limit(asked: Asked) -> int:
    """How many of a list are asked for. Raises RefusedError."""
    told = _number(asked, "limit", _USUAL_LIMIT)
    if told is None or not 1 <= told <= MOST_AT_ONCE or told != int(told):
        raise bad(f"limit must be a whole number from 1 to {MOST_AT_ONCE}")
    return int(told)


def known(asked: Asked, name: str, words: Iterable[str]) -> Sequence[str]:
    """The values that are asked for, of which only these make sense; none for any. Raises RefusedError."""
    told = asked.query.get(name, ())
    if unknown := set(told).difference(words):
        raise bad(f"no such {name}: {', '.join(sorted(unknown))}; there are {', '.join(words)}")
    return told


def waiting(asked: Asked) -> tuple[float, bool]:
    """For how many seconds one is waited for, and whether for its end and not only until it is settled.

    Raises RefusedError.
    """
    seconds = _number(asked, "wait", 0)
    if seconds is None or not 0 <= seconds <= LONGEST_WAIT_SECONDS:
        raise bad(f"wait must be a number from 0 to {LONGEST_WAIT_SECONDS:g}")
    until = asked.query.get("until", ["settled"])[0]
    if until not in {"settled", "final"}:
        raise bad("until must be settled or final")
    return seconds, until == "final"


def bad(detail: str) -> RefusedError:
    """What refuses a value that makes no sense; `detail` says what would."""
    return RefusedError(problem(HTTPStatus.BAD_REQUEST, detail))


def _number(asked: Asked, name: str, usual: float) -> float | None:
    """What is told, or the usual where nothing is; None for what is no number."""
    text = asked.query.get(name, [""])[0]
    try:
        return float(text) if text else usual
    except ValueError:
        return None
