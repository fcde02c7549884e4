"""What a query asks for, read with care: a value that makes no sense is refused in words, never bent."""

from http import HTTPStatus

from sidecar.api.problem import RefusedError, problem
from sidecar.api.routes import Asked


def number(asked: Asked, name: str, usual: float, most: float) -> float:
    """A number from 0 to `most`, or the usual one where the query says nothing. Raises RefusedError."""
    told = _told(asked, name, usual)
    if told is None or not 0 <= told <= most:
        raise bad(f"{name} must be a number from 0 to {most:g}")
    return told


def count(asked: Asked, name: str, usual: int, most: int) -> int:
    """A whole number from 1 to `most`, or the usual one where the query says nothing. Raises RefusedError."""
    told = _told(asked, name, usual)
    if told is None or not 1 <= told <= most or told != int(told):
        raise bad(f"{name} must be a whole number from 1 to {most}")
    return int(told)


def until_final(asked: Asked) -> bool:
    """Whether the end is waited for, and not only the broker's answer. Raises RefusedError."""
    until = asked.query.get("until", ["settled"])[0]
    if until not in {"settled", "final"}:
        raise bad("until must be settled or final")
    return until == "final"


def bad(detail: str) -> RefusedError:
    """The refusal of a query that makes no sense."""
    return RefusedError(problem(HTTPStatus.BAD_REQUEST, detail))


def _told(asked: Asked, name: str, usual: float) -> float | None:
    text = asked.query.get(name, [""])[0]
    try:
        return float(text) if text else usual
    except ValueError:
        return None
