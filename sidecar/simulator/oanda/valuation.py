"""What an account is worth at the market's prices, and how much of it secures its positions."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from sidecar.simulator.oanda.book import Account, Trade
from sidecar.simulator.oanda.instruments import INSTRUMENTS
from sidecar.simulator.oanda.market import Market


@dataclass(frozen=True, slots=True)
class Valuation:
    """An account's worth in its home currency."""

    balance: Decimal
    unrealized: Decimal
    position_value: Decimal
    margin_used: Decimal

    @property
    def nav(self) -> Decimal:
        """What would be left if everything were closed now."""
        return self.balance + self.unrealized

    @property
    def margin_available(self) -> Decimal:
        """What can still secure new positions; never negative."""
        return max(Decimal(0), self.nav - self.margin_used)


def value_account(account: Account, market: Market) -> Valuation:
    """An account's worth now."""
    nets = {name: account.net(name) for name in INSTRUMENTS}
    return Valuation(
        balance=account.balance,
        unrealized=sum((unrealized(trade, market) for trade in account.open_trades()), Decimal(0)),
        position_value=sum((position_value(name, net, market) for name, net in nets.items()), Decimal(0)),
        margin_used=margin_used(nets, account.margin_rate, market),
    )


def unrealized(trade: Trade, market: Market) -> Decimal:
    """What closing the rest of a trade now would bring, in the home currency."""
    quote = market.quotes[trade.instrument.name]
    # Closing a long trade is a sale, at the bid.
    return profit(trade, trade.units, quote.side(-trade.units), market)


def profit(trade: Trade, closed: Decimal, price: Decimal, market: Market) -> Decimal:
    """What closing so many units (signed like the trade's) at a price brings, in the home currency."""
    return (price - trade.price) * closed * market.to_home(trade.instrument.quote)


def position_value(name: str, net: Decimal, market: Market) -> Decimal:
    """What a position's units are worth in the home currency; never negative."""
    return abs(net) * market.to_home(INSTRUMENTS[name].base)


def margin_rate(name: str, account_rate: Decimal) -> Decimal:
    """The share of a position's value that must secure it: the instrument's, or the account's where higher."""
    return max(INSTRUMENTS[name].margin_rate, account_rate)


def margin_used(nets: Mapping[str, Decimal], account_rate: Decimal, market: Market) -> Decimal:
    """The margin that positions of these sizes need."""
    parts = (position_value(name, net, market) * margin_rate(name, account_rate) for name, net in nets.items())
    return sum(parts, Decimal(0))
