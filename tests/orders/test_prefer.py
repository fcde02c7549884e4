"""Bots' own calls with and without `Prefer: respond-async`, as the proxy meets them."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from sidecar.api.exchange import Incoming, Outgoing
from sidecar.api.guard import Guard, Hosts
from sidecar.api.orders import order_routes
from sidecar.api.proxy import Proxy
from sidecar.api.routes import Asked
from sidecar.orders.draft import OrderDraft
from sidecar.orders.idempotency import IdempotentGateway
from sidecar.orders.keys import Keys
from sidecar.wire import Answer, Headers, Request, header
from tests.orders.carrying import Shop, away, back, proxied

T = TypeVar("T")
ASYNC = ((b"Prefer", b"respond-async"),)
KEY = ((b"Idempotency-Key", b"k1"),)


class Door:
    """The proxy before a shop."""

    def __init__(self, folder: Path, fates: tuple[str, ...] = (), *, client_id_seconds: float = 0) -> None:
        self.shop = Shop(folder, fates, client_id_seconds=client_id_seconds)
        self.client_id_seconds = client_id_seconds

    def run(self, life: Callable[[], Awaitable[T]]) -> T:
        async def main() -> T:
            shop = self.shop
            bench = shop.bench
            front = IdempotentGateway(
                bench.gateway,
                bench.gateway._profile,
                Keys(shop.store, "binance", 86400, shop.clock),
                deadline_seconds=9,
                bus=bench.gateway._bus,
                clock=shop.clock,
                client_id_seconds=self.client_id_seconds,
            )
            self.proxy = Proxy(
                {"binance": front}, Guard(Hosts("127.0.0.1"), token=None, uids=()), bench.gateway._bus, shop.desk
            )
            return await life()

        return self.shop.run(main)

    async def send(self, request: Request, *headers: tuple[bytes, bytes]) -> Outgoing:
        async def read() -> bytes:
            return request.body

        return await self.proxy.handle(
            Incoming(
                method=request.method,
                target=f"/binance{request.target}",
                headers=(*request.headers, *headers),
                listener="unix",
                uid=None,
                read=read,
                gone=lambda: False,
            )
        )


def fate(outgoing: Outgoing) -> str:
    return (header(outgoing.extra, b"sidecar-fate") or b"").decode()


NAMELESS = proxied(newClientOrderId="")


def test_a_preference_for_waiting_does_not_keep_a_cancel_of_everything_from_what_waits(tmp_path: Path) -> None:
    door = Door(tmp_path)

    async def life() -> None:
        await away(door.shop)
        await door.shop.place()
        everything = Request("DELETE", "/fapi/v1/allOpenOrders?symbol=BTCUSDT", ())
        await door.send(everything, *ASYNC)
        await back(door.shop)

    door.run(life)
    assert door.shop.broker.executions == []


def test_an_order_with_a_key_that_comes_again_is_the_same_order(tmp_path: Path) -> None:
    door = Door(tmp_path)

    async def life() -> list[bytes | None]:
        told = [await door.send(NAMELESS, *ASYNC, *KEY) for _ in range(2)]
        await door.shop.clock.sleep(10)
        return [header(outgoing.answer.headers, b"location") for outgoing in told]

    first, second = door.run(life)
    assert first == second
    assert len(door.shop.broker.executions) == 1


def test_a_neutral_order_with_a_key_that_comes_again_is_the_same_order(tmp_path: Path) -> None:
    shop = Shop(tmp_path)

    async def life() -> list[bytes | None]:
        place = order_routes(shop.desk)[0].handler
        draft = OrderDraft.model_validate({"broker": "binance", "instrument": "X", "side": "buy", "quantity": "1"})
        told = []
        for _ in range(2):
            answering = place(Asked({}, {}, draft, KEY))
            assert not isinstance(answering, Answer)
            told.append(header((await answering).headers, b"location"))
        await shop.clock.sleep(10)
        return told

    first, second = shop.run(life)
    assert first == second
    assert len(shop.broker.executions) == 1


def test_a_key_that_was_used_for_another_order_is_refused(tmp_path: Path) -> None:
    door = Door(tmp_path)

    async def life() -> Outgoing:
        await door.send(NAMELESS, *ASYNC, *KEY)
        return await door.send(proxied(newClientOrderId="", quantity="2"), *ASYNC, *KEY)

    outgoing = door.run(life)
    assert outgoing.answer.status == 422
    assert fate(outgoing).startswith("fatal; attempts=0")


@pytest.mark.parametrize("ways", [(ASYNC, ()), ((), ASYNC)], ids=["carried first", "sent first"])
def test_a_key_holds_whichever_way_its_order_goes(tmp_path: Path, ways: tuple[Headers, Headers]) -> None:
    door = Door(tmp_path)

    async def life() -> None:
        for way in ways:
            await door.send(NAMELESS, *way, *KEY)
            await door.shop.clock.sleep(10)

    door.run(life)
    assert len(door.shop.broker.executions) == 1


def test_a_client_id_that_counts_as_a_key_holds_for_an_order_that_is_carried_later(tmp_path: Path) -> None:
    door = Door(tmp_path, client_id_seconds=600)

    async def life() -> None:
        await door.send(proxied())
        await door.send(proxied(), *ASYNC)
        await door.shop.clock.sleep(10)

    door.run(life)
    assert door.shop.broker.executions == ["c1"]


@pytest.mark.parametrize("neutral", [True, False])
def test_a_client_id_that_counts_as_a_key_holds_for_an_order_that_was_carried_before(
    tmp_path: Path, *, neutral: bool
) -> None:
    door = Door(tmp_path, client_id_seconds=600)

    async def life() -> Outgoing:
        if neutral:
            await door.shop.place("c1")
        else:
            await door.send(proxied(), *ASYNC)
        await door.shop.clock.sleep(500)
        return await door.send(proxied())

    outgoing = door.run(life)
    assert door.shop.broker.executions == ["c1"]
    assert (outgoing.answer.status, fate(outgoing)) == (422, "fatal; attempts=0; why=bad_request; from=sidecar")
    assert b"/v1/orders/" in outgoing.answer.body


@pytest.mark.parametrize("seconds", [0, 400])
def test_the_client_id_of_a_carried_order_that_has_ended_may_be_used_again_once_it_counts_no_more(
    tmp_path: Path, seconds: float
) -> None:
    door = Door(tmp_path, client_id_seconds=seconds)

    async def life() -> None:
        await door.send(proxied(), *ASYNC)
        await door.shop.clock.sleep(500)
        await door.send(proxied())

    door.run(life)
    assert door.shop.broker.executions == ["c1", "c1"]


def test_what_reduces_risk_is_not_kept_back_by_a_client_id(tmp_path: Path) -> None:
    door = Door(tmp_path, client_id_seconds=600)

    async def life() -> None:
        await door.send(proxied(), *ASYNC)
        await door.shop.clock.sleep(10)
        await door.send(proxied(side="SELL", reduceOnly="true"))

    door.run(life)
    assert door.shop.broker.executions == ["c1", "c1"]


def test_an_order_is_carried_whose_client_id_was_sent_before_and_counts_no_more(tmp_path: Path) -> None:
    door = Door(tmp_path, client_id_seconds=60)

    async def life() -> Outgoing:
        await door.send(proxied())
        await door.shop.clock.sleep(100)
        return await door.send(proxied(), *ASYNC)

    assert door.run(life).answer.status == 202


def test_an_order_that_waits_is_not_sent_a_second_time_by_its_impatient_bot(tmp_path: Path) -> None:
    door = Door(tmp_path)

    async def life() -> Outgoing:
        await away(door.shop)
        await door.send(proxied(), *ASYNC)
        door.shop.broker.away = False
        outgoing = await door.send(proxied())
        await door.shop.clock.sleep(120)
        return outgoing

    outgoing = door.run(life)
    assert door.shop.broker.executions == ["c1"]
    assert outgoing.answer.status == 422
    assert b"/v1/orders/" in outgoing.answer.body


@pytest.mark.parametrize(
    ("fates", "prefer", "told"),
    [
        ((), b"respond-async, wait=5", "accepted; state=filled; attempts=1"),
        (("margin",), b"respond-async, wait=5", "accepted; state=rejected; attempts=1"),
        (("lost",), b"respond-async, wait=20", "accepted; state=in_doubt; attempts=1"),
    ],
)
def test_the_fate_tells_whether_a_carried_order_has_been_sent(
    tmp_path: Path, fates: tuple[str, ...], prefer: bytes, told: str
) -> None:
    door = Door(tmp_path, fates)
    outgoing = door.run(lambda: door.send(proxied(), (b"Prefer", prefer)))
    assert fate(outgoing) == told


def test_an_order_under_way_is_never_told_as_not_sent(tmp_path: Path) -> None:
    door = Door(tmp_path)
    door.shop.broker.takes = 5
    outgoing = door.run(lambda: door.send(proxied(), (b"Prefer", b"respond-async, wait=1")))
    assert fate(outgoing) == "accepted; state=sending; attempts=1"
