"""Orders, trades, positions and funds as OpenAlgo tells them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

from sidecar.simulator.openalgo.book import Account, Order, State
from sidecar.simulator.openalgo.market import Market, Quote

Json = Mapping[str, object]

_INDIA = timezone(timedelta(hours=5, minutes=30))


def order(item: Order) -> Json:
    """An order as `orderbook` and `orderstatus` tell it."""
    return {
        "action": "BUY" if item.quantity > 0 else "SELL",
        "symbol": item.spec.symbol,
        "exchange": item.spec.exchange,
        "orderid": item.id,
        "product": item.spec.product,
        "quantity": _plain(abs(item.quantity)),
        "price": float(item.terms.price),
        "pricetype": item.terms.kind.value,
        "order_status": item.state.value,
        "trigger_price": float(item.terms.trigger),
        "average_price": float(item.average),
        "timestamp": _stamp(item.placed_at, "%d-%b-%Y %H:%M:%S"),
    }


def orders(account: Account) -> Json:
    """The order book with its statistics."""
    listed = list(account.orders.values())
    states = [item.state for item in listed]
    return {
        "orders": [order(item) for item in listed],
        "statistics": {
            "total_buy_orders": float(sum(item.quantity > 0 for item in listed)),
            "total_sell_orders": float(sum(item.quantity < 0 for item in listed)),
            "total_completed_orders": float(states.count(State.COMPLETE)),
            "total_open_orders": float(states.count(State.OPEN) + states.count(State.PENDING)),
            "total_rejected_orders": float(states.count(State.REJECTED)),
        },
    }


def trades(account: Account) -> list[Json]:
    """What has been filled."""
    return [
        {
            "action": "BUY" if item.quantity > 0 else "SELL",
            "symbol": item.spec.symbol,
            "exchange": item.spec.exchange,
            "orderid": item.id,
            "product": item.spec.product,
            "quantity": float(abs(item.quantity)),
            "average_price": float(item.average),
            "timestamp": _stamp(item.placed_at, "%H:%M:%S"),
            "trade_value": float(abs(item.quantity) * item.average),
        }
        for item in account.orders.values()
        if item.state is State.COMPLETE
    ]


def positions(account: Account, market: Market) -> list[Json]:
    """Every position of the day, flat ones too."""
    told: list[Json] = []
    for (exchange, symbol, product), position in account.positions.items():
        last = market.quote(exchange, symbol).middle
        profit = position.realized + position.quantity * (last - position.average)
        told.append(
            {
                "symbol": symbol,
                "exchange": exchange,
                "product": product,
                "quantity": _plain(position.quantity),
                "average_price": _money(position.average),
                "ltp": _money(last),
                "pnl": _money(profit),
            }
        )
    return told


def funds(account: Account, market: Market) -> Json:
    """The account's money."""
    open_profit = sum(
        (
            position.quantity * (market.quote(key[0], key[1]).middle - position.average)
            for key, position in account.held()
        ),
        Decimal(0),
    )
    return {
        "availablecash": _money(account.available()),
        "collateral": "0.00",
        "m2mrealized": _money(account.realized()),
        "m2munrealized": _money(open_profit),
        "utiliseddebits": _money(account.used()),
    }


def quote(item: Quote) -> Json:
    """A quote as `quotes` tells it."""
    last = float(item.middle)
    prices = {"open": last, "high": last, "low": last, "ltp": last, "prev_close": last}
    return {**prices, "ask": float(item.ask), "bid": float(item.bid), "volume": 1_000_000, "oi": 0}


def _stamp(seconds: float, form: str) -> str:
    return datetime.fromtimestamp(seconds, UTC).astimezone(_INDIA).strftime(form)


def _plain(value: Decimal) -> str:
    return f"{value:f}"


def _money(value: Decimal) -> str:
    return f"{value:.2f}"
