"""What a bot says when it asks for an operation."""

from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel, model_validator

from sidecar.orders.draft import Amount, OrderDraft, check_prices
from sidecar.words import OperationType, OrderType, Side, TimeInForce

MOST_ORDERS = 100
"""Orders that one bulk cancel names at most."""
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Draft(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    broker: str = Field(description="The broker's name in the configuration.")
    client_id: str = Field(
        "",
        max_length=64,
        description="Your own name of the operation: asked for again under it, the same one is told and nothing done.",
    )


class _InMarket(_Draft):
    instrument: str = Field(min_length=1, max_length=64, description="By the broker's name: BTCUSDT, EUR_USD.")
    account: str = Field("", max_length=64, description="The broker's name of the account, where a key has several.")


class LegDraft(BaseModel):
    """One of several orders, in words that no broker owns."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    side: Side
    type: OrderType
    quantity: Amount
    price: Amount | None = Field(None, description="The limit price; for limit orders alone.")
    stop_price: Amount | None = Field(None, description="What triggers a stop or a take-profit; for them alone.")
    time_in_force: TimeInForce | None = None
    reduce_only: bool = False

    @model_validator(mode="after")
    def _prices_fit_the_type(self) -> "LegDraft":
        check_prices(self.type, self.price, self.stop_price)
        return self

    def order(self, broker: str, instrument: str, account: str) -> OrderDraft:
        """The order, without a client id."""
        return OrderDraft(broker=broker, instrument=instrument, account=account, **self.model_dump())


class BracketDraft(_InMarket):
    """An entry that gets a stop as soon as it fills, and a target; when one of these fills, the other is cancelled."""

    type: Literal[OperationType.BRACKET]
    side: Side = Field(description="Of the entry.")
    quantity: Amount
    price: Amount | None = Field(None, description="The entry's limit; without it the entry is a market order.")
    time_in_force: TimeInForce | None = Field(None, description="Of the entry.")
    stop_price: Amount = Field(description="Where the position is given up: a stop order, reduce-only.")
    target_price: Amount | None = Field(None, description="Where the profit is taken: a take-profit, reduce-only.")
    fill_seconds: Seconds | None = Field(
        None, description="What has not filled after so long is cancelled; None takes the configuration's."
    )

    @model_validator(mode="after")
    def _prices_are_in_order(self) -> "BracketDraft":
        ladder = [price for price in (self.stop_price, self.price, self.target_price) if price is not None]
        rising = ladder if self.side is Side.BUY else ladder[::-1]
        if any(lower >= higher for lower, higher in pairwise(rising)):
            words = (
                "stop_price < price < target_price" if self.side is Side.BUY else "target_price < price < stop_price"
            )
            raise ValueError(f"a bracket that {self.side}s needs {words}")
        return self


class BracketChange(BaseModel):
    """Where a bracket's stop, its target or both are wanted from now on."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    stop_price: Amount | None = Field(None, description="The new stop's; without it the stop stays where it is.")
    target_price: Amount | None = Field(
        None, description="The new target's, also for a bracket that had none; without it the target stays as it is."
    )

    @model_validator(mode="after")
    def _something_is_moved(self) -> "BracketChange":
        if self.stop_price is None and self.target_price is None:
            raise ValueError("say stop_price, target_price or both")
        return self

    def asked(self) -> dict[str, Decimal]:
        """What is to change, by the names that a bracket has for it."""
        return self.model_dump(exclude_none=True)


class OcoDraft(_InMarket):
    """Two orders of which one fills: then the other is cancelled."""

    type: Literal[OperationType.OCO]
    first: LegDraft
    second: LegDraft

    @model_validator(mode="after")
    def _both_can_wait(self) -> "OcoDraft":
        for leg in (self.first, self.second):
            if leg.type is OrderType.MARKET:
                raise ValueError("an OCO pair takes no market order: it would fill before the other one could wait")
        if self.first == self.second:
            raise ValueError("an OCO pair needs two different orders")
        return self


class CloseDraft(_InMarket):
    """A position, or a part of it, is closed at the market by reduce-only orders."""

    type: Literal[OperationType.POSITION_CLOSE]
    side: Side = Field(description="Of the position: `buy` for a long one.")
    quantity: Amount = Field(description="How much of it is closed.")


class BulkCancelDraft(_Draft):
    """Carried orders are cancelled, each with a result of its own."""

    type: Literal[OperationType.BULK_CANCEL]
    orders: tuple[str, ...] = Field((), max_length=MOST_ORDERS, description="Ids of carried orders; none for all.")
    instrument: str = Field("", max_length=64, description="Where no order is named: only those of this instrument.")
    account: str = Field("", max_length=64, description="Where no order is named: only those of this account.")


class ModificationDraft(_Draft):
    """A carried order is replaced by another one of the same account and instrument."""

    type: Literal[OperationType.MODIFICATION]
    order: str = Field(description="The id of the order that is replaced.")
    replacement: LegDraft = Field(
        description="All of the new order; its quantity counts what the old one has traded. A reduce-only one is "
        "placed before the old one is cancelled, any other after it."
    )


AnyDraft = Annotated[
    BracketDraft | OcoDraft | CloseDraft | BulkCancelDraft | ModificationDraft, Field(discriminator="type")
]


class OperationDraft(RootModel[AnyDraft]):
    """An operation: `type` says which."""
