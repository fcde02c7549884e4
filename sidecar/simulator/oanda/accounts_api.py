"""`/v3/accounts`, and the trades and positions in them."""

from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation

from aiohttp import web

from sidecar.simulator.oanda.book import Order, State, Trade
from sidecar.simulator.oanda.calls import Call, Reply, endpoint
from sidecar.simulator.oanda.closing import Closing
from sidecar.simulator.oanda.errors import OrderInvalidError, RefusedError, invalid_value
from sidecar.simulator.oanda.exchange import Exchange
from sidecar.simulator.oanda.instruments import INSTRUMENTS
from sidecar.simulator.oanda.ledger import reject
from sidecar.simulator.oanda.stamps import Json
from sidecar.simulator.oanda.valuation import value_account
from sidecar.simulator.oanda.views import details, position, positions, summary, trade_details, worth

_ROOT = "/v3/accounts/{account}"


def routes(exchange: Exchange) -> list[web.RouteDef]:
    """The account, trade and position endpoints (https://developer.oanda.com/rest-live-v20/account-ep/)."""
    reads = {
        "/v3/accounts": _list,
        _ROOT: _details,
        f"{_ROOT}/summary": _summary,
        f"{_ROOT}/instruments": _instruments,
        f"{_ROOT}/changes": _changes,
        f"{_ROOT}/trades": _trades,
        f"{_ROOT}/openTrades": _open_trades,
        f"{_ROOT}/trades/{{trade}}": _trade,
        f"{_ROOT}/positions": _positions,
        f"{_ROOT}/openPositions": _open_positions,
        f"{_ROOT}/positions/{{instrument}}": _position,
    }
    writes = {
        f"{_ROOT}/trades/{{trade}}/close": _close_trade,
        f"{_ROOT}/trades/{{trade}}/orders": _protect_trade,
        f"{_ROOT}/positions/{{instrument}}/close": _close_position,
    }
    return [
        *(web.get(path, endpoint(exchange, answer)) for path, answer in reads.items()),
        *(web.put(path, endpoint(exchange, answer)) for path, answer in writes.items()),
        web.patch(f"{_ROOT}/configuration", endpoint(exchange, _configure)),
    ]


def _list(call: Call) -> Reply:
    return Reply({"accounts": [{"id": account_id, "tags": []} for account_id in call.accounts]})


def _details(call: Call) -> Reply:
    return _told(call, account=details(call.ledger.account, call.exchange.market))


def _summary(call: Call) -> Reply:
    return _told(call, account=summary(call.ledger.account, call.exchange.market))


def _instruments(call: Call) -> Reply:
    wanted = call.names("instruments") or list(INSTRUMENTS)
    if unknown := [name for name in wanted if name not in INSTRUMENTS]:
        raise invalid_value(f"instruments: {unknown[0]}"[:80])
    return _told(call, instruments=[INSTRUMENTS[name].as_json() for name in wanted])


def _changes(call: Call) -> Reply:
    since, account, market = call.number("sinceTransactionID"), call.ledger.account, call.exchange.market
    transactions = account.journal.between(since + 1, account.journal.last_id)
    fills = [item for item in transactions if item["type"] == "ORDER_FILL"]
    cancelled = [account.orders[int(t["orderID"])] for t in transactions if t["type"] == "ORDER_CANCEL"]
    opened = _touched(account.trades, [fill["tradeOpened"] for fill in fills if "tradeOpened" in fill])
    closed = _touched(account.trades, [part for fill in fills for part in fill.get("tradesClosed", ())])
    reduced = _touched(account.trades, [fill["tradeReduced"] for fill in fills if "tradeReduced" in fill])
    moved = sorted({trade.instrument.name for trade in (*opened, *closed, *reduced)})
    changes = {
        "ordersCreated": _order_list(order for order in account.orders.values() if order.id > since),
        "ordersCancelled": _order_list(cancelled),
        "ordersFilled": _order_list(account.orders[int(fill["orderID"])] for fill in fills),
        "ordersTriggered": [],
        "tradesOpened": [trade_details(account, trade, market) for trade in opened],
        "tradesReduced": [trade_details(account, trade, market) for trade in reduced],
        "tradesClosed": [trade_details(account, trade, market) for trade in closed],
        "positions": [position(account, name, market) for name in moved],
        "transactions": list(transactions),
    }
    return _told(call, changes=changes, state=_state(call))


def _state(call: Call) -> Json:
    account, market = call.ledger.account, call.exchange.market
    open_trades = [trade_details(account, trade, market) for trade in account.open_trades()]
    return {
        **worth(value_account(account, market)),
        "orders": [],
        "trades": [{key: trade[key] for key in ("id", "unrealizedPL", "marginUsed")} for trade in open_trades],
        "positions": [
            {
                "instrument": told["instrument"],
                "netUnrealizedPL": told["unrealizedPL"],
                "longUnrealizedPL": told["long"]["unrealizedPL"],
                "shortUnrealizedPL": told["short"]["unrealizedPL"],
                "marginUsed": told["marginUsed"],
            }
            for told in positions(account, market)
            if "marginUsed" in told
        ],
    }


def _configure(call: Call) -> Reply:
    fields = call.body if isinstance(call.body, dict) else {}
    account = call.ledger.account
    batch = account.journal.batch(call.request_id)
    told = {key: str(fields[key]) for key in ("alias", "marginRate") if fields.get(key) is not None}
    try:
        rate = Decimal(told.get("marginRate", str(account.margin_rate)))
    except InvalidOperation:
        rate = Decimal(0)
    if not 0 < rate <= 1:
        error = OrderInvalidError("MARGIN_RATE_INVALID")
        raise reject(batch, "CLIENT_CONFIGURE", error, dict(told), "clientConfigureRejectTransaction")
    account.margin_rate, account.alias = rate, told.get("alias", account.alias)
    transaction = batch.add("CLIENT_CONFIGURE", dict(told))
    return _told(call, clientConfigureTransaction=transaction)


def _trades(call: Call) -> Reply:
    state = call.query("state") or State.OPEN
    if state not in {"OPEN", "CLOSED", "ALL"}:
        raise invalid_value("state")
    instrument, ids = call.query("instrument"), call.names("ids")
    before = call.number("beforeID") if call.query("beforeID") else None
    trades = [
        trade
        for trade in reversed(call.ledger.account.trades.values())
        if (state in ("ALL", trade.state))
        and (instrument in (None, trade.instrument.name))
        and (ids is None or str(trade.id) in ids)
        and (before is None or trade.id < before)
    ]
    return _trade_list(call, trades[: call.integer("count", 50, most=500)])


def _open_trades(call: Call) -> Reply:
    return _trade_list(call, list(reversed(call.ledger.account.open_trades())))


def _trade(call: Call) -> Reply:
    trade = call.ledger.find_trade(call.path("trade"))
    account = call.ledger.account
    if trade is None:
        raise RefusedError(
            404,
            {
                "lastTransactionID": str(account.journal.last_id),
                "errorMessage": "The trade ID specified does not exist",
                "errorCode": "NO_SUCH_TRADE",
            },
        )
    return _told(call, trade=trade_details(account, trade, call.exchange.market))


def _close_trade(call: Call) -> Reply:
    return Reply(Closing(call.ledger).close_trade(call.path("trade"), call.body, call.request_id))


def _protect_trade(call: Call) -> Reply:
    return Reply(Closing(call.ledger).protect_trade(call.path("trade"), call.body, call.request_id))


def _positions(call: Call) -> Reply:
    return _told(call, positions=positions(call.ledger.account, call.exchange.market))


def _open_positions(call: Call) -> Reply:
    account = call.ledger.account
    names = sorted({trade.instrument.name for trade in account.open_trades()})
    return _told(call, positions=[position(account, name, call.exchange.market) for name in names])


def _position(call: Call) -> Reply:
    name = call.path("instrument")
    if name not in INSTRUMENTS:
        raise invalid_value("instrument")
    return _told(call, position=position(call.ledger.account, name, call.exchange.market))


def _close_position(call: Call) -> Reply:
    return Reply(Closing(call.ledger).close_position(call.path("instrument"), call.body, call.request_id))


def _trade_list(call: Call, trades: list[Trade]) -> Reply:
    account, market = call.ledger.account, call.exchange.market
    return _told(call, trades=[trade_details(account, trade, market) for trade in trades])


def _touched(trades: dict[int, Trade], parts: Sequence[Json]) -> list[Trade]:
    return [trades[int(part["tradeID"])] for part in parts]


def _order_list(orders: Iterable[Order]) -> list[Json]:
    return [order.as_json() for order in orders]


def _told(call: Call, **parts: object) -> Reply:
    return Reply({**parts, "lastTransactionID": str(call.ledger.account.journal.last_id)})
