"""The simulated broker without its wire: accounts, one market, one clock."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from sidecar.clock import Clock
from sidecar.simulator.control import Executed, ExecutedCancel, ExecutedOrder
from sidecar.simulator.openalgo.book import Account, Order, OrderSpec
from sidecar.simulator.openalgo.errors import INVALID_KEY, LOGGED_OUT, RefusedError
from sidecar.simulator.openalgo.market import Market


@dataclass(frozen=True, slots=True)
class Rules:
    """How the broker behaves where it can behave differently.

    Attributes:
        orders_per_second: Placing, modifying and cancelling for one address; more are answered 429.
        smart_orders_per_second: Smart orders, counted by themselves.
        others_per_second: Everything else. The three figures are OpenAlgo's defaults (its docs, "Rate Limiting").
        broker_seconds: How long the broker behind OpenAlgo takes over an order, which it executes at once.
    """

    orders_per_second: int = 10
    smart_orders_per_second: int = 10
    others_per_second: int = 50
    broker_seconds: float = 0.0


class Exchange:
    """Everything that OpenAlgo and the broker behind it know; whether the login at that broker has expired."""

    def __init__(self, accounts: Sequence[Account], clock: Clock) -> None:
        self.clock = clock
        self._openings = tuple((account.key, account.cash) for account in accounts)
        self._offset = 0.0
        self.reset()

    def reset(self) -> None:
        """Begin anew: empty books, the first prices, a fresh login. The clock stays as it is set."""
        self.market = Market()
        self.accounts = {key: Account(key, cash) for key, cash in self._openings}
        self.logged_out = False
        self._placed = 0

    def now(self) -> float:
        """The broker's own time, in Unix seconds."""
        return self.clock.now() + self._offset

    def set_clock_offset(self, seconds: float) -> None:
        """Let the broker's clock run ahead of the true time (behind it where negative)."""
        self._offset = seconds

    def account(self, key: str) -> Account:
        """The account that a key opens; `RefusedError` (403) for one that opens none."""
        if key not in self.accounts:
            raise RefusedError(403, INVALID_KEY)
        return self.accounts[key]

    def must_be_logged_in(self, *, reading: bool) -> None:
        """Raise what the backing broker says once its login has expired; OpenAlgo tells it under a 500 for reads."""
        if self.logged_out:
            raise RefusedError(500 if reading else 403, LOGGED_OUT)

    def place(self, account: Account, spec: OrderSpec) -> Order:
        """Take an order into an account's book."""
        self._placed += 1
        return account.place(f"2711{self._placed:011d}", spec, self.market, self.now())

    def set_price(self, name: str, middle: Decimal) -> None:
        """Move the market and fill what was waiting for it; `KeyError` for an instrument that is not traded."""
        quote = self.market.set_price(name, middle)
        for account in self.accounts.values():
            for order in account.living():
                if (order.spec.exchange, order.spec.symbol) == (quote.exchange, quote.symbol):
                    account.meet(order, quote)

    def executed(self) -> Executed:
        """What truly stands, or stood, in the books; client ids are always empty, because orders bear none."""
        accounts = self.accounts.values()
        return Executed(
            orders=tuple(_executed(order) for account in accounts for order in account.orders.values()),
            cancels=tuple(
                ExecutedCancel(order.id, "", order.spec.symbol)
                for account in accounts
                for order in account.cancelled_on_request
            ),
        )


def _executed(order: Order) -> ExecutedOrder:
    filled = order.quantity if order.average else Decimal(0)
    return ExecutedOrder(
        order_id=order.id,
        client_id="",
        symbol=order.spec.symbol,
        side="BUY" if order.quantity > 0 else "SELL",
        type=order.terms.kind.value,
        quantity=f"{abs(order.quantity):f}",
        filled=f"{abs(filled):f}",
        status=order.state.value,
    )
