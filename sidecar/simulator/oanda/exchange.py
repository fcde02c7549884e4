"""The simulated broker without its wire: accounts, their tokens, one market, one clock."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from sidecar.clock import Clock
from sidecar.simulator.control import Executed, ExecutedCancel, ExecutedOrder
from sidecar.simulator.oanda.book import Account, Order, opening
from sidecar.simulator.oanda.instruments import units
from sidecar.simulator.oanda.journal import Journal
from sidecar.simulator.oanda.ledger import Ledger
from sidecar.simulator.oanda.market import Market
from sidecar.simulator.oanda.stamps import Stamp


@dataclass(frozen=True, slots=True)
class AccountSpec:
    """An account to begin with. `balance` is in USD; `token` is the bearer token that opens it."""

    id: str = "101-001-1234567-001"
    token: str = "demo-token"  # noqa: S105 - the simulator's own, it opens nothing else
    balance: Decimal = Decimal(100_000)


@dataclass(frozen=True, slots=True)
class Rules:
    """How the broker behaves where it can behave differently.

    Attributes:
        moving: Whether prices move by themselves.
        remember_client_ids: Refuse a client order id for ever, not only while another pending order bears it.
        visibility_seconds: How long a new order cannot be looked up (users saw a quarter to half a second,
            https://github.com/hootnot/oanda-api-v20/issues/204).
        requests_per_second: Requests from one address; more are answered 429.
        streams: Streams open at once to one address; more are answered 429. The two figures are OANDA's
            (https://developer.oanda.com/rest-live-v20/best-practices/).
    """

    moving: bool = True
    remember_client_ids: bool = False
    visibility_seconds: float = 0.0
    requests_per_second: int = 120
    streams: int = 20


class Exchange:
    """Everything that the broker knows, and its clock, which may be wrong."""

    def __init__(self, accounts: Sequence[AccountSpec], rules: Rules, clock: Clock, seed: int) -> None:
        self.clock = clock
        self.rules = rules
        self.seed = seed
        self._specs = tuple(accounts)
        self._offset = 0.0
        self.reset()

    def reset(self) -> None:
        """Begin anew: empty books, the first prices, request ids from the start. The clock stays as it is set."""
        self.market = Market(self.now, seed=self.seed, moving=self.rules.moving)
        self._requests = 0
        self.tokens: dict[str, tuple[str, ...]] = {}
        self.ledgers: dict[str, Ledger] = {}
        for spec in self._specs:
            self.tokens[spec.token] = (*self.tokens.get(spec.token, ()), spec.id)
            account = opening(spec.id, spec.balance, Journal(spec.id, self.now))
            remember = self.rules.remember_client_ids
            self.ledgers[spec.id] = Ledger(account, self.market, remember_client_ids=remember)

    def now(self) -> Stamp:
        """The broker's own time."""
        return Stamp.at(self.clock.now() + self._offset)

    def set_clock_offset(self, seconds: float) -> None:
        """Let the broker's clock run ahead of the true time (behind it where negative)."""
        self._offset = seconds

    def set_price(self, name: str, middle: Decimal) -> None:
        """Move the market and fill what was waiting for it; `KeyError` for an instrument that is not traded."""
        self.settle()
        self.market.set_price(name, middle)
        self._trigger(name)

    def set_halted(self, name: str, *, halted: bool) -> None:
        """Halt or reopen trading in an instrument; `KeyError` for one that is not traded."""
        self.settle()
        self.market.set_halted(name, halted=halted)
        self._trigger(name)

    def settle(self) -> None:
        """Let everything happen that is due by now: prices move, orders fill, orders expire."""
        for name in self.market.ticks():
            self._trigger(name)
        for ledger in self.ledgers.values():
            ledger.expire()

    def next_request_id(self) -> str:
        """The value of the `RequestID` header of the next answer."""
        self._requests += 1
        return str(24_000_000_000_000_000 + self._requests)

    def visible(self, order: Order) -> bool:
        """Whether an order can be looked up yet."""
        return self.now().seconds - order.created.seconds >= self.rules.visibility_seconds

    def executed(self) -> Executed:
        """What truly stands, or stood, in the books: every order that a client asked for and the broker took.

        Left out are orders that the broker cancelled in the request that created them (INSUFFICIENT_MARGIN,
        MARKET_HALTED, ...): they never stood. Exits ordered on fill belong to their entry, and are counted only where
        the client gave them an id of their own.
        """
        accounts = [ledger.account for ledger in self.ledgers.values()]
        return Executed(
            orders=tuple(_order(order) for account in accounts for order in _standing(account)),
            cancels=tuple(
                ExecutedCancel(str(order.id), order.spec.client_id, order.spec.instrument.name)
                for account in accounts
                for order in account.cancelled_on_request
            ),
        )

    def _trigger(self, name: str) -> None:
        for ledger in self.ledgers.values():
            ledger.trigger(name)


def _standing(account: Account) -> list[Order]:
    return [
        order
        for order in account.orders.values()
        if (order.spec.client_id or not order.dependent) and not order.stillborn
    ]


def _order(order: Order) -> ExecutedOrder:
    spec = order.spec
    side = "" if not spec.units else "BUY" if spec.units > 0 else "SELL"
    return ExecutedOrder(
        order_id=str(order.id),
        client_id=spec.client_id,
        symbol=spec.instrument.name,
        side=side,
        type=spec.type.value,
        quantity=units(abs(spec.units)),
        filled=units(order.filled),
        status=order.state.value,
    )
