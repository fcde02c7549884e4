"""What Binance says when it says no.

Codes and words follow the exchange's published error list; the HTTP status is the one its clients report for the code.
"""

from typing import Any


class BinanceError(Exception):
    """Raised when the simulated exchange refuses a request; becomes the answer `{"code": …, "msg": …}`."""

    def __init__(self, code: int, message: str, status: int = 400, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.retry_after = retry_after
        """Whole seconds for the `Retry-After` header, which only spot sends."""

    def as_json(self) -> dict[str, Any]:
        """The exchange's envelope."""
        return {"code": self.code, "msg": self.message}


def missing(parameter: str) -> BinanceError:
    """A mandatory parameter that is not there or cannot be read."""
    return BinanceError(-1102, f"Mandatory parameter '{parameter}' was not sent, was empty/null, or malformed.")


def illegal(parameter: str, legal: str) -> BinanceError:
    """A parameter outside its legal range."""
    return BinanceError(-1100, f"Illegal characters found in parameter '{parameter}'; legal range is '{legal}'.")


def invalid_symbol() -> BinanceError:
    """A symbol that is not traded."""
    return BinanceError(-1121, "Invalid symbol.")


def too_precise() -> BinanceError:
    """More digits than the symbol's step allows."""
    return BinanceError(-1111, "Precision is over the maximum defined for this asset.")


def unknown_order() -> BinanceError:
    """A query for an order that is not in the book."""
    return BinanceError(-2013, "Order does not exist.")


def cancel_rejected() -> BinanceError:
    """A cancel of an order that is not open."""
    return BinanceError(-2011, "Unknown order sent.")


def duplicate_client_id() -> BinanceError:
    """A client id that an open order bears."""
    return BinanceError(-4116, "ClientOrderId is duplicated.")


def bad_client_id() -> BinanceError:
    """A client id that is too long or has characters outside the charset."""
    return BinanceError(-4015, "Client order id is not valid. Client order id length should be less than 36 chars")


def margin_insufficient() -> BinanceError:
    """Not enough free balance to open the position."""
    return BinanceError(-2019, "Margin is insufficient.")


def reduce_only_rejected() -> BinanceError:
    """A reduce-only order with nothing to reduce."""
    return BinanceError(-2022, "ReduceOnly Order is rejected.")


def unknown_key() -> BinanceError:
    """A key that no account has."""
    return BinanceError(-2015, "Invalid API-key, IP, or permissions for action.", 401)


def bad_signature() -> BinanceError:
    """A signature that is not that of the bytes sent."""
    return BinanceError(-1022, "Signature for this request is not valid.")


def bad_listen_key() -> BinanceError:
    """A listen key that is not alive."""
    return BinanceError(-1125, "This listenKey does not exist.")
