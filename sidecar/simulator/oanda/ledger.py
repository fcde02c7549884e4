"""An account's orders: taken, triggered, replaced, cancelled, each with its transactions."""

from dataclasses import replace

from sidecar.simulator.oanda.book import Account, Order, OrderSpec, OrderType, State, Trade
from sidecar.simulator.oanda.errors import REASONS, OrderInvalidError, RefusedError
from sidecar.simulator.oanda.execution import Execution, is_triggered
from sidecar.simulator.oanda.journal import Batch
from sidecar.simulator.oanda.market import Market
from sidecar.simulator.oanda.reading import echo, order_fields, order_type, read_order, read_trade_order
from sidecar.simulator.oanda.stamps import Json

_LONGEST_ID = 18
_AT_ONCE = frozenset({"FOK", "IOC"})


class Ledger:
    """What can be done to one account's orders. Every method answers with the body that the client gets.

    Attributes:
        account: The account itself.
        market: Where its orders are filled.

    With `remember_client_ids` a client order id can never be used again. OANDA itself refuses an id only while another
    *pending* order bears it (CLIENT_ORDER_ID_ALREADY_EXISTS,
    https://developer.oanda.com/rest-live-v20/transaction-df/): a market order that has filled is not protected from
    being sent twice.
    """

    def __init__(self, account: Account, market: Market, *, remember_client_ids: bool = False) -> None:
        self.account = account
        self.market = market
        self._remember_client_ids = remember_client_ids

    def begin(self, request_id: str = "") -> Execution:
        """A batch of transactions for one request or event."""
        return Execution(self.account, self.market, self.account.journal.batch(request_id))

    def place(self, body: object, request_id: str = "") -> Json:
        """Take an order; `RefusedError` when it makes no sense. The answer may tell that it was cancelled at once."""
        fields = order_fields(body)
        kind = order_type(fields)
        execution = self.begin(request_id)
        try:
            spec = self._read(fields, kind)
        except OrderInvalidError as error:
            raise reject(execution.batch, f"{kind}_ORDER", error, echo(fields, "CLIENT_ORDER")) from None
        return execution.batch.answer(**self.submit(execution, spec, "CLIENT_ORDER"))

    def replace(self, specifier: str, body: object, request_id: str = "") -> Json:
        """Cancel a pending order and take another in its place; a replacement that makes no sense leaves the order."""
        fields = order_fields(body)
        kind = order_type(fields)
        execution = self.begin(request_id)
        replaced = self._pending(specifier, execution.batch)
        try:
            spec = self._read(fields, kind, instead_of=replaced)
        except OrderInvalidError as error:
            raise reject(execution.batch, f"{kind}_ORDER", error, echo(fields, "REPLACEMENT")) from None
        if spec.client_extensions is None:
            spec = replace(spec, client_extensions=replaced.spec.client_extensions)
        cancelled = self.replaced(execution, replaced)
        told = self.submit(execution, spec, "REPLACEMENT", {"replacesOrderID": str(replaced.id)})
        if "orderCancelTransaction" in told:
            told["replacingOrderCancelTransaction"] = told["orderCancelTransaction"]
        return execution.batch.answer(**told | {"orderCancelTransaction": cancelled})

    def cancel(self, specifier: str, request_id: str = "") -> Json:
        """Cancel a pending order; `RefusedError` with ORDER_DOESNT_EXIST when it is none (it may have filled)."""
        execution = self.begin(request_id)
        order = self._pending(specifier, execution.batch)
        return execution.batch.answer(orderCancelTransaction=self.cancelled(execution, order))

    def submit(self, execution: Execution, spec: OrderSpec, reason: str, origin: Json | None = None) -> Json:
        """Put an order into the book, fill it if its price allows, and return the transactions by their names."""
        order, created = execution.create(spec, reason, origin)
        told: Json = {"orderCreateTransaction": created}
        impatient = spec.time_in_force in _AT_ONCE
        quote = self.market.quotes[spec.instrument.name]
        filled = cancelled = None
        if is_triggered(order, self.account, quote) and (quote.tradeable or impatient):
            filled, cancelled = execution.fill(order)
        elif impatient:
            cancelled = execution.cancel(order, "TIME_IN_FORCE_EXPIRED")
        told |= {"orderFillTransaction": filled} if filled else {}
        told |= {"orderCancelTransaction": cancelled} if cancelled else {}
        return told

    def cancelled(self, execution: Execution, order: Order) -> Json:
        """Cancel an order because the client wants it gone."""
        self.account.cancelled_on_request.append(order)
        return execution.cancel(order, "CLIENT_REQUEST")

    def replaced(self, execution: Execution, order: Order) -> Json:
        """Cancel an order in favour of the one that the next transaction creates."""
        cancelled = execution.cancel(order, "CLIENT_REQUEST_REPLACED", replaced_by=execution.batch.next_id + 1)
        self.account.cancelled_on_request.append(order)
        return cancelled

    def trigger(self, name: str) -> None:
        """Fill the orders whose price an instrument has reached."""
        quote = self.market.quotes[name]
        if not quote.tradeable:
            return
        for order in self.account.pending():
            # An earlier fill may have cancelled this one (a trade's other exit).
            waits = order.state is State.PENDING and order.spec.instrument.name == name
            if waits and is_triggered(order, self.account, quote):
                self.begin().fill(order)

    def expire(self) -> None:
        """Cancel the orders whose time has passed."""
        now = self.account.journal.now()
        for order in self.account.pending():
            if order.spec.gtd_time is not None and order.spec.gtd_time <= now:
                self.begin().cancel(order, "TIME_IN_FORCE_EXPIRED")

    def find_order(self, specifier: str) -> Order | None:
        """The order with this id, or the latest with this `@` client id."""
        if specifier.startswith("@"):
            named = (o for o in reversed(self.account.orders.values()) if o.spec.client_id == specifier[1:])
            return next(named, None)
        return self.account.orders.get(int(specifier)) if _is_id(specifier) else None

    def find_trade(self, specifier: str) -> Trade | None:
        """The trade with this id, or the latest with this `@` client id."""
        if specifier.startswith("@"):
            extensions = ((t, t.client_extensions or {}) for t in reversed(self.account.trades.values()))
            return next((trade for trade, told in extensions if told.get("id") == specifier[1:]), None)
        return self.account.trades.get(int(specifier)) if _is_id(specifier) else None

    def _read(self, fields: Json, kind: OrderType, instead_of: Order | None = None) -> OrderSpec:
        now = self.account.journal.now()
        spec = self._read_exit(fields, kind, instead_of) if kind.closes_a_trade else read_order(fields, now)
        if spec.client_id and self._taken(spec.client_id, instead_of):
            raise OrderInvalidError("CLIENT_ORDER_ID_ALREADY_EXISTS")
        return spec

    def _read_exit(self, fields: Json, kind: OrderType, instead_of: Order | None) -> OrderSpec:
        specifier = fields.get("tradeID") or f"@{fields.get('clientTradeID', '')}"
        if specifier == "@":
            raise OrderInvalidError("TRADE_ID_UNSPECIFIED")
        trade = self.find_trade(str(specifier))
        if trade is None or not trade.units:
            raise OrderInvalidError("TRADE_DOESNT_EXIST", status=404)
        existing = self.account.exit_of(trade, kind)
        if existing is not None and existing is not instead_of:
            raise OrderInvalidError(f"{kind}_ORDER_ALREADY_EXISTS")
        return read_trade_order(fields, kind, trade, self.account.journal.now())

    def _taken(self, client_id: str, instead_of: Order | None) -> bool:
        orders = self.account.orders.values() if self._remember_client_ids else self.account.pending()
        return any(order.spec.client_id == client_id for order in orders if order is not instead_of)

    def _pending(self, specifier: str, batch: Batch) -> Order:
        order = self.find_order(specifier)
        if order is None or order.state is not State.PENDING:
            named = {"clientOrderID": specifier[1:]} if specifier.startswith("@") else {"orderID": specifier}
            error = OrderInvalidError("ORDER_DOESNT_EXIST", status=404)
            raise reject(batch, "ORDER_CANCEL", error, named, "orderCancelRejectTransaction")
        return order


def reject(
    batch: Batch, kind: str, error: OrderInvalidError, fields: Json, key: str = "orderRejectTransaction"
) -> RefusedError:
    """Write a reject transaction and return the refusal that tells it under `key`."""
    transaction = batch.add(f"{kind}_REJECT", {**fields, "rejectReason": error.reason})
    return RefusedError(
        error.status,
        batch.answer(**{key: transaction}) | {"errorCode": error.reason, "errorMessage": REASONS[error.reason]},
    )


def _is_id(specifier: str) -> bool:
    return specifier.isascii() and specifier.isdecimal() and len(specifier) <= _LONGEST_ID
