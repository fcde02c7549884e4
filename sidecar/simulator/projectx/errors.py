"""The ways in which the simulated gateway says no. Every endpoint counts its codes anew (the gateway's OpenAPI)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

_LOGIN = (
    "UserNotFound PasswordVerificationFailed InvalidCredentials AppNotFound AppVerificationFailed InvalidDevice "
    "AgreementsNotSigned UnknownError ApiSubscriptionNotFound ApiKeyAuthenticationDisabled"
)
_CHANGE = "AccountNotFound OrderNotFound Rejected Pending UnknownError AccountRejected"
_CODES: Mapping[str, str] = MappingProxyType(
    {
        "/api/Auth/loginKey": _LOGIN,
        "/api/Auth/validate": "InvalidSession SessionNotFound ExpiredToken UnknownError",
        "/api/Auth/logout": "InvalidSession UnknownError",
        "/api/Contract/searchById": "ContractNotFound",
        "/api/History/retrieveBars": "ContractNotFound UnitInvalid UnitNumberInvalid LimitInvalid",
        "/api/Order/place": "AccountNotFound OrderRejected InsufficientFunds AccountViolation OutsideTradingHours "
        "OrderPending UnknownError ContractNotFound ContractNotActive AccountRejected",
        "/api/Order/modify": f"{_CHANGE} ContractNotFound",
        "/api/Order/cancel": _CHANGE,
        "/api/Order/search": "AccountNotFound",
        "/api/Order/searchOpen": "AccountNotFound",
        "/api/Order/searchById": "OrderNotFound",
        "/api/Order/v2/query": "AccountNotFound",
        "/api/Position/searchOpen": "AccountNotFound",
        "/api/Position/closeContract": "AccountNotFound PositionNotFound ContractNotFound ContractNotActive "
        "OrderRejected OrderPending UnknownError AccountRejected",
        "/api/Position/partialCloseContract": "AccountNotFound PositionNotFound ContractNotFound ContractNotActive "
        "InvalidCloseSize OrderRejected OrderPending UnknownError AccountRejected",
        "/api/Trade/search": "AccountNotFound",
    }
)


def code(path: str, name: str) -> int:
    """The number by which an endpoint says this; `KeyError` where it cannot."""
    try:
        return _CODES[path].split().index(name) + 1
    except ValueError:
        raise KeyError(name) from None


class ProjectXSimulatorError(Exception):
    """Root of the errors by which the simulated gateway says no."""


class DeclinedError(ProjectXSimulatorError):
    """Raised when a request is understood and declined: HTTP 200 with `success: false`."""

    def __init__(self, name: str, message: str | None = None, **more: Any) -> None:
        super().__init__(f"{name}: {message}" if message else name)
        self.name = name
        self.message = message
        self.more = more
        """Fields of the answer besides the envelope."""


class InvalidError(ProjectXSimulatorError):
    """Raised when a body lacks a field or holds one of the wrong kind: HTTP 400 with problem details."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


class UnauthorisedError(ProjectXSimulatorError):
    """Raised when a token is missing, made up or expired: HTTP 401 without a body."""
