"""Request weight per address and orders per account, in windows aligned to the clock, and the bans behind them."""

from collections import Counter, defaultdict
from dataclasses import dataclass

from sidecar.simulator.binance.errors import BinanceError

WEIGHT_WINDOW_SECONDS = 60
TEN_SECONDS = 10
MINUTE = 60
_LONGEST_BAN_SECONDS = 3 * 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Limits:
    """The exchange's limits; its own by default, smaller ones for tests.

    Attributes:
        weight_per_minute: Request weight that one address may use in a minute.
        orders_per_10_seconds: Orders that one account may send in ten seconds.
        orders_per_minute: Orders that one account may send in a minute.
        patience: Requests over the limit that are answered 429 before the address is banned.
        ban_seconds: How long the first ban lasts; each further one lasts twice as long, three days at most.
        retry_after: Whether 429 and 418 carry `Retry-After` (documented for spot only).
    """

    weight_per_minute: int = 2400
    orders_per_10_seconds: int = 300
    orders_per_minute: int = 1200
    patience: int = 10
    ban_seconds: float = 120.0
    retry_after: bool = False


SPOT_LIMITS = Limits(weight_per_minute=6000, orders_per_10_seconds=100, orders_per_minute=100_000, retry_after=True)
"""The spot market's own limits."""

WALLET_LIMITS = Limits(weight_per_minute=12_000, patience=10**9)
"""The limits of `/sapi`, which answers 429 but never bans."""


class _Windows:
    """Counts in consecutive windows of the wall clock; keeps every one, for the truth."""

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
        self._counts: Counter[int] = Counter()

    def add(self, now: float, amount: int) -> None:
        self._counts[int(now // self._seconds)] += amount

    def used(self, now: float) -> int:
        return self._counts[int(now // self._seconds)]

    def remaining_seconds(self, now: float) -> float:
        return self._seconds - now % self._seconds

    @property
    def highest(self) -> int:
        return max(self._counts.values(), default=0)


class _Address:
    def __init__(self) -> None:
        self.weight = _Windows(WEIGHT_WINDOW_SECONDS)
        self.banned_until = 0.0
        self.bans = 0
        self.offences = 0


class _Account:
    def __init__(self) -> None:
        self.ten_seconds = _Windows(TEN_SECONDS)
        self.minute = _Windows(MINUTE)


class Meter:
    """Counts what truly arrives, and refuses what is too much."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._addresses: dict[str, _Address] = defaultdict(_Address)
        self._accounts: dict[str, _Account] = defaultdict(_Account)

    def admit(self, address: str, weight: int, now: float) -> None:
        """Count a request; raise -1003 as 429 when it is over the limit, as 418 while the address is banned."""
        peer = self._addresses[address]
        peer.weight.add(now, weight)
        if now < peer.banned_until:
            raise self._banned(peer.banned_until, now)
        if peer.weight.used(now) <= self.limits.weight_per_minute:
            peer.offences = 0
            return
        peer.offences += 1
        if peer.offences > self.limits.patience:
            self._ban(peer, min(self.limits.ban_seconds * 2**peer.bans, _LONGEST_BAN_SECONDS), now)
            raise self._banned(peer.banned_until, now)
        raise BinanceError(
            -1003,
            f"Too many requests; current limit of IP({address}) is {self.limits.weight_per_minute} requests per "
            "minute. Please use the websocket for live updates to avoid polling the API.",
            429,
            self._retry_after(peer.weight.remaining_seconds(now)),
        )

    def ban_everybody(self, seconds: float, now: float) -> BinanceError:
        """Shut every known address out for `seconds`, and return the answer that says so."""
        for peer in self._addresses.values():
            self._ban(peer, seconds, now)
        return self._banned(now + seconds, now)

    def count_orders(self, account: str, ten_seconds: int, minute: int, now: float) -> None:
        """Count orders against an account; raise -1015 when they are too many."""
        book = self._accounts[account]
        book.ten_seconds.add(now, ten_seconds)
        book.minute.add(now, minute)
        limits = self.limits
        if book.ten_seconds.used(now) > limits.orders_per_10_seconds:
            raise self._too_many_orders(limits.orders_per_10_seconds, "TEN_SECONDS", book.ten_seconds, now)
        if book.minute.used(now) > limits.orders_per_minute:
            raise self._too_many_orders(limits.orders_per_minute, "MINUTE", book.minute, now)

    def used_weight(self, address: str, now: float) -> int:
        """The weight that the address has used in this minute."""
        return self._addresses[address].weight.used(now)

    def used_orders(self, account: str, now: float) -> tuple[int, int]:
        """The orders that the account has sent in these ten seconds and in this minute."""
        book = self._accounts[account]
        return book.ten_seconds.used(now), book.minute.used(now)

    @property
    def highest_weight(self) -> int:
        """The most weight that any address truly used in any one minute since the start."""
        return max((peer.weight.highest for peer in self._addresses.values()), default=0)

    @property
    def highest_orders(self) -> tuple[int, int]:
        """The most orders that any account truly sent in any ten seconds and in any minute since the start."""
        books = self._accounts.values()
        return (
            max((book.ten_seconds.highest for book in books), default=0),
            max((book.minute.highest for book in books), default=0),
        )

    def _ban(self, peer: _Address, seconds: float, now: float) -> None:
        peer.banned_until = max(peer.banned_until, now + seconds)
        peer.bans += 1
        peer.offences = 0

    def _banned(self, until: float, now: float) -> BinanceError:
        return BinanceError(
            -1003,
            f"Way too many requests; IP banned until {int(until * 1000)}. "
            "Please use the websocket for live updates to avoid bans.",
            418,
            self._retry_after(until - now),
        )

    def _too_many_orders(self, limit: int, interval: str, windows: _Windows, now: float) -> BinanceError:
        return BinanceError(
            -1015,
            f"Too many new orders; current limit is {limit} orders per {interval}.",
            429,
            self._retry_after(windows.remaining_seconds(now)),
        )

    def _retry_after(self, seconds: float) -> int | None:
        return int(seconds) + 1 if self.limits.retry_after else None
