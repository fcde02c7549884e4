"""Accounts, trades and positions as OANDA tells them."""

from decimal import Decimal

from sidecar.simulator.oanda.book import Account, OrderType, State, Trade
from sidecar.simulator.oanda.instruments import HOME, INSTRUMENTS, money, units
from sidecar.simulator.oanda.market import Market
from sidecar.simulator.oanda.stamps import Json
from sidecar.simulator.oanda.valuation import (
    Valuation,
    margin_rate,
    margin_used,
    position_value,
    unrealized,
    value_account,
)

_NOTHING = Decimal(0)
_EXIT_NAMES = ((OrderType.TAKE_PROFIT, "takeProfitOrder"), (OrderType.STOP_LOSS, "stopLossOrder"))


def worth(value: Valuation) -> Json:
    """The figures that change with the market."""
    nav, margin = money(value.nav), money(value.margin_used)
    share = value.margin_used / value.nav if value.nav > 0 else _NOTHING
    return {
        "unrealizedPL": money(value.unrealized),
        "NAV": nav,
        "marginUsed": margin,
        "marginAvailable": money(value.margin_available),
        "positionValue": money(value.position_value),
        "marginCloseoutUnrealizedPL": money(value.unrealized),
        "marginCloseoutNAV": nav,
        "marginCloseoutMarginUsed": margin,
        "marginCloseoutPositionValue": money(value.position_value),
        "marginCloseoutPercent": str((share / 2).quantize(Decimal("0.00001"))),
        "withdrawalLimit": money(value.margin_available),
        "marginCallMarginUsed": margin,
        "marginCallPercent": str(share.quantize(Decimal("0.00001"))),
    }


def summary(account: Account, market: Market) -> Json:
    """The account without its orders, trades and positions."""
    trades = account.open_trades()
    return {
        "id": account.id,
        "alias": account.alias,
        "currency": HOME,
        "createdByUserID": int(account.id.split("-")[2]),
        "createdTime": account.created,
        "guaranteedStopLossOrderMode": "DISABLED",
        "hedgingEnabled": False,
        "marginRate": str(account.margin_rate),
        "openTradeCount": len(trades),
        "openPositionCount": len({trade.instrument.name for trade in trades}),
        "pendingOrderCount": len(account.pending()),
        "balance": money(account.balance),
        "pl": money(account.realized_total),
        "resettablePL": money(account.realized_total),
        "financing": money(_NOTHING),
        "commission": money(_NOTHING),
        "lastTransactionID": str(account.journal.last_id),
        **worth(value_account(account, market)),
    }


def details(account: Account, market: Market) -> Json:
    """The whole account."""
    return {
        **summary(account, market),
        "orders": [order.as_json() for order in account.pending()],
        "trades": [trade_summary(account, trade, market) for trade in account.open_trades()],
        "positions": positions(account, market),
    }


def trade_details(account: Account, trade: Trade, market: Market) -> Json:
    """A trade with its exits in full."""
    exits = {name: order.as_json() for kind, name in _EXIT_NAMES if (order := account.exit_of(trade, kind))}
    return _trade(account, trade, market) | exits


def trade_summary(account: Account, trade: Trade, market: Market) -> Json:
    """A trade with the ids of its exits, as the account's details tell it."""
    exits = {f"{name}ID": str(order.id) for kind, name in _EXIT_NAMES if (order := account.exit_of(trade, kind))}
    return _trade(account, trade, market) | exits


def positions(account: Account, market: Market) -> list[Json]:
    """Every position that is open or ever was."""
    names = {trade.instrument.name for trade in account.trades.values()}
    return [position(account, name, market) for name in sorted(names)]


def position(account: Account, name: str, market: Market) -> Json:
    """One instrument's position, open or not."""
    long, short = _side(account, name, market, long=True), _side(account, name, market, long=False)
    realized = account.realized[name, True] + account.realized[name, False]
    open_trades = account.open_trades(name)
    margin = margin_used({name: account.net(name)}, account.margin_rate, market)
    return {
        "instrument": name,
        "long": long,
        "short": short,
        "pl": money(realized),
        "resettablePL": money(realized),
        "financing": money(_NOTHING),
        "commission": money(_NOTHING),
        "unrealizedPL": money(sum((unrealized(t, market) for t in open_trades), _NOTHING)),
        **({"marginUsed": money(margin)} if open_trades else {}),
    }


def _trade(account: Account, trade: Trade, market: Market) -> Json:
    told: Json = {
        "id": str(trade.id),
        "instrument": trade.instrument.name,
        "price": trade.instrument.price(trade.price),
        "openTime": trade.opened,
        "initialUnits": units(trade.initial_units),
        "state": trade.state.value,
        "currentUnits": units(trade.units),
        "realizedPL": money(trade.realized),
        "financing": money(_NOTHING),
        **({"clientExtensions": trade.client_extensions} if trade.client_extensions else {}),
        **trade.closings,
    }
    if trade.state is State.OPEN:
        rate = margin_rate(trade.instrument.name, account.margin_rate)
        told["marginUsed"] = money(position_value(trade.instrument.name, trade.units, market) * rate)
        told["unrealizedPL"] = money(unrealized(trade, market))
    return told


def _side(account: Account, name: str, market: Market, *, long: bool) -> Json:
    trades = [trade for trade in account.open_trades(name) if (trade.units > 0) == long]
    size = sum((trade.units for trade in trades), _NOTHING)
    told: Json = {"units": units(size)}
    if trades:
        average = sum((trade.price * trade.units for trade in trades), _NOTHING) / size
        told["averagePrice"] = INSTRUMENTS[name].price(average)
        told["tradeIDs"] = [str(trade.id) for trade in trades]
    realized = money(account.realized[name, long])
    gain = money(sum((unrealized(trade, market) for trade in trades), _NOTHING))
    return told | {"pl": realized, "resettablePL": realized, "financing": money(_NOTHING), "unrealizedPL": gain}
