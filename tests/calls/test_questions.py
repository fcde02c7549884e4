"""What the sidecar itself asks a broker: with which keys, of whom, and what it never asks."""

import asyncio
from typing import Any

import pytest

from sidecar.brokers.profile import Finding
from sidecar.calls.asking import Unanswered
from sidecar.calls.model import Result
from sidecar.calls.questions import LOOK_SECONDS, LookupImpossible
from sidecar.calls.transport import MaybeSent, NotSent
from sidecar.config.credentials import keys_of
from sidecar.config.model import Credentials
from sidecar.telemetry.events import LoginFinished
from sidecar.wire import Request, header
from sidecar.words import Outcome
from tests.calls import tokens
from tests.calls.scripted import BAD_KEY, DEFINITE, FILLED, READ, Bench, Step, answer, order
from tests.calls.tokens import ACCEPTED, EXPIRED, World, logged_in

OLD = {"key": "old", "secret": "s"}
NEW = {"key": "new", "secret": "t"}
LOST = MaybeSent("reset", "ServerDisconnectedError")
MINE = order(newClientOrderId="mine")
FOUND = answer(
    200,
    {"orderId": 7, "clientOrderId": "mine", "status": "FILLED", "side": "BUY", "time": 1_800_000_000_000},
)
STALE = answer(400, {"code": -1021, "msg": "Timestamp for this request is outside of the recvWindow."})
TIME = answer(200, {"serverTime": 1_800_000_005_000})
STREAMS = {"stream_url": "http://127.0.0.1:1"}


def bench(*script: Step, **settings: Any) -> Bench:
    return Bench(script, **{"credentials": OLD, **settings})


def turn_to(world: Bench, keys: dict[str, str]) -> bool:
    """Reload the configuration with these keys in it."""
    running = world.gateway._settings
    settings = running.model_copy(update={"credentials": Credentials.model_validate(keys)})
    return world.gateway.adopt(settings, keys_of(settings.credentials))


def keys_shown(world: Bench) -> list[bytes | None]:
    return [header(request.headers, b"x-mbx-apikey") for request in world.wire.requests]


async def look_up(world: Bench, request: Request = MINE, *, routine: bool = False) -> Finding | None:
    return await world.gateway.questions.look_up(request, placed_at=1_800_000_000, number=1, routine=routine)


# One question


def test_a_question_is_signed_by_the_sidecar() -> None:
    world = bench(FILLED)
    assert world.clock.run(world.gateway.questions.ask(READ)) is FILLED
    assert keys_shown(world) == [b"old"]


@pytest.mark.parametrize("step", [DEFINITE, BAD_KEY, NotSent("connect", "x"), LOST])
def test_what_is_no_answer_is_not_taken_for_one(step: Step) -> None:
    world = bench(step)
    with pytest.raises(Unanswered):
        world.clock.run(world.gateway.questions.ask(READ))


def test_a_question_takes_no_longer_than_a_look_may() -> None:
    world = bench(FILLED, takes=60)
    world.clock.run(world.gateway.questions.ask(READ))
    assert world.clock.monotonic() == pytest.approx(LOOK_SECONDS)


# Looks at orders


def test_an_order_is_looked_up_by_its_id() -> None:
    world = bench(FOUND)
    found = world.clock.run(look_up(world))
    assert found is not None
    assert found.status == "FILLED"
    assert "origClientOrderId=mine" in world.wire.requests[0].target


@pytest.mark.parametrize(("request_", "settings"), [(order(), {}), (MINE, {"credentials": {}})])
def test_an_order_without_an_id_or_at_a_broker_without_keys_cannot_be_looked_up(
    request_: Request, settings: dict[str, Any]
) -> None:
    world = bench(FOUND, **settings)
    with pytest.raises(LookupImpossible):
        world.clock.run(look_up(world, request_))
    assert world.attempts == 0


@pytest.mark.parametrize(("routine", "asked"), [(True, 1), (False, 3)])
def test_only_routine_looks_share_what_the_broker_says(routine: bool, asked: int) -> None:
    world = bench(FOUND)

    async def main() -> None:
        await asyncio.gather(*(look_up(world, routine=routine) for _ in range(3)))

    world.clock.run(main())
    assert world.attempts == asked


# Streams


@pytest.mark.parametrize(
    ("settings", "tells"),
    [
        (STREAMS, True),
        ({}, False),
        (STREAMS | {"credentials": {}}, False),
        (STREAMS | {"credentials": OLD | {"use": "lookup"}}, False),
        (STREAMS | {"profile": "binance-spot"}, False),
    ],
)
def test_a_stream_of_orders_needs_its_address_and_keys_that_place_orders(settings: dict[str, Any], tells: bool) -> None:
    questions = bench(FILLED, **settings).gateway.questions
    assert questions.tells_of_orders is tells
    assert (questions.order_stream("") is not None) is tells


# Other keys


def test_the_next_question_goes_with_the_new_keys() -> None:
    world = bench(FILLED)
    world.clock.run(world.gateway.questions.ask(READ))
    assert turn_to(world, NEW) is True
    world.clock.run(world.gateway.questions.ask(READ))
    assert keys_shown(world) == [b"old", b"new"]


def test_a_question_under_way_ends_with_the_keys_that_it_began_with() -> None:
    world = bench(STALE, TIME, FILLED)

    async def main() -> None:
        asking = asyncio.create_task(world.gateway.questions.ask(READ))
        await world.clock.sleep(0.05)
        turn_to(world, NEW)
        await asking

    world.clock.run(main())
    assert keys_shown(world) == [b"old"] * 3


def test_a_call_that_ends_in_doubt_is_looked_up_with_the_keys_that_it_was_sent_with() -> None:
    world = bench(LOST, FOUND)

    async def main() -> Result:
        call = asyncio.create_task(world.gateway.run(MINE, deadline_seconds=30))
        await world.clock.sleep(0.2)
        turn_to(world, NEW)
        return await call

    assert world.clock.run(main()).fate.reconciled
    assert keys_shown(world) == [b"old", b"old"]


OTHERS = {"user_name": "grace", "key": "api-key-of-grace"}


def test_a_new_session_serves_new_calls_and_the_retired_one_those_under_way() -> None:
    world = World([logged_in("first"), logged_in("second"), logged_in("third")], [ACCEPTED, EXPIRED, ACCEPTED])

    async def main() -> list[Result]:
        await world.gateway.run(tokens.ACCOUNTS)
        await world.clock.sleep(60)
        under_way = asyncio.create_task(world.gateway.run(tokens.order(), deadline_seconds=30))
        await world.clock.sleep(0.01)
        turn_to(world, OTHERS)
        retired = await under_way
        assert b"api-key-of-ada" in world.login_request.body
        return [retired, await world.gateway.run(tokens.order(), deadline_seconds=30)]

    assert [result.fate.outcome for result in world.clock.run(main())] == [Outcome.OK, Outcome.OK]
    assert world.shown == ["first", "first", "third", "second"]


def test_the_same_keys_again_keep_the_session() -> None:
    world = World([logged_in()], [ACCEPTED])
    world.call(tokens.order())
    assert turn_to(world, tokens.KEYS) is False
    world.call(tokens.order())
    assert world.shown == ["first", "first"]


def test_closing_gives_up_the_logins_of_retired_sessions_too() -> None:
    world = World([logged_in()], [ACCEPTED])

    async def main() -> None:
        world.gateway.questions.open()
        await world.clock.sleep(0.05)
        turn_to(world, OTHERS)
        await world.clock.sleep(0.05)
        await world.gateway.questions.close()
        await world.clock.sleep(5)

    world.clock.run(main())
    assert len(world.logins) == 2
    assert world.events(LoginFinished) == []
