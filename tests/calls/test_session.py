"""A broker that wants a login: one for everybody, a new one in time, and the token nowhere but on the wire."""

import asyncio
import base64
import json

import pytest

from sidecar.calls.model import Result
from sidecar.calls.session import REFUSED_PAUSE_SECONDS
from sidecar.calls.transport import MaybeSent, NotSent
from sidecar.telemetry.events import CallFinished, LoginFinished, RetryScheduled
from sidecar.wire import Answer, Request, header
from sidecar.words import LoginResult, Outcome, RefusalKind
from tests.calls.scripted import Step, answer
from tests.calls.tokens import ACCEPTED, ACCOUNTS, DAY, EXPIRED, KEYS, WRONG_KEY, World, logged_in, order, token


def test_the_first_call_waits_for_the_login_and_shows_its_token() -> None:
    world = World([logged_in()], [ACCEPTED])
    assert world.call(order()).fate.outcome is Outcome.OK
    assert json.loads(world.login_request.body) == {"userName": "ada", "apiKey": "api-key-of-ada"}
    assert world.shown == ["first"]
    assert world.events(LoginFinished) == [LoginFinished("binance", LoginResult.OK)]


def test_what_the_bot_shows_never_reaches_the_broker() -> None:
    world = World([logged_in()], [ACCEPTED])
    world.call(order())
    assert [name for name, _ in world.wire.requests[0].headers] == [b"Authorization"]
    assert header(world.login_request.headers, b"authorization") is None


def test_calls_that_come_at_once_share_one_login() -> None:
    world = World([logged_in()], [ACCEPTED])
    results = world.together(*[order()] * 20)
    assert {result.fate.outcome for result in results} == {Outcome.OK}
    assert len(world.logins) == 1


def test_a_token_serves_every_call_of_its_life() -> None:
    world = World([logged_in()], [ACCEPTED])
    world.call_at(0, 3600, DAY - 3700)
    assert len(world.logins) == 1


def test_a_token_is_renewed_before_it_ends_and_no_call_waits_for_it() -> None:
    world = World([logged_in("first"), logged_in("second")], [ACCEPTED])
    world.call_at(0, DAY - 1800, DAY + 60)
    assert world.logins == pytest.approx([0, DAY - 1800])
    assert world.shown == ["first", "first", "second"]
    assert world.wire.sent_at[1] == pytest.approx(DAY - 1800)


def test_the_life_of_a_token_is_what_it_says_of_itself() -> None:
    now = 1_800_000_000
    world = World([logged_in("first", now + 600), logged_in("second", now + 1200)], [ACCEPTED])
    world.call_at(0, 530, 545)
    assert world.logins == pytest.approx([0, 545], abs=1)


def test_a_token_that_ended_while_nobody_called_is_not_shown_again() -> None:
    world = World([logged_in("first"), logged_in("second")], [ACCEPTED])
    world.call_at(0, 3 * DAY)
    assert world.shown == ["first", "second"]


def test_a_failed_renewal_leaves_the_old_token_in_use_while_it_is_good() -> None:
    world = World([logged_in("first"), NotSent("connect", "x"), logged_in("second")], [ACCEPTED])
    results = world.call_at(0, DAY - 1800, DAY - 1790, DAY - 1700)
    assert {result.fate.outcome for result in results} == {Outcome.OK}
    assert world.shown == ["first", "first", "first", "second"]


# 401


def test_a_token_that_the_broker_refuses_is_replaced_and_the_call_sent_once_more() -> None:
    world = World([logged_in("first"), logged_in("second")], [ACCEPTED, EXPIRED, ACCEPTED])
    first, second = world.call_at(0, 60, request=order())
    assert (first.fate.attempts, second.fate.attempts) == (1, 2)
    assert second.fate.outcome is Outcome.OK
    assert world.shown == ["first", "first", "second"]
    assert [event.reason for event in world.events(RetryScheduled)] == ["auth"]


def test_a_call_that_is_refused_again_is_not_sent_a_third_time() -> None:
    world = World([logged_in()], [ACCEPTED, EXPIRED, EXPIRED])
    _, second = world.call_at(0, 60, request=order())
    assert second.answer is EXPIRED
    assert second.fate.outcome is Outcome.FATAL
    assert world.attempts == 3


def test_a_slow_broker_that_refuses_every_token_is_asked_twice_and_no_more() -> None:
    world = World([logged_in()], [EXPIRED], takes=15)
    assert world.call(order(), deadline=600).answer is EXPIRED
    assert world.attempts == 2


@pytest.mark.parametrize("status", [400, 403, 404])
def test_only_a_401_is_a_matter_of_the_token(status: int) -> None:
    world = World([logged_in("first"), logged_in("second")], [ACCEPTED, answer(status, "")])
    _, second = world.call_at(0, 60, request=order())
    assert (second.fate.outcome, second.fate.attempts) == (Outcome.FATAL, 1)
    assert len(world.logins) == 1


def test_a_call_that_hears_late_of_an_old_token_uses_the_new_one() -> None:
    world = World([logged_in("first"), logged_in("second")], [ACCEPTED, EXPIRED, EXPIRED, ACCEPTED])

    async def main() -> list[Result]:
        await world.gateway.run(ACCOUNTS)
        await world.clock.sleep(60)
        world.wire.takes = 2.0
        late = asyncio.create_task(world.gateway.run(order(), deadline_seconds=30))
        await world.clock.sleep(0.1)
        world.wire.takes = 0.1
        early = await world.gateway.run(order(), deadline_seconds=30)
        return [early, await late]

    assert [result.fate.outcome for result in world.clock.run(main())] == [Outcome.OK, Outcome.OK]
    assert world.shown == ["first", "first", "first", "second", "second"]
    assert len(world.logins) == 2


def test_calls_refused_together_log_in_once() -> None:
    world = World([logged_in("first"), logged_in("second")], [ACCEPTED, *[EXPIRED] * 5, ACCEPTED])

    async def main() -> list[Result]:
        await world.gateway.run(ACCOUNTS)
        await world.clock.sleep(60)
        return await asyncio.gather(*(world.gateway.run(order(), deadline_seconds=30) for _ in range(5)))

    assert {result.fate.outcome for result in world.clock.run(main())} == {Outcome.OK}
    assert len(world.logins) == 2


def test_a_fresh_token_that_is_refused_is_not_exchanged_for_another() -> None:
    world = World([logged_in()], [EXPIRED])
    assert world.call(order()).fate.outcome is Outcome.FATAL
    assert len(world.logins) == 1
    assert world.attempts == 1


@pytest.mark.parametrize("lost", [MaybeSent("reset", "x"), answer(502, "<html>"), answer(200, '{"orderId"')])
def test_an_order_in_doubt_is_never_sent_again_with_a_new_token(lost: Step) -> None:
    world = World([logged_in()], [lost, EXPIRED])
    assert world.call(order(customTag="mine")).fate.outcome is Outcome.UNKNOWN
    assert [request.path for request in world.wire.requests].count("/api/Order/place") == 1


def test_a_look_at_an_order_in_doubt_logs_in_anew_too() -> None:
    found = {
        "orders": [
            {
                "id": 7,
                "status": 2,
                "customTag": "mine",
                "contractId": "CON.F.US.EP.U25",
                "side": 0,
                "creationTimestamp": "2027-01-15T08:01:00.100000+00:00",
            }
        ],
        "success": True,
        "errorCode": 0,
    }
    script: list[Step] = [ACCEPTED, MaybeSent("reset", "x"), EXPIRED, answer(200, found)]
    world = World([logged_in("first"), logged_in("second")], script)
    _, result = world.call_at(0, 60, request=order(customTag="mine"))
    assert (result.fate.outcome, result.fate.reconciled) == (Outcome.OK, True)
    assert json.loads(result.answer.body)["orderId"] == 7
    assert world.shown == ["first", "first", "first", "second"]


# Logins that fail


def test_without_a_session_nothing_is_sent_and_the_answer_says_why() -> None:
    world = World([WRONG_KEY], [ACCEPTED])
    result = world.call(order())
    assert (result.fate.outcome, result.fate.why) == (Outcome.TRANSIENT, RefusalKind.NO_SESSION)
    assert world.attempts == 0
    assert b"InvalidCredentials" in result.answer.body
    assert b"not sent" in result.answer.body
    assert world.events(LoginFinished) == [LoginFinished("binance", LoginResult.REFUSED, "auth", "InvalidCredentials")]


def test_keys_that_were_refused_are_not_tried_again_at_once() -> None:
    world = World([WRONG_KEY], [ACCEPTED])
    world.call_at(*range(55))
    assert len(world.logins) == 1
    world.call_at(REFUSED_PAUSE_SECONDS + 5)
    assert len(world.logins) == 2


def test_a_login_that_is_lost_is_tried_again_with_growing_pauses() -> None:
    world = World([MaybeSent("timeout", "x")], [ACCEPTED])
    results = world.call_at(*(at / 2 for at in range(1, 40)))
    assert {result.fate.outcome for result in results} == {Outcome.TRANSIENT}
    gaps = [later - earlier for earlier, later in zip(world.logins, world.logins[1:], strict=False)]
    assert gaps == pytest.approx([1.2, 2.2, 4.2, 8.2], abs=0.5)


@pytest.mark.parametrize("odd", [answer(200, {"success": True}), answer(200, {"success": True, "token": "a\nb"})])
def test_a_login_without_a_usable_token_is_a_failed_one(odd: Answer) -> None:
    world = World([odd], [ACCEPTED])
    assert world.call(order()).fate.why is RefusalKind.NO_SESSION
    assert world.attempts == 0


def test_a_caller_waits_for_the_login_no_longer_than_it_may() -> None:
    world = World([logged_in()], [ACCEPTED])
    result = world.call(order(), deadline=0.1)
    assert (result.fate.outcome, result.fate.attempts) == (Outcome.TRANSIENT, 0)
    assert world.clock.monotonic() == pytest.approx(0.1)


def test_a_bot_that_hangs_up_does_not_end_the_login_that_others_wait_for() -> None:
    world = World([logged_in()], [ACCEPTED])

    async def main() -> Result:
        first = asyncio.create_task(world.gateway.run(order()))
        second = asyncio.create_task(world.gateway.run(order(), deadline_seconds=30))
        await world.clock.sleep(0.1)
        first.cancel()
        return await second

    assert world.clock.run(main()).fate.outcome is Outcome.OK
    assert len(world.logins) == 1


def test_a_probe_needs_no_session() -> None:
    world = World([WRONG_KEY], [answer(200, "pong")])
    world.clock.run(world.gateway.look())
    assert world.logins == []
    assert world.wire.requests[0].path == "/api/Status/ping"


# Secrets


def test_neither_key_nor_token_is_told_anywhere() -> None:
    world = World([logged_in("sesame"), logged_in("second")], [ACCEPTED, EXPIRED, ACCEPTED])
    world.call_at(0, 60, request=order())
    told = repr(world.told) + repr(world.session) + repr(world.gateway.questions.asker)
    for secret in (token("sesame"), "sesame", "api-key-of-ada", "dummy"):
        assert secret not in told


# Bots that log in all the same


@pytest.mark.parametrize("path", ["/api/Auth/loginKey", "/api/auth/loginApp", "/api/Auth/validate"])
def test_a_bots_own_login_succeeds_without_reaching_the_broker(path: str) -> None:
    world = World([logged_in("sesame")], [ACCEPTED])
    result = world.call(Request("POST", path, (), b'{"userName":"x","apiKey":"dummy"}'))
    told = json.loads(result.answer.body)
    shown = told.get("token") or told["newToken"]
    claims = json.loads(base64.urlsafe_b64decode(shown.split(".")[1] + "=="))
    assert result.fate.header() == b"ok; attempts=0; from=sidecar"
    assert claims["exp"] == pytest.approx(world.clock.now() + DAY, abs=2)
    assert b"sesame" not in result.answer.body
    assert world.attempts == 0


def test_a_bots_logout_leaves_the_session_alone() -> None:
    world = World([logged_in()], [ACCEPTED])
    result = world.call(Request("POST", "/api/Auth/logout", ()))
    assert json.loads(result.answer.body)["success"]
    assert world.attempts == 0


def test_a_bots_own_login_fails_when_the_sidecars_does() -> None:
    world = World([WRONG_KEY], [ACCEPTED])
    result = world.call(Request("POST", "/api/Auth/loginKey", (), b"{}"))
    assert result.fate.why is RefusalKind.NO_SESSION
    assert result.answer.status == 424


# Pass-through


def test_a_bot_that_logs_in_by_itself_is_passed_through() -> None:
    world = World([], [ACCEPTED], credentials={})
    request = order()
    world.call(request)
    assert world.wire.requests == [request]
    assert world.gateway.questions.asker.session is None


def test_a_bots_own_token_that_has_expired_is_the_bots_affair() -> None:
    world = World([], [EXPIRED], credentials={})
    assert world.call(order()).answer is EXPIRED
    assert world.attempts == 1


def test_a_look_up_key_leaves_the_bots_token_alone_and_signs_the_looks() -> None:
    script: list[Step] = [MaybeSent("reset", "x"), answer(200, {"orders": [], "success": True, "errorCode": 0})]
    world = World([logged_in()], script, credentials={**KEYS, "use": "lookup"})
    world.call(order(customTag="mine"))
    assert world.shown[:2] == ["Bearer dummy", "first"]


def test_a_session_is_closed_while_it_logs_in() -> None:
    world = World([logged_in()], [ACCEPTED])

    async def main() -> None:
        world.session.begin()
        await world.clock.sleep(0.1)
        await world.session.close()

    world.clock.run(main())
    assert world.events(LoginFinished) == []


def test_a_call_is_told_once() -> None:
    world = World([logged_in()], [ACCEPTED])
    world.call(order())
    assert len(world.events(CallFinished)) == 1
