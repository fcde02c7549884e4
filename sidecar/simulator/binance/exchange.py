"""The simulated exchange behind its endpoints: accounts, prices, clock and limits."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count
from types import MappingProxyType

from sidecar.clock import Clock
from sidecar.simulator.binance.algo import AlgoBook
from sidecar.simulator.binance.errors import unknown_key
from sidecar.simulator.binance.ledger import Journal, Ledger
from sidecar.simulator.binance.limits import SPOT_LIMITS, WALLET_LIMITS, Limits, Meter
from sidecar.simulator.binance.market import Market
from sidecar.simulator.binance.spot import SpotLedger
from sidecar.simulator.binance.spot_lists import OrderLists
from sidecar.simulator.binance.symbols import SYMBOLS, Symbol
from sidecar.simulator.control import Executed

LISTEN_KEY_SECONDS = 3600
_FIRST_ORDER_ID = 4_000_000_001
_FIRST_ALGO_ID = 2_000_001


@dataclass(frozen=True, slots=True)
class Credentials:
    """A key pair of the simulated exchange and what its account starts with, in USDT."""

    key: str = "demo-key"
    secret: str = field(default="demo-secret", repr=False)
    balance: Decimal = Decimal(10_000)


class Account:
    """What belongs to one key."""

    def __init__(
        self, credentials: Credentials, ledger: Ledger, algo: AlgoBook, spot: SpotLedger, lists: OrderLists
    ) -> None:
        self.credentials = credentials
        self.ledger = ledger
        self.algo = algo
        self.spot = spot
        self.lists = lists
        self.listen_key = ""
        self.listen_key_until = 0.0
        self.countdowns: dict[str, float] = {}
        """When all open orders of a symbol will be cancelled, unless the countdown is set anew."""


class Exchange:
    """All state of the simulated exchange. Money moves only here."""

    def __init__(
        self,
        *,
        clock: Clock,
        seed: int = 0,
        accounts: Iterable[Credentials] = (),
        limits: Limits | None = None,
        spot_limits: Limits = SPOT_LIMITS,
        fill_cap: Decimal | None = None,
        spot_fee: Decimal = Decimal(0),
    ) -> None:
        self.seed = seed
        self.offset_seconds = 0.0
        self._clock = clock
        self._credentials = tuple(accounts) or (Credentials(),)
        self._limits = limits or Limits()
        self._spot_limits = spot_limits
        self._fill_cap = fill_cap
        self._spot_fee = spot_fee
        self.reset()

    def reset(self) -> None:
        """Begin anew: first prices, full accounts, no orders, nothing counted. The clock stays."""
        self.prices = {name: symbol.price for name, symbol in SYMBOLS.items()}
        self.journal = Journal()
        self.meter = Meter(self._limits)
        self.spot_meter = Meter(self._spot_limits)
        self.meters = {"fapi": self.meter, "api": self.spot_meter, "sapi": Meter(WALLET_LIMITS)}
        order_ids, algo_ids = count(_FIRST_ORDER_ID), count(_FIRST_ALGO_ID)
        self._accounts = {
            credentials.key: self._open(credentials, order_ids, algo_ids) for credentials in self._credentials
        }

    def now(self) -> float:
        """The exchange's own time, which may be off."""
        return self._clock.now() + self.offset_seconds

    def now_ms(self) -> int:
        """The exchange's own time in milliseconds."""
        return int(self.now() * 1000)

    def account(self, key: str) -> Account:
        """The account of that key; -2015 where there is none."""
        try:
            account = self._accounts[key]
        except KeyError:
            raise unknown_key() from None
        return account

    @property
    def accounts(self) -> MappingProxyType[str, Account]:
        """All accounts by key."""
        return MappingProxyType(self._accounts)

    def market(self, symbol: Symbol) -> Market:
        """What everybody may see of a symbol."""
        return Market(self.seed, symbol, self.prices[symbol.name])

    def set_price(self, symbol: str, price: Decimal) -> None:
        """Move the market and fill and trigger what the new price reaches; `KeyError` for an unknown symbol."""
        if symbol not in SYMBOLS:
            raise KeyError(symbol)
        self.prices[symbol] = price
        for account in self._accounts.values():
            account.ledger.market_moved(symbol)
            account.algo.market_moved(symbol)
            account.spot.market_moved(symbol)

    def time_passed(self) -> None:
        """Do what has fallen due since the last request: orders that expire, countdowns that have run out."""
        now = self.now()
        for account in self._accounts.values():
            account.ledger.time_passed()
            for symbol in [name for name, until in account.countdowns.items() if until <= now]:
                del account.countdowns[symbol]
                account.ledger.cancel_all(symbol)

    def executed(self) -> Executed:
        """What truly happened, over all accounts."""
        return Executed(tuple(executed() for executed in self.journal.orders), tuple(self.journal.cancels))

    def _open(self, credentials: Credentials, order_ids: Iterator[int], algo_ids: Iterator[int]) -> Account:
        ledger = Ledger(
            credentials.balance,
            prices=self.prices,
            now_ms=self.now_ms,
            ids=order_ids,
            journal=self.journal,
            fill_cap=self._fill_cap,
        )
        algo = AlgoBook(ledger, prices=self.prices, now_ms=self.now_ms, ids=algo_ids, journal=self.journal)
        holdings = {"USDT": credentials.balance, "BTC": Decimal(1), "ETH": Decimal(10), "BNB": Decimal(0)}
        spot = SpotLedger(
            holdings,
            prices=self.prices,
            now_ms=self.now_ms,
            ids=order_ids,
            journal=self.journal,
            fill_cap=self._fill_cap,
            fee=self._spot_fee,
        )
        lists = OrderLists(spot, self.prices, self.now_ms, order_ids)
        return Account(credentials, ledger, algo, spot, lists)
