"""What Binance's error codes and texts mean.

[doc] the official "Error Codes" pages of spot and USDS-M futures; [seen] issue threads; [think] inference.

Two words are kept apart. *Rejected* is a business no: the request was in order, and the answer would be another one
with other money, another position or another market. *Fatal* means that the same bytes can never succeed: the key, the
signature, the clock or the form of the request is wrong.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sidecar.brokers._answers import OK, waiting
from sidecar.brokers.profile import Verdict
from sidecar.wire import Headers
from sidecar.words import Outcome

FIREWALL_SECONDS: Final = 300.0
"""[doc] "Frequently Asked Questions on API", "Web Application Firewall Limits": a 403 bans the address, for five
minutes as a rule, which cannot be shortened, and longer for what looks malicious.

So all of it waits that long, cancels and reduce-only orders too: knocking on a firewall that has shut the address out
reaches no matching engine, and is what makes the ban longer. It is not a matter of the one request: [seen] bots
that paused for ten minutes were let in again. Where a person knows better (a proxy of one's own said 403), the
gate is opened by `POST /v1/brokers/NAME/limits/reset`.
"""

_TOO_MANY_REQUESTS: Final = -1003
TOO_MANY_ORDERS: Final = -1015
_INTERVALS: Final = {"SECOND": 10, "MINUTE": 60, "DAY": 86_400}
_BANNED_UNTIL: Final = re.compile(r"banned until (\d{13})(?!\d)")
"""[doc] -1003: the end of a ban in Unix milliseconds."""

_AMBIGUOUS: Final = "Unknown error, please check your request"
"""[doc] Futures, HTTP 503: sent on, and nothing came back in time; it may have been executed."""
_DEFINITE: Final = "Service Unavailable."
"""[doc] Futures, HTTP 503: definitely failed. An error page of some gateway writes it without the full stop."""
_MAINTENANCE: Final = "system is under maintenance"
"""[seen] `System is under maintenance.`, as ccxt knows it."""

_Meaning = tuple[Outcome, str]

_AUTH: Final = (Outcome.FATAL, "auth")
_BAD_REQUEST: Final = (Outcome.FATAL, "bad_request")
_DECLINED: Final = (Outcome.REJECTED, "declined")

_COMMON: Final[Mapping[int, _Meaning]] = MappingProxyType(
    {
        -1000: (Outcome.UNKNOWN, "unclear"),  # [think] "An unknown error occurred while processing the request."
        -1001: (Outcome.TRANSIENT, "server_error"),  # [doc] "Internal error; … Please try again."
        -1002: _AUTH,
        -1006: (Outcome.UNKNOWN, "unclear"),  # [doc] "… Execution status unknown."
        -1007: (Outcome.UNKNOWN, "timeout"),  # [doc] "… Send status unknown; execution status unknown."
        -1008: (Outcome.TRANSIENT, "throttled"),  # [doc] overloaded; reduce-only and close-position orders are exempt
        -1013: _DECLINED,  # [doc] a filter of the symbol failed; it did not reach the matching engine
        TOO_MANY_ORDERS: (Outcome.RATE_LIMITED, "rate_limit"),  # [doc] the account's, not the address's
        -1021: (Outcome.FATAL, "clock_skew"),  # [doc] timestamp outside of recvWindow: sign afresh
        -1022: _AUTH,
        -1099: _AUTH,
        -1109: _AUTH,
        -1111: _DECLINED,  # precision over what the symbol takes
        -1112: _DECLINED,  # no orders on the book
        -1121: _DECLINED,  # invalid symbol
        -1122: _DECLINED,  # the symbol's status forbids it
        -2008: _AUTH,
        -2014: _AUTH,
        -2015: _AUTH,  # [seen] after a login that worked it may be a ban for a while
        -2017: _AUTH,
    }
)

FUTURES: Final[Mapping[int, _Meaning]] = MappingProxyType(
    {
        **_COMMON,
        -1004: _DECLINED,  # this address is on the white list already
        -1005: _AUTH,  # this address is not on the white list
        -1011: _AUTH,  # this address cannot use this route
        -4046: (Outcome.OK, ""),  # [doc] "No need to change margin type.": it is as it was asked to be
        -4059: (Outcome.OK, ""),  # [doc] "No need to change position side.": likewise
        -4120: _BAD_REQUEST,  # [doc] conditional orders live on `algoOrder`
        -5028: (Outcome.FATAL, "clock_skew"),  # [doc] timestamp outside of the matching engine's recvWindow
    }
)

SPOT: Final[Mapping[int, _Meaning]] = MappingProxyType(
    {
        **_COMMON,
        -1004: (Outcome.TRANSIENT, "throttled"),  # "Server is busy, please wait and try again"
    }
)

# [doc] How the codes are grouped: 10xx server, 11xx request, 20xx processing, 3xxx to 9xxx filters, accounts and risk.
_LAST_REQUEST_CODE: Final = -1999


def by_code(codes: Mapping[int, _Meaning], code: int, msg: str, status: int, headers: Headers) -> Verdict:
    """What a negative error code means."""
    if code == _TOO_MANY_REQUESTS:
        return too_many(status, msg, headers, str(code))
    meaning = codes.get(code)
    if meaning is None:
        meaning = _unlisted(code, status)
    if meaning[0] is Outcome.OK:
        return OK
    retry_after, _ = waiting(headers)
    return Verdict(*meaning, str(code), retry_after)


def interval_of(msg: str) -> int | None:
    """Seconds of the order limit that a -1015 names; None when it names none.

    [doc] "Too many new orders; current limit is %s orders per %s."; [seen] `TEN_SECONDS`, `10 SECOND`, `MINUTE`.
    """
    interval = msg.upper().rpartition(" ORDERS PER ")[2]
    return next((seconds for word, seconds in _INTERVALS.items() if word in interval), None)


def _unlisted(code: int, status: int) -> _Meaning:
    if status >= 500 or status == 408:  # noqa: PLR2004 - HTTP's own numbers
        return Outcome.UNKNOWN, "server_error"
    return _BAD_REQUEST if code >= _LAST_REQUEST_CODE else _DECLINED


def too_many(status: int, msg: str, headers: Headers, code: str) -> Verdict:
    """429 asks to slow down; 418, or the text about a ban, shuts the address out."""
    retry_after, until = waiting(headers)
    told = _BANNED_UNTIL.search(msg)
    if told is not None:
        return Verdict(Outcome.BANNED, "ban", code, retry_after, int(told[1]) / 1000)
    if status == 418:  # noqa: PLR2004 - [doc] the status of a ban
        return Verdict(Outcome.BANNED, "ban", code, retry_after, until)
    return Verdict(Outcome.RATE_LIMITED, "rate_limit", code, retry_after, until)


def by_text(msg: str, status: int, code: str, headers: Headers) -> Verdict | None:
    """What the texts mean that say more than code and status; None for any other text."""
    if _AMBIGUOUS in msg:
        return Verdict(Outcome.UNKNOWN, "unclear", code)
    if _MAINTENANCE in msg.lower():
        return Verdict(Outcome.MAINTENANCE, "maintenance", code, waiting(headers)[0])
    if status == 503 and msg.strip() == _DEFINITE:  # noqa: PLR2004 - [doc] the status whose text decides
        return Verdict(Outcome.TRANSIENT, "server_error", code, waiting(headers)[0])
    return None


def by_status(status: int, headers: Headers) -> Verdict:
    """What a status means when no code and no known text came with it."""
    match status:
        case 429 | 418:
            return too_many(status, "", headers, "")
        case 403:
            # The firewall stands before the exchange: nothing was executed, and going on makes it longer.
            return Verdict(Outcome.BANNED, "ban", "", waiting(headers)[0] or FIREWALL_SECONDS)
        case 401 | 451:  # 451 [doc]: not served at this place
            return Verdict(*_AUTH)
        case 408 | 504:
            return Verdict(Outcome.UNKNOWN, "timeout")
        case _ if status >= 500:  # noqa: PLR2004 - HTTP's own number
            # [think] an answer that nobody documents may come from a gateway that had already passed the request on.
            return Verdict(Outcome.UNKNOWN, "server_error")
        case _:
            return Verdict(*_BAD_REQUEST)
