"""What a bot says when it gives the sidecar an order, in words that no broker owns."""

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sidecar.brokers.profile import OrderTerms
from sidecar.words import OrderType, Side, TimeInForce

Amount = Annotated[Decimal, Field(gt=0, max_digits=30, allow_inf_nan=False)]
_TRIGGERED = frozenset({OrderType.STOP, OrderType.TAKE_PROFIT})


def check_prices(kind: OrderType, price: Decimal | None, stop_price: Decimal | None) -> None:
    """Raise ValueError unless an order of this type has the prices that it needs, and no other."""
    told = (("price", price, kind is OrderType.LIMIT), ("stop_price", stop_price, kind in _TRIGGERED))
    for name, value, wanted in told:
        if wanted != (value is not None):
            raise ValueError(f"a {kind} order {'needs a' if wanted else 'takes no'} {name}")


class DraftGuard(BaseModel):
    """Up to which price the order may be sent."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    reference: Amount = Field(description="The price that the bot saw.")
    tolerance: Annotated[Decimal, Field(ge=0, le=1)] = Field(
        description="How much worse the price may be when the order is sent, as a share: 0.005 is half a percent."
    )


class OrderDraft(BaseModel):
    """An order for the queue. Numbers may be strings, so that no digit is lost on the way."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    broker: str = Field(description="The broker's name in the configuration.")
    instrument: str = Field(min_length=1, max_length=64, description="By the broker's name: BTCUSDT, EUR_USD.")
    side: Side
    type: OrderType = OrderType.MARKET
    quantity: Amount = Field(description="In the broker's unit: base asset, contracts, units.")
    price: Amount | None = Field(None, description="The limit price; for limit orders alone.")
    stop_price: Amount | None = Field(None, description="What triggers a stop or a take-profit; for them alone.")
    time_in_force: TimeInForce | None = Field(None, description="None takes the broker's usual one.")
    reduce_only: bool = Field(False, description="Whether it may only make a position smaller.")
    account: str = Field("", max_length=64, description="The broker's name of the account, where a key has several.")
    client_id: str = Field(
        "", max_length=64, description="By which the order can be found; the sidecar makes one when it is empty."
    )
    ttl_seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(
        None, description="Not sent any more after so many seconds; None takes the configuration's."
    )
    price_guard: DraftGuard | None = Field(None, description="Keeps it from being sent into another market.")

    @model_validator(mode="after")
    def _prices_fit_the_type(self) -> "OrderDraft":
        check_prices(self.type, self.price, self.stop_price)
        return self

    def terms(self, client_id: str, *, watched: bool = False) -> OrderTerms:
        """The order as a profile takes it; `watched` when it belongs to an operation."""
        return OrderTerms(
            instrument=self.instrument,
            side=self.side,
            type=self.type,
            quantity=self.quantity,
            client_id=client_id,
            account=self.account,
            price=self.price,
            stop_price=self.stop_price,
            time_in_force=self.time_in_force,
            reduce_only=self.reduce_only,
            watched=watched,
        )
