"""Bots' own calls with and without `Prefer: respond-async`, as the proxy meets them."""

import asyncio
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
from sidecar.orders.errors import ConflictError, DoubtfullyRecordedError
from sidecar.orders.idempotency import IdempotentGateway
from sidecar.orders.keys import Keys
from sidecar.store import StoreFullError
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
            shop.desk._sent_directly = {"binance": front.knows}
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


NEUTRAL = {"broker": "binance", "instrument": "BTCUSDT", "side": "buy", "quantity": "1", "client_id": "c1"}


@pytest.mark.parametrize("key", [None, b"k1"], ids=["client id", "key"])
@pytest.mark.parametrize("pause", [0, 10], ids=["at once", "later"])
def test_an_order_that_was_sent_directly_is_not_handed_in_as_well(
    tmp_path: Path, key: bytes | None, pause: float
) -> None:
    door = Door(tmp_path, client_id_seconds=600 if key is None else 0)
    draft = OrderDraft.model_validate(NEUTRAL)

    async def life() -> None:
        door.shop.store.reads_take = 0.1
        direct = asyncio.create_task(door.send(proxied(), *(() if key is None else KEY)))
        await door.shop.clock.sleep(pause)
        with pytest.raises(ConflictError, match="sent to the broker directly"):
            await door.shop.desk.place(draft, key=key)
        await direct
        await door.shop.clock.sleep(10)

    door.run(life)
    assert door.shop.broker.executions == ["c1"]


@pytest.mark.parametrize("key", [None, b"k1"], ids=["client id", "key"])
def test_an_order_that_is_handed_in_is_not_sent_directly_at_the_same_moment(tmp_path: Path, key: bytes | None) -> None:
    door = Door(tmp_path, client_id_seconds=600 if key is None else 0)
    draft = OrderDraft.model_validate(NEUTRAL)

    async def life() -> None:
        door.shop.store.reads_take = 0.1
        direct = proxied(), *(() if key is None else KEY)
        await asyncio.gather(door.shop.desk.place(draft, key=key), door.send(*direct), return_exceptions=True)
        await door.shop.clock.sleep(10)

    door.run(life)
    assert door.shop.broker.executions == ["c1"]


def test_whether_an_order_came_before_is_not_denied_while_the_disk_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    door = Door(tmp_path, client_id_seconds=600)

    async def unreadable(_keys: Keys, _key: str, _seconds: float | None) -> None:
        await asyncio.sleep(0)
        raise StoreFullError("unreadable")

    async def life() -> None:
        monkeypatch.setattr(Keys, "find", unreadable)
        with pytest.raises(DoubtfullyRecordedError, match="perhaps taken, if it came before"):
            await door.shop.place("c1")

    door.run(life)
    assert door.shop.broker.executions == []


def test_what_reduces_risk_is_handed_in_under_an_id_that_was_sent_directly(tmp_path: Path) -> None:
    door = Door(tmp_path, client_id_seconds=600)

    async def life() -> None:
        await door.send(proxied())
        await door.shop.desk.place(OrderDraft.model_validate(NEUTRAL | {"side": "sell", "reduce_only": True}))
        await door.shop.clock.sleep(10)

    door.run(life)
    assert door.shop.broker.executions == ["c1", "c1"]


@pytest.mark.parametrize("key", [KEY, ()], ids=["key", "client id"])
@pytest.mark.parametrize("ways", [(ASYNC, ()), ((), ASYNC)], ids=["carried first", "sent first"])
def test_a_key_holds_for_an_order_that_goes_both_ways_at_once(
    tmp_path: Path, ways: tuple[Headers, Headers], key: Headers
) -> None:
    door = Door(tmp_path, client_id_seconds=600)

    async def life() -> None:
        door.shop.store.reads_take = 0.1
        await asyncio.gather(*(door.send(proxied(), *way, *key) for way in ways))
        await door.shop.clock.sleep(10)

    door.run(life)
    assert door.shop.broker.executions == ["c1"]


def test_an_order_that_a_slow_disk_is_still_taking_is_not_sent_directly_as_well(tmp_path: Path) -> None:
    door = Door(tmp_path)

    async def life() -> tuple[Outgoing, Outgoing]:
        door.shop.store.takes = 5
        carried = asyncio.create_task(door.send(proxied(), *ASYNC))
        await door.shop.clock.sleep(0.5)
        told = await door.send(proxied()), await carried
        await door.shop.clock.sleep(30)
        return told

    direct, carried = door.run(life)
    assert door.shop.broker.executions == ["c1"]
    assert (direct.answer.status, carried.answer.status) == (422, 202)


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
