"""Expressed, signed and sent: every type and side is taken, its answer is understood, and it is found and cancelled."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import product

import aiohttp
import pytest
from yarl import URL

from sidecar.brokers.profile import Finding, Keys, Profile, Progress
from sidecar.clock import VirtualClock
from sidecar.simulator import Simulator
from sidecar.simulator.binance import BinanceBroker, Credentials
from sidecar.simulator.oanda import AccountSpec, OandaBroker, Rules
from sidecar.wire import Answer, Request
from sidecar.words import OrderState, OrderType, Outcome, Side
from tests.brokers.orders import BROKERS, WAITING, terms
from tests.brokers.test_profiles_hold_for_any_bytes import PROFILES

PRICES = {"binance-usdm": Decimal(60_000), "binance-spot": Decimal(60_000), "oanda": Decimal("1.1")}
STEP = Decimal("0.1")
"""How far away orders wait, as a share of the price."""


@dataclass
class Desk:
    """One simulated broker, and who trades there."""

    name: str
    broker: BinanceBroker | OandaBroker
    clock: VirtualClock
    url: str
    session: aiohttp.ClientSession

    @property
    def profile(self) -> Profile:
        return PROFILES[self.name]

    def waiting(self, kind: OrderType, side: Side) -> Decimal:
        """A price that the market has not reached for such an order."""
        above = (side is Side.BUY) == (kind is OrderType.STOP)
        price = PRICES[self.name]
        return price * (1 + STEP if above else 1 - STEP)

    def express(self, kind: OrderType, side: Side, *, reduce_only: bool = False) -> Request:
        at = self.waiting(kind, side)
        order = terms(
            self.name,
            side=side,
            type=kind,
            price=at if kind is OrderType.LIMIT else None,
            stop_price=at if kind in WAITING else None,
            reduce_only=reduce_only,
        )
        return self.profile.express(order)

    async def send(self, request: Request) -> Answer:
        credentials = Credentials()
        signer = self.profile.signer(Keys(credentials.key, credentials.secret, token=AccountSpec().token))
        assert signer is not None
        signed = signer.sign(request, self.clock.now())
        headers = {name.decode(): value.decode() for name, value in signed.headers}
        url = URL(self.url + signed.target, encoded=True)
        async with self.session.request(signed.method, url, headers=headers, data=signed.body or None) as told:
            return Answer(told.status, (), await told.read())

    async def progress(self, request: Request) -> Progress:
        answer = await self.send(request)
        assert self.profile.classify(self.profile.understand(request), answer).outcome is Outcome.OK, answer.body
        found = self.profile.progress(request, answer)
        assert found is not None
        return found

    async def look(self, request: Request) -> Finding:
        look = self.profile.look(request, self.profile.understand(request), self.clock.now)
        assert look is not None
        question = next(look)
        try:
            while True:
                question = look.send(await self.send(question))
        except StopIteration as end:
            found: Finding | None = end.value
        assert found is not None
        return found

    async def looked_up(self, request: Request) -> Progress | None:
        """How far the order is, as a look tells it."""
        found = await self.look(request)
        assert found.answer is not None
        return found.progress or self.profile.progress(request, found.answer)


@pytest.fixture
async def desk(request: pytest.FixtureRequest) -> AsyncIterator[Desk]:
    clock = VirtualClock(1_800_000_000.25)
    broker: BinanceBroker | OandaBroker = BinanceBroker(clock=clock)
    if request.param == "oanda":
        broker = OandaBroker(clock=clock, rules=Rules(moving=False))
    async with Simulator(broker).serving() as url, aiohttp.ClientSession() as session:
        yield Desk(request.param, broker, clock, url, session)


at_every_broker = pytest.mark.parametrize("desk", BROKERS, indirect=True)
at_every_futures_broker = pytest.mark.parametrize("desk", ["binance-usdm", "oanda"], indirect=True)
every_order = pytest.mark.parametrize(("kind", "side"), list(product(OrderType, Side)))
every_waiting_order = pytest.mark.parametrize(
    ("kind", "side"), [pair for pair in product(OrderType, Side) if pair[0] is not OrderType.MARKET]
)


@at_every_broker
@every_order
async def test_every_order_is_taken_and_is_where_its_answer_says(desk: Desk, kind: OrderType, side: Side) -> None:
    request = desk.express(kind, side)
    progress = await desk.progress(request)
    assert progress.state is (OrderState.FILLED if kind is OrderType.MARKET else OrderState.WORKING)
    (executed,) = desk.broker.executed().orders
    assert executed.client_id == "bs-1"
    assert executed.side.upper() == side.name
    assert progress.broker_order_id == executed.order_id


@at_every_broker
@every_order
async def test_a_look_tells_the_same_as_the_answer(desk: Desk, kind: OrderType, side: Side) -> None:
    request = desk.express(kind, side)
    told = await desk.progress(request)
    assert await desk.looked_up(request) == told


@at_every_broker
@every_waiting_order
async def test_a_waiting_order_is_cancelled_by_its_cancellation(desk: Desk, kind: OrderType, side: Side) -> None:
    request = desk.express(kind, side)
    placed = await desk.progress(request)
    cancel = desk.profile.cancellation(request)
    assert cancel is not None
    cancelled = await desk.progress(cancel)
    assert (cancelled.state, cancelled.broker_order_id) == (OrderState.CANCELLED, placed.broker_order_id)
    assert [gone.order_id for gone in desk.broker.executed().cancels] == [placed.broker_order_id]


@at_every_broker
@every_waiting_order
async def test_a_look_follows_an_order_that_has_filled_since(desk: Desk, kind: OrderType, side: Side) -> None:
    request = desk.express(kind, side)
    placed = await desk.progress(request)
    above = desk.waiting(kind, side) > PRICES[desk.name]
    symbol = "EUR_USD" if desk.name == "oanda" else "BTCUSDT"
    desk.broker.set_price(symbol, PRICES[desk.name] * (1 + 2 * STEP if above else 1 - 2 * STEP))
    found = await desk.looked_up(request)
    assert found is not None
    assert (found.state, found.broker_order_id) == (OrderState.FILLED, placed.broker_order_id)


@at_every_broker
@every_waiting_order
async def test_a_look_follows_an_order_that_was_cancelled_since(desk: Desk, kind: OrderType, side: Side) -> None:
    request = desk.express(kind, side)
    await desk.progress(request)
    cancel = desk.profile.cancellation(request)
    assert cancel is not None
    await desk.progress(cancel)
    found = await desk.looked_up(request)
    assert found is not None
    assert found.state is OrderState.CANCELLED


@at_every_futures_broker
async def test_an_order_that_only_reduces_opens_nothing(desk: Desk) -> None:
    await desk.progress(desk.express(OrderType.MARKET, Side.BUY))
    closing = await desk.progress(desk.express(OrderType.MARKET, Side.SELL, reduce_only=True))
    assert closing.state is OrderState.FILLED
    once_more = desk.express(OrderType.MARKET, Side.SELL, reduce_only=True)
    refused = desk.profile.progress(once_more, await desk.send(once_more))
    assert refused is not None
    assert refused.state is OrderState.REJECTED


@at_every_broker
async def test_the_market_price_is_the_ask_for_a_buy_and_the_bid_for_a_sell(desk: Desk) -> None:
    told = {}
    for side in Side:
        order = terms(desk.name, side=side)
        question = desk.profile.price_request(order)
        assert question is not None
        assert not desk.profile.understand(question).expires_at
        told[side] = desk.profile.told_price(order, await desk.send(question))
    bid, ask = told[Side.SELL], told[Side.BUY]
    assert bid is not None
    assert ask is not None
    assert bid < PRICES[desk.name] < ask
