import asyncio
import json
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.api.events import HEARTBEAT_SECONDS, Events, as_json
from sidecar.telemetry.events import (
    BreakerTransition,
    Bus,
    CallFinished,
    Event,
    GateOpened,
    LimitReset,
    Stamped,
    Started,
    TraceContext,
)
from sidecar.words import BreakerState, Effect, Outcome, Priority

from .support import Client, HandClock, House, get


async def follow(home: House, query: str = "") -> Client:
    client = await home.connect()
    client.writer.write(get(f"/v1/events{query}"))
    assert b"Content-Type: text/event-stream" in await client.head()
    assert (await client.chunk()).startswith(b":")
    return client


def finished(**change: object) -> CallFinished:
    fields: dict[str, object] = {
        "id": "1",
        "broker": "binance",
        "endpoint": "place_order",
        "group": "orders",
        "effect": Effect.OPENS_RISK,
        "priority": Priority.ORDER,
        "method": "POST",
        "outcome": Outcome.OK,
        "attempts": 1,
        "why": None,
        "source": "broker",
        "status": 200,
        "received": 1.0,
        "seconds": 0.5,
        "waited": 0.0,
        "overhead": 0.0,
        "trace": TraceContext(10, 0, sampled=True),
        "trail": (Stamped(1.0, GateOpened("binance")),),
        "audit": "order_placed",
        "request": (("side", "BUY"),),
    }
    return CallFinished(**{**fields, **change})  # type: ignore[arg-type]  # the fields come by name


async def test_what_happens_is_told_as_it_happens(at_home: House) -> None:
    client = await follow(at_home)
    at_home.bus.emit(
        BreakerTransition("binance", "orders", BreakerState.CLOSED, BreakerState.OPEN, "failures", retry_in=60.0)
    )
    kind, data, *end = (await client.chunk()).split(b"\n")
    assert (kind, end) == (b"event: BreakerTransition", [b"", b""])
    assert json.loads(data.removeprefix(b"data: ")) == {
        "broker": "binance",
        "group": "orders",
        "from_state": "closed",
        "to_state": "open",
        "reason": "failures",
        "retry_in": 60.0,
        "note": "",
    }
    await client.hang_up()


async def test_several_clients_are_told_the_same(at_home: House) -> None:
    clients = [await follow(at_home), await follow(at_home)]
    at_home.bus.emit(GateOpened("binance"))
    told = [await client.chunk() for client in clients]
    assert told == [b'event: GateOpened\ndata: {"broker":"binance"}\n\n'] * 2
    for client in clients:
        await client.hang_up()


async def test_filters_by_broker_and_kind_let_only_matching_events_pass(at_home: House) -> None:
    client = await follow(at_home, "?broker=oanda&kind=GateOpened&kind=LimitReset")
    at_home.bus.emit(GateOpened("binance"))
    at_home.bus.emit(Started("1", "bot", 0.1))
    at_home.bus.emit(finished(broker="oanda"))
    at_home.bus.emit(GateOpened("oanda"))
    at_home.bus.emit(LimitReset("oanda", "x"))
    told = await client.chunk()
    assert [line for line in told.split(b"\n") if line.startswith(b"event")] == [
        b"event: GateOpened",
        b"event: LimitReset",
    ]
    await client.hang_up()


@pytest.mark.parametrize(("query", "status"), [("?broker=kraken", 404), ("?kind=Nonsense", 400)])
async def test_a_filter_that_can_never_match_is_refused(at_home: House, query: str, status: int) -> None:
    assert (await at_home.ask(get(f"/v1/events{query}"))).status == status


async def test_silence_is_broken_by_a_heartbeat(at_home: House) -> None:
    client = await follow(at_home)
    at_home.clock.keep(HEARTBEAT_SECONDS)
    assert (await client.chunk()).startswith(b":")
    at_home.clock.keep(HEARTBEAT_SECONDS)
    assert (await client.chunk()).startswith(b":")
    await client.hang_up()


async def test_a_client_that_leaves_is_forgotten(at_home: House) -> None:
    client = await follow(at_home)
    assert len(at_home.clock.waiting(HEARTBEAT_SECONDS)) == 1
    await client.hang_up()
    await at_home.clock.until(waiting=0, seconds=HEARTBEAT_SECONDS)


async def test_the_stop_ends_the_events(at_home: House) -> None:
    client = await follow(at_home)
    async with asyncio.timeout(5):
        assert await at_home.api.stop(3600) == 0
    await client.hang_up()


async def test_a_client_that_cannot_keep_up_loses_the_newest_and_is_told_how_many() -> None:
    bus = Bus(HandClock())
    lines = Events(bus, HandClock(), queue_events=2).follow()
    await anext(lines)
    for number in range(5):
        bus.emit(LimitReset("binance", str(number)))
    assert (await anext(lines)).split(b"\n\n") == [
        b'event: LimitReset\ndata: {"broker":"binance","reason":"0"}',
        b'event: LimitReset\ndata: {"broker":"binance","reason":"1"}',
        b'event: dropped\ndata: {"count":3}',
        b"",
    ]
    bus.emit(LimitReset("binance", "5"))
    assert b"dropped" not in await anext(lines)


def test_a_call_is_told_without_its_trail_and_with_a_trace_id_that_can_be_searched_for() -> None:
    told = json.loads(as_json(finished()))
    assert "trail" not in told
    assert told["trace"] == {"trace_id": "0" * 31 + "a", "parent_id": "0" * 16, "sampled": True}
    assert (told["priority"], told["request"]) == ("order", {"side": "BUY"})


@pytest.mark.parametrize("kind", get_args(Event))
@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_every_event_is_one_line_of_json(kind: type, data: st.DataObject) -> None:
    event = data.draw(st.from_type(kind))
    told = as_json(event)
    assert b"\n" not in told
    assert isinstance(json.loads(told), dict)
