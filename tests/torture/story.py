"""What the bots mean to do, chosen by a seed, and what they were told."""

import json
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from typing import Any

from tests.e2e.stack import ACCOUNT


class Way(StrEnum):
    """How an order is handed in."""

    NEUTRAL = "neutral"
    """`POST /v1/orders`."""
    ASYNC = "async"
    """The broker's own request, with `Prefer: respond-async`."""
    PLAIN = "plain"
    KEYED = "keyed"
    """Plain, with an `Idempotency-Key`."""

    @property
    def carried(self) -> bool:
        """Whether the sidecar takes the order over."""
        return self in {Way.NEUTRAL, Way.ASYNC}


class Then(StrEnum):
    """What the bot does once its order has been answered."""

    NOTHING = "nothing"
    LOOK = "look"
    WAIT = "wait"
    TAKE_BACK = "take back"
    """`DELETE /v1/orders/{id}`."""
    CANCEL = "cancel"
    """The broker's own cancel, straight to the broker."""
    REPEAT = "repeat"
    """The very same request again."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One order as its bot means it."""

    client_id: str
    broker: str
    instrument: str
    type: str
    side: str
    way: Way
    then: Then
    prefer_wait: int = 0
    ttl_seconds: float | None = None
    patience: int = 8
    """How often it is sent at most, where sending it again is safe."""


@dataclass(frozen=True, slots=True)
class Word:
    """One answer, or the lack of one."""

    at: float
    about: str
    """`place`, `look`, `wait`, `take back`, `cancel` or `repeat`."""
    status: int
    """0: the connection broke, and nobody can know."""
    fate: str = ""
    body: bytes = b""

    @property
    def outcome(self) -> str:
        """The first word of `Sidecar-Fate`."""
        return self.fate.partition(";")[0]

    @property
    def view(self) -> dict[str, Any]:
        """The order that the answer tells of; empty where it tells of none."""
        try:
            told = json.loads(self.body)
        except ValueError:
            return {}
        return told if isinstance(told, dict) and {"id", "state", "kind"} <= told.keys() else {}

    def __str__(self) -> str:
        fate = f" [{self.fate}]" if self.fate else ""
        return f"{self.at:7.2f} s  {self.about}: {self.status or 'no answer'}{fate} {self.body.decode()[:300]}"


@dataclass(slots=True)
class Life:
    """One order's life as its bot saw it."""

    bot: int
    plan: Plan
    words: list[Word] = field(default_factory=list)

    def about(self, *what: str) -> list[Word]:
        """What was told about this."""
        return [word for word in self.words if word.about in what]

    @property
    def accepted(self) -> bool:
        """Whether the sidecar has said that it takes the order over."""
        return self.plan.way.carried and any(word.view for word in self.about("place", "repeat"))


_WAYS = (Way.NEUTRAL, Way.NEUTRAL, Way.NEUTRAL, Way.ASYNC, Way.ASYNC, Way.PLAIN, Way.KEYED)
_CARRIED_THEN = (
    *[Then.NOTHING] * 3,
    Then.LOOK,
    Then.WAIT,
    Then.WAIT,
    Then.TAKE_BACK,
    Then.TAKE_BACK,
    Then.CANCEL,
    Then.REPEAT,
)
_PLAIN_THEN = (Then.NOTHING, Then.NOTHING, Then.CANCEL)
_KEYED_THEN = (Then.NOTHING, Then.REPEAT, Then.REPEAT, Then.CANCEL)
_INSTRUMENTS = {"binance": ("BTCUSDT", "ETHUSDT"), "oanda": ("EUR_USD", "USD_JPY")}


def plans(seed: int, bot: int, count: int) -> list[Plan]:
    """The orders of one bot; the same under the same seed."""
    rng = Random(f"{seed}/bot/{bot}")
    return [_plan(rng, f"t{seed}-{bot}-{number}") for number in range(count)]


def _plan(rng: Random, client_id: str) -> Plan:
    broker = rng.choice(("binance", "oanda"))
    way = rng.choice(_WAYS)
    then = {Way.PLAIN: _PLAIN_THEN, Way.KEYED: _KEYED_THEN}.get(way, _CARRIED_THEN)
    return Plan(
        client_id,
        broker,
        rng.choice(_INSTRUMENTS[broker]),
        rng.choice(("market", "market", "market", "limit", "limit", "stop")),
        rng.choice(("buy", "sell")),
        way,
        rng.choice(then),
        prefer_wait=rng.choice((0, 0, 0, 1, 3)) if way.carried else 0,
        ttl_seconds=rng.choice((None, None, None, 0.5, 3.0)) if way is Way.NEUTRAL else None,
        patience=rng.choice((1, 4, 8, 8)),
    )


_QUANTITIES = {"BTCUSDT": "0.002", "ETHUSDT": "0.02", "EUR_USD": "10", "USD_JPY": "10"}
_FAR = {  # so far from the market that the order rests: a limit to buy, one to sell, a stop to buy, one to sell
    "BTCUSDT": ("58000", "62000", "62000", "58000"),
    "ETHUSDT": ("2900", "3100", "3100", "2900"),
    "EUR_USD": ("0.9", "1.4", "1.4", "0.9"),
    "USD_JPY": ("100", "200", "200", "100"),
}


def _price(plan: Plan) -> str:
    return _FAR[plan.instrument][2 * (plan.type == "stop") + (plan.side == "sell")]


def neutral(plan: Plan) -> dict[str, Any]:
    """The order for `POST /v1/orders`."""
    told: dict[str, Any] = {
        "broker": plan.broker,
        "instrument": plan.instrument,
        "side": plan.side,
        "type": plan.type,
        "quantity": _QUANTITIES[plan.instrument],
        "client_id": plan.client_id,
    }
    if plan.type != "market":
        told["price" if plan.type == "limit" else "stop_price"] = _price(plan)
    if plan.broker == "oanda":
        told["account"] = ACCOUNT
    if plan.ttl_seconds is not None:
        told["ttl_seconds"] = plan.ttl_seconds
    return told


def raw(plan: Plan) -> tuple[str, dict[str, Any] | None]:
    """The path and the JSON of the order in its broker's words."""
    if plan.broker == "oanda":
        units = ("-" if plan.side == "sell" else "") + _QUANTITIES[plan.instrument]
        order: dict[str, Any] = {
            "type": plan.type.upper(),
            "instrument": plan.instrument,
            "units": units,
            "clientExtensions": {"id": plan.client_id},
        }
        if plan.type != "market":
            order["price"] = _price(plan)
        return f"/oanda/v3/accounts/{ACCOUNT}/orders", {"order": order}
    common = f"symbol={plan.instrument}&side={plan.side.upper()}&quantity={_QUANTITIES[plan.instrument]}"
    more = f"&type=LIMIT&timeInForce=GTC&price={_price(plan)}" if plan.type == "limit" else "&type=MARKET"
    if plan.type == "stop":
        stop = f"&algoType=CONDITIONAL&type=STOP_MARKET&triggerPrice={_price(plan)}&clientAlgoId={plan.client_id}"
        return f"/binance/fapi/v1/algoOrder?{common}{stop}", None
    return f"/binance/fapi/v1/order?{common}{more}&newOrderRespType=RESULT&newClientOrderId={plan.client_id}", None


def cancel(plan: Plan) -> tuple[str, str]:
    """The method and the path by which the bot cancels the order at its broker."""
    if plan.broker == "oanda":
        return "PUT", f"/oanda/v3/accounts/{ACCOUNT}/orders/@{plan.client_id}/cancel"
    if plan.type == "stop":
        return "DELETE", f"/binance/fapi/v1/algoOrder?clientAlgoId={plan.client_id}"
    return "DELETE", f"/binance/fapi/v1/order?symbol={plan.instrument}&origClientOrderId={plan.client_id}"
