"""Closing trades and positions, and giving trades their exits."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sidecar.simulator.oanda.book import Exit, OrderSpec, OrderType, Trade
from sidecar.simulator.oanda.errors import OrderInvalidError, RefusedError, bad_request, invalid_value
from sidecar.simulator.oanda.execution import Execution
from sidecar.simulator.oanda.instruments import INSTRUMENTS, Instrument
from sidecar.simulator.oanda.ledger import Ledger, reject
from sidecar.simulator.oanda.reading import read_exit, read_units
from sidecar.simulator.oanda.stamps import Json

_EXITS = (("takeProfit", OrderType.TAKE_PROFIT), ("stopLoss", OrderType.STOP_LOSS))


@dataclass(frozen=True, slots=True)
class Closing:
    """What can be done to one account's trades and positions."""

    ledger: Ledger

    def close_trade(self, specifier: str, body: object, request_id: str = "") -> Json:
        """Close a trade, or so many units of it; `RefusedError` when there is no such trade."""
        execution = self.ledger.begin(request_id)
        wanted = body.get("units", "ALL") if isinstance(body, Mapping) else "ALL"
        closeout: Json = {"tradeClose": {"tradeID": specifier, "units": str(wanted)}}
        try:
            trade = self._open_trade(specifier)
            size = _share(trade.units, wanted, "CLOSE_TRADE_UNITS_EXCEED_TRADE_SIZE")
        except OrderInvalidError as error:
            fields = {"reason": "TRADE_CLOSE", **closeout}
            raise reject(execution.batch, "MARKET_ORDER", error, fields) from None
        spec = _market_order(trade.instrument, -size, closeout, trade.id)
        return execution.batch.answer(**self.ledger.submit(execution, spec, "TRADE_CLOSE"))

    def protect_trade(self, specifier: str, body: object, request_id: str = "") -> Json:
        """Set, replace or (with null) cancel a trade's take profit and stop loss; those not named stay."""
        fields: Mapping[str, Any] = body if isinstance(body, Mapping) else {}
        execution = self.ledger.begin(request_id)
        named = [(name, kind) for name, kind in _EXITS if name in fields]
        if not named:
            raise bad_request("At least one of takeProfit and stopLoss must be specified")
        exits = [(name, kind, self._exit(execution, specifier, fields[name], name, kind)) for name, kind in named]
        told: Json = {}
        for name, kind, (trade, exit_) in exits:
            told |= self._set_exit(execution, trade, name, kind, exit_)
        self.ledger.trigger(exits[0][2][0].instrument.name)
        return execution.batch.answer(**told)

    def close_position(self, name: str, body: object, request_id: str = "") -> Json:
        """Close the long and the short side of a position, or so many units; `RefusedError` where there is none."""
        pair = INSTRUMENTS.get(name)
        if pair is None:
            raise invalid_value("instrument")
        fields: Mapping[str, Any] = body if isinstance(body, Mapping) else {}
        execution = self.ledger.begin(request_id)
        closes = {}
        failures = {}
        for side in ("long", "short"):
            wanted = self._wanted(pair, side, fields)
            try:
                closes[side] = wanted, self._closing_units(pair, side, wanted)
            except OrderInvalidError as error:
                failures[side] = wanted, error
        if failures:
            raise self._refuse(execution, pair, failures)
        told: Json = {}
        for side, (wanted, size) in closes.items():
            if size:
                closeout = {f"{side}PositionCloseout": {"instrument": name, "units": wanted}}
                spec = _market_order(pair, size, closeout)
                for key, value in self.ledger.submit(execution, spec, "POSITION_CLOSEOUT").items():
                    told[f"{side}{key[0].upper()}{key[1:]}"] = value
        return execution.batch.answer(**told)

    def _exit(
        self, execution: Execution, specifier: str, described: object, name: str, kind: OrderType
    ) -> tuple[Trade, Exit | None]:
        try:
            trade = self._open_trade(specifier)
            now = self.ledger.account.journal.now()
            return trade, read_exit(described, trade.instrument, f"{kind}_ON_FILL_PRICE_INVALID", now)
        except OrderInvalidError as error:
            fields = {"tradeID": specifier, "reason": "CLIENT_ORDER"}
            key = f"{name}OrderRejectTransaction"
            raise reject(execution.batch, f"{kind}_ORDER", error, fields, key) from None

    def _set_exit(self, execution: Execution, trade: Trade, name: str, kind: OrderType, exit_: Exit | None) -> Json:
        told: Json = {}
        existing = self.ledger.account.exit_of(trade, kind)
        if existing is not None:
            cancel = self.ledger.cancelled if exit_ is None else self.ledger.replaced
            told[f"{name}OrderCancelTransaction"] = cancel(execution, existing)
        if exit_ is not None:
            reason = "REPLACEMENT" if existing else "CLIENT_ORDER"
            origin = {"replacesOrderID": str(existing.id)} if existing else {}
            told[f"{name}OrderTransaction"] = execution.protect(trade, kind, exit_, reason, origin)
        return told

    def _open_trade(self, specifier: str) -> Trade:
        trade = self.ledger.find_trade(specifier)
        if trade is None or not trade.units:
            raise OrderInvalidError("TRADE_DOESNT_EXIST", status=404)
        return trade

    def _held(self, pair: Instrument, side: str) -> Decimal:
        trades = self.ledger.account.open_trades(pair.name)
        return sum((t.units for t in trades if (t.units > 0) == (side == "long")), Decimal(0))

    def _wanted(self, pair: Instrument, side: str, fields: Mapping[str, Any]) -> str:
        other = "short" if side == "long" else "long"
        # Both sides default to ALL, but a side left out is no fault where the other one is there to close.
        default = "ALL" if self._held(pair, side) or not self._held(pair, other) else "NONE"
        return str(fields.get(f"{side}Units", default))

    def _closing_units(self, pair: Instrument, side: str, wanted: str) -> Decimal:
        if wanted == "NONE":
            return Decimal(0)
        held = self._held(pair, side)
        if not held:
            raise OrderInvalidError("CLOSEOUT_POSITION_DOESNT_EXIST")
        return -_share(held, wanted, "CLOSEOUT_POSITION_UNITS_EXCEED_POSITION_SIZE")

    def _refuse(
        self, execution: Execution, pair: Instrument, failures: Mapping[str, tuple[str, OrderInvalidError]]
    ) -> RefusedError:
        body: Json = {}
        for side, (wanted, error) in failures.items():
            closeout = {f"{side}PositionCloseout": {"instrument": pair.name, "units": wanted}}
            fields = {"instrument": pair.name, "units": "0", "reason": "POSITION_CLOSEOUT", **closeout}
            key = f"{side}OrderRejectTransaction"
            body |= reject(execution.batch, "MARKET_ORDER", error, fields, key).body
        # Seen in users' logs: 400 with one reject transaction for each side.
        return RefusedError(400, body)


def _share(whole: Decimal, wanted: object, excess: str) -> Decimal:
    size = whole if wanted == "ALL" else read_units(wanted).copy_sign(whole)
    if abs(size) > abs(whole):
        raise OrderInvalidError(excess)
    return size


def _market_order(pair: Instrument, size: Decimal, closeout: Json, trade_id: int | None = None) -> OrderSpec:
    return OrderSpec(
        type=OrderType.MARKET,
        instrument=pair,
        units=size,
        time_in_force="FOK",
        position_fill="REDUCE_ONLY",
        trade_id=trade_id,
        closeout=closeout,
    )
