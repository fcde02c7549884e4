import asyncio

import pytest

from sidecar.wire import Answer, Request

from .support import House, get, post


class Held:
    """A call that the test holds at the broker."""

    def __init__(self, home: House) -> None:
        self.arrived = asyncio.Event()
        self.release = asyncio.Event()
        self.cancelled = False
        home.binance.answer = self.answer

    async def answer(self, request: Request) -> Answer:
        del request
        self.arrived.set()
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return Answer(200, (), b"done")


@pytest.fixture
def held(at_home: House) -> Held:
    return Held(at_home)


async def stopping(home: House, seconds: float) -> "asyncio.Task[int]":
    """Begin the stop and return once it waits."""
    stop = asyncio.create_task(home.api.stop(seconds))
    await home.clock.until(waiting=1, seconds=seconds)
    return stop


async def test_a_call_in_flight_gets_its_answer_and_the_connection_is_closed(at_home: House, held: Held) -> None:
    client = await at_home.connect()
    client.writer.write(post("/binance/order", b"x"))
    await held.arrived.wait()
    stop = await stopping(at_home, 30)
    held.release.set()
    told = await client.answer()
    assert (told.status, told.body, told.header(b"connection")) == (200, b"done", b"close")
    assert await client.rest() == b""
    assert await stop == 0
    await client.hang_up()


async def test_no_new_connection_is_accepted_while_calls_end(at_home: House, held: Held) -> None:
    address = at_home.api.tcp_address
    assert address is not None
    client = await at_home.connect()
    client.writer.write(get("/binance/x"))
    await held.arrived.wait()
    stop = await stopping(at_home, 30)
    with pytest.raises(FileNotFoundError):
        await at_home.connect()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*address)
    held.release.set()
    await stop
    await client.hang_up()


async def test_an_idle_connection_is_closed_at_once(at_home: House, held: Held) -> None:
    idle, busy = await at_home.connect("tcp"), await at_home.connect()
    await idle.ask(get("/oanda/x"))
    busy.writer.write(get("/binance/x"))
    await held.arrived.wait()
    stop = await stopping(at_home, 30)
    assert await idle.rest() == b""
    assert not stop.done()
    held.release.set()
    await stop
    await idle.hang_up()
    await busy.hang_up()


async def test_the_metrics_stay_readable_and_say_stopping_while_calls_end(at_home: House, held: Held) -> None:
    client = await at_home.connect()
    client.writer.write(get("/binance/x"))
    await held.arrived.wait()
    stop = await stopping(at_home, 30)
    assert (await at_home.ask(get("/metrics"), "scrape")).status == 200
    told = await at_home.ask(get("/readyz"), "scrape")
    assert (told.status, told.body) == (503, b"stopping\n")
    held.release.set()
    await stop
    await client.hang_up()


async def test_calls_that_outlast_the_budget_are_cut_and_counted(at_home: House, held: Held) -> None:
    client = await at_home.connect()
    client.writer.write(get("/binance/x"))
    await held.arrived.wait()
    stop = await stopping(at_home, 30)
    at_home.clock.keep(30)
    assert await stop == 1
    assert held.cancelled
    assert await client.rest() == b""
    await client.hang_up()


async def test_a_stop_without_a_budget_waits_for_nobody(at_home: House, held: Held) -> None:
    client = await at_home.connect()
    client.writer.write(get("/binance/x"))
    await held.arrived.wait()
    assert await at_home.api.stop(0) == 1
    await client.hang_up()


async def test_a_stop_without_calls_takes_no_time_and_may_be_repeated(at_home: House) -> None:
    assert await at_home.api.stop(3600) == 0
    assert await at_home.api.stop(3600) == 0
