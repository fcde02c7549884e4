"""The ways in which the simulated OpenAlgo says no, in its own words or in those of the broker behind it."""

from collections.abc import Mapping


class OpenAlgoSimulatorError(Exception):
    """Root of the errors by which the simulated OpenAlgo says no."""


class RefusedError(OpenAlgoSimulatorError):
    """Raised when a request is answered with an error status; `body` is what the client gets."""

    def __init__(self, status: int, message: str, **more: object) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.body: Mapping[str, object] = {"status": "error", "message": message, **more}


def malformed(field: str, complaint: str) -> RefusedError:
    """The schema's complaint about a field: an object of lists, written as text."""
    return RefusedError(400, str({field: [complaint]}))


INVALID_KEY = "Invalid openalgo apikey"
LOGGED_OUT = "Incorrect `api_key` or `access_token`."
"""What Zerodha's Kite says when the day's login has expired; OpenAlgo hands it on."""
TOO_MANY = "Rate limit exceeded. Please slow down your requests."
BROKER_TOO_MANY = "Too many requests"
"""Kite's own 429, handed on."""
BANNED = "Access Denied: Your IP has been banned"
