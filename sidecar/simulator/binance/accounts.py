"""The futures' account endpoints: balances, positions and settings."""

import hashlib
from decimal import Decimal
from typing import Any

from sidecar.simulator.binance.call import Call, Endpoint, Json, Security
from sidecar.simulator.binance.errors import BinanceError, bad_listen_key
from sidecar.simulator.binance.exchange import LISTEN_KEY_SECONDS, Account
from sidecar.simulator.binance.ledger import MAKER_FEE, TAKER_FEE, Ledger, Position
from sidecar.simulator.binance.order import ZERO
from sidecar.simulator.binance.public import order_limits
from sidecar.simulator.binance.symbols import SYMBOLS, symbol_of

MAXIMUM_LEVERAGE = 125
_MAINTENANCE = Decimal("0.004")
_BRACKETS = (
    {"bracket": 1, "notionalFloor": 0, "notionalCap": 300_000, "initialLeverage": 125, "maintMarginRatio": 0.004},
    {"bracket": 2, "notionalFloor": 300_000, "notionalCap": 800_000, "initialLeverage": 100, "maintMarginRatio": 0.005},
    {
        "bracket": 3,
        "notionalFloor": 800_000,
        "notionalCap": 10_000_000,
        "initialLeverage": 50,
        "maintMarginRatio": 0.01,
    },
)


def account(call: Call) -> Json:
    """`GET account` v2: balances and every position, also empty ones."""
    ledger, now = call.account.ledger, call.exchange.now_ms()
    positions = [_account_position(call, held) for held in _every_position(ledger)]
    settings = {
        "feeTier": 0,
        "feeBurn": True,
        "canTrade": True,
        "canDeposit": True,
        "canWithdraw": True,
        "updateTime": 0,
        "multiAssetsMargin": ledger.multi_assets,
        "tradeGroupId": -1,
    }
    return settings | _totals(ledger) | {"assets": [_asset(ledger, now)], "positions": positions}


def account_v3(call: Call) -> Json:
    """`GET account` v3: balances, and positions that are open."""
    ledger, now = call.account.ledger, call.exchange.now_ms()
    positions = [_account_position(call, held) for held in ledger.positions.values() if held.amount]
    return _totals(ledger) | {"assets": [_asset(ledger, now)], "positions": positions}


def balance(call: Call) -> Json:
    """`GET balance`."""
    ledger = call.account.ledger
    return [
        {
            "accountAlias": hashlib.sha256(call.account.credentials.key.encode()).hexdigest()[:8],
            "asset": "USDT",
            "balance": _money(ledger.wallet),
            "crossWalletBalance": _money(ledger.wallet),
            "crossUnPnl": _money(ledger.unrealized),
            "availableBalance": _money(ledger.available),
            "maxWithdrawAmount": _money(ledger.available),
            "marginAvailable": True,
            "updateTime": call.exchange.now_ms(),
        }
    ]


def position_risk(call: Call) -> Json:
    """`GET positionRisk` v2: every position, also empty ones."""
    return [_risk(call, held) for held in _asked_for(call, _every_position(call.account.ledger))]


def position_risk_v3(call: Call) -> Json:
    """`GET positionRisk` v3: positions that are open."""
    positions = _asked_for(call, list(call.account.ledger.positions.values()))
    return [_risk(call, held) for held in positions if held.amount]


def set_leverage(call: Call) -> Json:
    """`POST leverage`."""
    symbol, leverage = symbol_of(call.parameters.text("symbol")), call.parameters.integer("leverage")
    if not 1 <= leverage <= MAXIMUM_LEVERAGE:
        raise BinanceError(-4028, f"Leverage {leverage} is not valid")
    call.account.ledger.leverage[symbol.name] = leverage
    return {"leverage": leverage, "maxNotionalValue": "10000000", "symbol": symbol.name}


def set_margin_type(call: Call) -> Json:
    """`POST marginType`: -4046 when it is so already, -4047 and -4048 while orders or a position are open."""
    ledger, symbol = call.account.ledger, symbol_of(call.parameters.text("symbol")).name
    isolated = call.parameters.choice("marginType", "ISOLATED", "CROSSED") == "ISOLATED"
    if isolated == (symbol in ledger.isolated):
        raise BinanceError(-4046, "No need to change margin type.")
    if ledger.open_orders(symbol):
        raise BinanceError(-4047, "Margin type cannot be changed if there exists open orders.")
    if any(held.amount and held.symbol.name == symbol for held in ledger.positions.values()):
        raise BinanceError(-4048, "Margin type cannot be changed if there exists position.")
    (ledger.isolated.add if isolated else ledger.isolated.discard)(symbol)
    return {"code": 200, "msg": "success"}


def get_position_mode(call: Call) -> Json:
    """`GET positionSide/dual`."""
    return {"dualSidePosition": call.account.ledger.hedged}


def set_position_mode(call: Call) -> Json:
    """`POST positionSide/dual`: -4059 when it is so already, -4067 and -4068 while orders or positions are open."""
    ledger, hedged = call.account.ledger, call.parameters.flag("dualSidePosition")
    if ledger.hedged == hedged:
        raise BinanceError(-4059, "No need to change position side.")
    if ledger.open_orders():
        raise BinanceError(-4067, "Position side cannot be changed if there exists open orders.")
    if any(held.amount for held in ledger.positions.values()):
        raise BinanceError(-4068, "Position side cannot be changed if there exists position.")
    ledger.hedged = hedged
    ledger.positions.clear()
    return {"code": 200, "msg": "success"}


def get_multi_assets(call: Call) -> Json:
    """`GET multiAssetsMargin`."""
    return {"multiAssetsMargin": call.account.ledger.multi_assets}


def set_multi_assets(call: Call) -> Json:
    """`POST multiAssetsMargin`: -4171 when it is so already."""
    ledger, wanted = call.account.ledger, call.parameters.flag("multiAssetsMargin")
    if ledger.multi_assets == wanted:
        raise BinanceError(-4171, "No need to change multi-assets margin mode.")
    ledger.multi_assets = wanted
    return {"code": 200, "msg": "success"}


def leverage_bracket(call: Call) -> Json:
    """`GET leverageBracket`: three brackets, the same for every symbol."""
    names = [symbol_of(call.parameters.text("symbol")).name] if "symbol" in call.parameters else list(SYMBOLS)
    return [{"symbol": name, "brackets": [{**bracket, "cum": 0.0} for bracket in _BRACKETS]} for name in names]


def symbol_config(call: Call) -> Json:
    """`GET symbolConfig`: margin type and leverage."""
    ledger = call.account.ledger
    names = [symbol_of(call.parameters.text("symbol")).name] if "symbol" in call.parameters else list(SYMBOLS)
    return [
        {
            "symbol": name,
            "marginType": "ISOLATED" if name in ledger.isolated else "CROSSED",
            "isAutoAddMargin": "false",
            "leverage": ledger.leverage[name],
            "maxNotionalValue": "10000000",
        }
        for name in names
    ]


def commission_rate(call: Call) -> Json:
    """`GET commissionRate`."""
    return {
        "symbol": symbol_of(call.parameters.text("symbol")).name,
        "makerCommissionRate": f"{MAKER_FEE:.6f}",
        "takerCommissionRate": f"{TAKER_FEE:.6f}",
    }


def income(call: Call) -> Json:
    """`GET income`, oldest first."""
    parameters = call.parameters
    symbol, kind, since = parameters.optional("symbol"), parameters.optional("incomeType"), 0
    since = parameters.integer("startTime", 0)
    found = [
        {
            "symbol": entry.symbol,
            "incomeType": entry.kind,
            "income": _money(entry.amount),
            "asset": "USDT",
            "info": entry.kind,
            "time": entry.time_ms,
            "tranId": entry.transaction_id,
            "tradeId": "",
        }
        for entry in call.account.ledger.income
        if symbol in {"", entry.symbol} and kind in {"", entry.kind} and entry.time_ms >= since
    ]
    return found[: min(max(1, parameters.integer("limit", 100)), 1000)]


def order_rate_limits(call: Call) -> Json:
    """`GET rateLimit/order`."""
    return list(order_limits(call.exchange.meter.limits))


def open_listen_key(call: Call) -> Json:
    """`POST listenKey`: the key that is alive, or a new one; it lives another 60 minutes."""
    owner, now = call.account, call.exchange.now()
    if not _listens(owner, now):
        owner.listen_key = hashlib.sha256(f"{owner.credentials.key}/{now}".encode()).hexdigest()
    owner.listen_key_until = now + LISTEN_KEY_SECONDS
    return {"listenKey": owner.listen_key}


def extend_listen_key(call: Call) -> Json:
    """`PUT listenKey`: another 60 minutes; -1125 for a key that is not alive."""
    owner, now = call.account, call.exchange.now()
    if not _listens(owner, now):
        raise bad_listen_key()
    owner.listen_key_until = now + LISTEN_KEY_SECONDS
    return {"listenKey": owner.listen_key}


def close_listen_key(call: Call) -> Json:
    """`DELETE listenKey`; -1125 for a key that is not alive."""
    owner = call.account
    if not _listens(owner, call.exchange.now()):
        raise bad_listen_key()
    owner.listen_key = ""
    return {}


def _listens(owner: Account, now: float) -> bool:
    return bool(owner.listen_key) and now < owner.listen_key_until


def _money(value: Decimal) -> str:
    return f"{value:.8f}"


def _totals(ledger: Ledger) -> dict[str, Any]:
    margin, orders, unrealized = ledger.position_margin, ledger.order_margin, ledger.unrealized
    maintenance = ZERO
    for held in ledger.positions.values():
        maintenance += ledger.margin_of(held) * ledger.leverage[held.symbol.name] * _MAINTENANCE
    return {
        "totalInitialMargin": _money(margin + orders),
        "totalMaintMargin": _money(maintenance),
        "totalWalletBalance": _money(ledger.wallet),
        "totalUnrealizedProfit": _money(unrealized),
        "totalMarginBalance": _money(ledger.wallet + unrealized),
        "totalPositionInitialMargin": _money(margin),
        "totalOpenOrderInitialMargin": _money(orders),
        "totalCrossWalletBalance": _money(ledger.wallet),
        "totalCrossUnPnl": _money(unrealized),
        "availableBalance": _money(ledger.available),
        "maxWithdrawAmount": _money(ledger.available),
    }


def _asset(ledger: Ledger, now_ms: int) -> dict[str, Any]:
    totals = _totals(ledger)
    return {
        "asset": "USDT",
        "walletBalance": totals["totalWalletBalance"],
        "unrealizedProfit": totals["totalUnrealizedProfit"],
        "marginBalance": totals["totalMarginBalance"],
        "maintMargin": totals["totalMaintMargin"],
        "initialMargin": totals["totalInitialMargin"],
        "positionInitialMargin": totals["totalPositionInitialMargin"],
        "openOrderInitialMargin": totals["totalOpenOrderInitialMargin"],
        "crossWalletBalance": totals["totalCrossWalletBalance"],
        "crossUnPnl": totals["totalCrossUnPnl"],
        "availableBalance": totals["availableBalance"],
        "maxWithdrawAmount": totals["maxWithdrawAmount"],
        "marginAvailable": True,
        "updateTime": now_ms,
    }


def _every_position(ledger: Ledger) -> list[Position]:
    sides = ("LONG", "SHORT") if ledger.hedged else ("BOTH",)
    return [ledger.position(symbol, side) for symbol in SYMBOLS.values() for side in sides]


def _asked_for(call: Call, positions: list[Position]) -> list[Position]:
    if "symbol" not in call.parameters:
        return positions
    symbol = symbol_of(call.parameters.text("symbol"))
    return [held for held in positions if held.symbol is symbol]


def _account_position(call: Call, held: Position) -> dict[str, Any]:
    ledger, name = call.account.ledger, held.symbol.name
    price, margin, orders = call.exchange.prices[name], ledger.margin_of(held), ledger.margin_of_orders(name)
    notional = held.amount * price
    return {
        "symbol": name,
        "initialMargin": _money(margin + orders),
        "maintMargin": _money(abs(notional) * _MAINTENANCE) if held.amount else "0",
        "unrealizedProfit": _money(held.unrealized(price)),
        "positionInitialMargin": _money(margin),
        "openOrderInitialMargin": _money(orders),
        "leverage": str(ledger.leverage[name]),
        "isolated": name in ledger.isolated,
        "entryPrice": held.symbol.money(held.entry),
        "breakEvenPrice": held.symbol.money(held.entry),
        "maxNotional": "10000000",
        "bidNotional": "0",
        "askNotional": "0",
        "positionSide": held.side,
        "positionAmt": held.symbol.amount(held.amount),
        "notional": _money(notional),
        "isolatedWallet": "0",
        "isolatedMargin": "0",
        "updateTime": held.updated_ms,
    }


def _risk(call: Call, held: Position) -> dict[str, Any]:
    ledger, name = call.account.ledger, held.symbol.name
    price = call.exchange.prices[name]
    return {
        "symbol": name,
        "positionSide": held.side,
        "positionAmt": held.symbol.amount(held.amount),
        "entryPrice": held.symbol.money(held.entry),
        "breakEvenPrice": held.symbol.money(held.entry),
        "markPrice": _money(price),
        "unRealizedProfit": _money(held.unrealized(price)),
        "liquidationPrice": "0",
        "leverage": str(ledger.leverage[name]),
        "marginType": "isolated" if name in ledger.isolated else "cross",
        "isAutoAddMargin": "false",
        "isolated": name in ledger.isolated,
        "isolatedMargin": "0",
        "isolatedWallet": "0",
        "maxNotionalValue": "10000000",
        "notional": _money(held.amount * price),
        "marginAsset": held.symbol.quote,
        "initialMargin": _money(ledger.margin_of(held)),
        "maintMargin": _money(abs(held.amount) * price * _MAINTENANCE),
        "positionInitialMargin": _money(ledger.margin_of(held)),
        "openOrderInitialMargin": _money(ledger.margin_of_orders(name)),
        "adl": 0,
        "bidNotional": "0",
        "askNotional": "0",
        "updateTime": held.updated_ms,
    }


ENDPOINTS = (
    Endpoint("GET", "/fapi/v1/account", account),
    Endpoint("GET", "/fapi/v2/account", account),
    Endpoint("GET", "/fapi/v3/account", account_v3),
    Endpoint("GET", "/fapi/v1/balance", balance),
    Endpoint("GET", "/fapi/v2/balance", balance),
    Endpoint("GET", "/fapi/v3/balance", balance),
    Endpoint("GET", "/fapi/v1/positionRisk", position_risk),
    Endpoint("GET", "/fapi/v2/positionRisk", position_risk),
    Endpoint("GET", "/fapi/v3/positionRisk", position_risk_v3),
    Endpoint("POST", "/fapi/v1/leverage", set_leverage),
    Endpoint("POST", "/fapi/v1/marginType", set_margin_type),
    Endpoint("GET", "/fapi/v1/positionSide/dual", get_position_mode),
    Endpoint("POST", "/fapi/v1/positionSide/dual", set_position_mode),
    Endpoint("GET", "/fapi/v1/multiAssetsMargin", get_multi_assets),
    Endpoint("POST", "/fapi/v1/multiAssetsMargin", set_multi_assets),
    Endpoint("GET", "/fapi/v1/leverageBracket", leverage_bracket),
    Endpoint("GET", "/fapi/v1/symbolConfig", symbol_config),
    Endpoint("GET", "/fapi/v1/commissionRate", commission_rate),
    Endpoint("GET", "/fapi/v1/income", income),
    Endpoint("GET", "/fapi/v1/rateLimit/order", order_rate_limits),
    Endpoint("POST", "/fapi/v1/listenKey", open_listen_key, Security.KEY),
    Endpoint("PUT", "/fapi/v1/listenKey", extend_listen_key, Security.KEY),
    Endpoint("DELETE", "/fapi/v1/listenKey", close_listen_key, Security.KEY),
)
"""Balances, positions, settings and the keys of user streams."""
