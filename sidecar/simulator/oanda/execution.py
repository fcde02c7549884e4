"""How an order is filled: what it closes, what it opens, what forbids it, and which transactions tell it."""

from dataclasses import dataclass
from decimal import Decimal

from sidecar.simulator.oanda.book import Account, Exit, Order, OrderSpec, OrderType, State, Trade
from sidecar.simulator.oanda.instruments import INSTRUMENTS, money, units
from sidecar.simulator.oanda.journal import Batch
from sidecar.simulator.oanda.market import Market, Quote
from sidecar.simulator.oanda.stamps import Json
from sidecar.simulator.oanda.valuation import margin_used, profit, value_account

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What a fill would do: close these units (signed like their trade) and open the rest."""

    closes: tuple[tuple[Trade, Decimal], ...]
    opens: Decimal

    @property
    def units(self) -> Decimal:
        return self.opens - sum((closed for _, closed in self.closes), _ZERO)


@dataclass(frozen=True, slots=True)
class Execution:
    """Fills and cancels orders of one account, in one batch of transactions."""

    account: Account
    market: Market
    batch: Batch

    def fill(self, order: Order) -> tuple[Json | None, Json | None]:
        """Fill an order at the market, wholly or not at all; returns its fill or its cancel transaction.

        What was ordered on fill is created with it, or the order is cancelled: there is no unprotected moment.
        """
        plan = self._plan(order.spec)
        quote = self.market.quotes[order.spec.instrument.name]
        reason = self._forbidden(order.spec, plan, quote)
        if reason:
            return None, self.cancel(order, reason)
        return self._apply(order, plan, quote.side(plan.units)), None

    def cancel(self, order: Order, reason: str, replaced_by: int | None = None) -> Json:
        """Cancel an order that waits."""
        replacement = None if replaced_by is None else str(replaced_by)
        transaction = self.batch.add(
            "ORDER_CANCEL",
            {
                "orderID": str(order.id),
                "clientOrderID": order.spec.client_id or None,
                "replacedByOrderID": replacement,
                "reason": reason,
            },
        )
        order.state = State.CANCELLED
        order.stillborn = str(order.id) in self.batch.ids
        order.later |= {"cancellingTransactionID": transaction["id"], "cancelledTime": transaction["time"]}
        if replacement is not None:
            order.later["replacedByOrderID"] = replacement
        return transaction

    def create(self, spec: OrderSpec, reason: str, origin: Json | None = None) -> tuple[Order, Json]:
        """Put an order into the book; `origin` is what its transaction tells of where it comes from."""
        fields = {**spec.as_json(), "reason": reason, **(origin or {})}
        transaction = self.batch.add(f"{spec.type}_ORDER", fields)
        order = Order(
            id=int(transaction["id"]),
            spec=spec,
            created=transaction["time"],
            touched_from=self.market.quotes[spec.instrument.name].middle,
            dependent=reason == "ON_FILL",
            later={key: value for key, value in fields.items() if key == "replacesOrderID"},
        )
        self.account.orders[order.id] = order
        return order, transaction

    def protect(self, trade: Trade, kind: OrderType, exit_: Exit, reason: str, origin: Json) -> Json:
        """Give a trade a take profit or a stop loss; returns the transaction that creates the order."""
        spec = OrderSpec(
            type=kind,
            instrument=trade.instrument,
            price=exit_price(kind, exit_, trade.units, trade.price),
            time_in_force=exit_.time_in_force,
            gtd_time=exit_.gtd_time,
            trade_id=trade.id,
            client_extensions=exit_.client_extensions,
        )
        return self.create(spec, reason, origin)[1]

    def _plan(self, spec: OrderSpec) -> _Plan:
        if spec.trade_id is not None:
            trade = self.account.trades[spec.trade_id]
            wanted = -spec.units if spec.units else trade.units
            return _Plan(((trade, wanted),), _ZERO)
        left = spec.units
        closes: list[tuple[Trade, Decimal]] = []
        for trade in self.account.open_trades(spec.instrument.name):
            if left and (trade.units > 0) != (spec.units > 0):
                size = min(abs(left), abs(trade.units)).copy_sign(trade.units)
                closes.append((trade, size))
                left += size
        return _Plan(tuple(closes), _ZERO if spec.position_fill == "REDUCE_ONLY" else left)

    def _forbidden(self, spec: OrderSpec, plan: _Plan, quote: Quote) -> str:
        if not quote.tradeable:
            return "MARKET_HALTED"
        if not plan.units:
            # Reduce-only with nothing to reduce. OANDA does not document which reason it gives.
            return "INSUFFICIENT_LIQUIDITY"
        price, bound = quote.side(plan.units), spec.price_bound
        if bound is not None and (price > bound if plan.units > 0 else price < bound):
            return "BOUNDS_VIOLATION"
        if not plan.opens:
            return ""
        for kind, exit_ in ((OrderType.TAKE_PROFIT, spec.take_profit), (OrderType.STOP_LOSS, spec.stop_loss)):
            if exit_ and is_reached(kind, exit_price(kind, exit_, plan.opens, price), -plan.opens, quote):
                return f"{kind}_ON_FILL_LOSS"
        nets = {name: self.account.net(name) for name in INSTRUMENTS}
        nets[spec.instrument.name] += plan.units
        needed = margin_used(nets, self.account.margin_rate, self.market)
        return "INSUFFICIENT_MARGIN" if needed > value_account(self.account, self.market).nav else ""

    def _apply(self, order: Order, plan: _Plan, price: Decimal) -> Json:
        fill_id = self.batch.next_id
        spec, pair = order.spec, order.spec.instrument
        closed = [self._close(trade, size, price, fill_id) for trade, size in plan.closes]
        gained = sum((Decimal(part["realizedPL"]) for part in closed), _ZERO)
        self.account.balance += gained
        reduced = [part for part, (trade, _) in zip(closed, plan.closes, strict=True) if trade.units]
        opened = self._open(spec, plan.opens, price, fill_id)
        home = self.market.to_home(pair.quote)
        fill = self.batch.add(
            "ORDER_FILL",
            {
                "orderID": str(order.id),
                "clientOrderID": spec.client_id or None,
                "instrument": pair.name,
                "units": units(plan.units),
                "requestedUnits": units(spec.units or plan.units),
                "price": pair.price(price),
                "fullVWAP": pair.price(price),
                "gainQuoteHomeConversionFactor": str(home.quantize(Decimal("1e-8"))),
                "lossQuoteHomeConversionFactor": str(home.quantize(Decimal("1e-8"))),
                "pl": money(gained),
                "financing": money(_ZERO),
                "commission": money(_ZERO),
                "halfSpreadCost": money(abs(plan.units) * pair.spread / 2 * home),
                "accountBalance": money(self.account.balance),
                "reason": _fill_reason(spec),
                "tradeOpened": opened,
                "tradesClosed": [part for part in closed if part not in reduced] or None,
                "tradeReduced": reduced[0] if reduced else None,
            },
        )
        self._settle_order(order, plan, fill, opened)
        self._settle_trades(plan, fill)
        if opened:
            self._protect_new(spec, self.account.trades[fill_id], fill["id"])
        return fill

    def _close(self, trade: Trade, size: Decimal, price: Decimal, fill_id: int) -> Json:
        gained = profit(trade, size, price, self.market).quantize(Decimal("0.0001"))
        trade.units -= size
        trade.realized += gained
        trade.closings.setdefault("closingTransactionIDs", []).append(str(fill_id))
        if not trade.units:
            trade.closings["averageClosePrice"] = trade.instrument.price(price)
        self.account.realized[trade.instrument.name, size > 0] += gained
        return {
            "tradeID": str(trade.id),
            "units": units(-size),
            "price": trade.instrument.price(price),
            "realizedPL": money(gained),
            "financing": money(_ZERO),
        }

    def _open(self, spec: OrderSpec, size: Decimal, price: Decimal, fill_id: int) -> Json | None:
        if not size:
            return None
        now = self.account.journal.now()
        trade = Trade(fill_id, spec.instrument, price, now, size, size, spec.trade_client_extensions)
        self.account.trades[fill_id] = trade
        extensions = {"clientExtensions": trade.client_extensions} if trade.client_extensions else {}
        return {
            "tradeID": str(fill_id),
            "units": units(size),
            "price": spec.instrument.price(price),
            **extensions,
        }

    def _settle_order(self, order: Order, plan: _Plan, fill: Json, opened: Json | None) -> None:
        order.state = State.FILLED
        order.filled = abs(plan.units)
        order.later |= {"fillingTransactionID": fill["id"], "filledTime": fill["time"]}
        if opened:
            order.later["tradeOpenedID"] = opened["tradeID"]
        if done := [str(trade.id) for trade, _ in plan.closes if not trade.units]:
            order.later["tradeClosedIDs"] = done
        if left := [str(trade.id) for trade, _ in plan.closes if trade.units]:
            order.later["tradeReducedID"] = left[0]

    def _settle_trades(self, plan: _Plan, fill: Json) -> None:
        for trade, _ in plan.closes:
            if not trade.units:
                trade.closings["closeTime"] = fill["time"]
                for order in tuple(self.account.linked(trade)):
                    self.cancel(order, "LINKED_TRADE_CLOSED")

    def _protect_new(self, spec: OrderSpec, trade: Trade, fill_id: str) -> None:
        for kind, exit_ in ((OrderType.TAKE_PROFIT, spec.take_profit), (OrderType.STOP_LOSS, spec.stop_loss)):
            if exit_:
                self.protect(trade, kind, exit_, "ON_FILL", {"orderFillTransactionID": fill_id})


def exit_price(kind: OrderType, exit_: Exit, size: Decimal, price: Decimal) -> Decimal:
    """Where a take profit or stop loss stands, for a trade of this size opened at `price`."""
    if exit_.price is not None:
        return exit_.price
    away = (exit_.distance or _ZERO).copy_sign(size)
    return price + away if kind is OrderType.TAKE_PROFIT else price - away


def is_triggered(order: Order, account: Account, quote: Quote) -> bool:
    """Whether the market has reached the price for which an order waits."""
    spec = order.spec
    if spec.price is None:
        return True
    size = spec.units if spec.trade_id is None else -account.trades[spec.trade_id].units
    if spec.type is OrderType.MARKET_IF_TOUCHED:
        price = quote.side(size)
        return price >= spec.price if spec.price >= order.touched_from else price <= spec.price
    return is_reached(spec.type, spec.price, size, quote)


def is_reached(kind: OrderType, price: Decimal, size: Decimal, quote: Quote) -> bool:
    """Whether the side on which `size` units trade has reached `price`.

    A limit or a take profit waits for a better price, a stop or a stop loss for a worse one.
    """
    current = quote.side(size)
    better = kind in {OrderType.LIMIT, OrderType.TAKE_PROFIT}
    return current <= price if better == (size > 0) else current >= price


def _fill_reason(spec: OrderSpec) -> str:
    if spec.type is not OrderType.MARKET or spec.closeout is None:
        return f"{spec.type}_ORDER"
    return "MARKET_ORDER_TRADE_CLOSE" if spec.trade_id is not None else "MARKET_ORDER_POSITION_CLOSEOUT"
