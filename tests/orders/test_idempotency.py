"""A call with a key is executed once, however often it is sent and whatever happens in between."""

import asyncio
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from sidecar.calls.model import Result
from sidecar.calls.transport import MaybeSent, NotSent
from sidecar.orders.idempotency import LARGEST_KEPT_BYTES
from sidecar.orders.keys import SWEPT_AT_ONCE
from sidecar.wire import Request
from sidecar.words import BreakerMode, Outcome, RefusalKind
from tests.calls.scripted import AMBIGUOUS, BAD_KEY, CANCEL, DEFINITE, FILLED, MARGIN, READ, Step, answer, order
from tests.orders.support import HEADER, Desk, keyed

ONE_ATTEMPT: dict[str, Any] = {"retry": {"attempts": 1}}
LOST = MaybeSent("timeout", "TimeoutError")
NEVER_SENT = NotSent("connect", "OSError")
LIMITED = answer(429, {"code": -1003, "msg": "Too many requests"}, Retry_After="1")


def bytes_of(result: Result) -> tuple[int, object, bytes]:
    return result.answer.status, result.answer.headers, result.answer.body


def rows(desk: Desk) -> int:
    with sqlite3.connect(desk.path) as connection:
        count: int = connection.execute("SELECT count(*) FROM idempotency").fetchone()[0]
    connection.close()
    return count


# The same call again


def test_a_resend_gets_the_same_bytes_and_nothing_is_sent(tmp_path: Path) -> None:
    desk = Desk(tmp_path, [answer(200, {"orderId": 7}, X_Told="one", x_told="two"), MARGIN])

    async def life() -> tuple[Result, Result]:
        return await desk.send(), await desk.send()

    first, second = desk.run(life)
    assert bytes_of(first) == bytes_of(second)
    assert (first.fate.header(), second.fate.header()) == (b"ok; attempts=1", b"ok; attempts=1; from=store")
    assert (desk.sent, desk.how) == (1, ["replayed"])


def test_a_resend_after_a_restart_gets_the_same_bytes(tmp_path: Path) -> None:
    desk = Desk(tmp_path, [answer(200, {"orderId": 7}, X_Told="one", x_told="two"), MARGIN])
    assert bytes_of(desk.once()) == bytes_of(desk.once())
    assert (desk.sent, desk.how) == (1, ["replayed"])


@pytest.mark.parametrize(
    ("step", "outcome"),
    [(MARGIN, Outcome.REJECTED), (AMBIGUOUS, Outcome.UNKNOWN), (LOST, Outcome.UNKNOWN)],
)
def test_what_is_final_or_in_doubt_is_kept_with_its_fate(tmp_path: Path, step: Step, outcome: Outcome) -> None:
    desk = Desk(tmp_path, [step, FILLED])
    first, second = desk.once(), desk.once()
    assert (desk.sent, second.fate.outcome) == (1, outcome)
    assert second.fate.header().startswith(first.fate.header().removesuffix(b"; from=sidecar"))
    assert bytes_of(first) == bytes_of(second)


@pytest.mark.parametrize("step", [DEFINITE, NEVER_SENT, LIMITED, BAD_KEY])
def test_what_was_not_executed_frees_the_key(tmp_path: Path, step: Step) -> None:
    desk = Desk(tmp_path, [step, FILLED], **ONE_ATTEMPT)
    assert desk.once().fate.outcome in {Outcome.TRANSIENT, Outcome.RATE_LIMITED, Outcome.FATAL}
    desk.clock.advance(60)
    assert desk.once().fate.header() == b"ok; attempts=1"
    assert (desk.sent, desk.how) == (2, [])


def test_a_refusal_by_the_sidecar_frees_the_key(tmp_path: Path) -> None:
    desk = Desk(tmp_path, [FILLED])
    desk.bench.gateway.controls.set_breaker_mode("orders", BreakerMode.FORCED_OPEN, "a test")
    assert desk.once().fate.why is RefusalKind.BREAKER_OPEN
    assert rows(desk) == 0
    desk.bench.gateway.controls.set_breaker_mode("orders", BreakerMode.AUTO, "a test")
    assert desk.once().fate.outcome is Outcome.OK


def test_the_key_is_kept_from_the_broker(tmp_path: Path) -> None:
    desk = Desk(tmp_path, [FILLED])
    desk.once()
    assert desk.bench.wire.requests[0].headers == ()


def test_keys_of_different_calls_do_not_meet(tmp_path: Path) -> None:
    desk = Desk(tmp_path, [FILLED])
    desk.once(keyed("a"))
    desk.once(keyed("b"))
    assert (desk.sent, desk.how) == (2, [])


# What differs without making a difference


def test_a_new_signature_makes_no_other_call(tmp_path: Path) -> None:
    desk = Desk(tmp_path, [FILLED])
    now = int(desk.clock.now() * 1000)
    desk.once(keyed(request=order(timestamp=str(now), recvWindow="5000", signature="aa")))
    desk.clock.advance(1)
    again = desk.once(keyed(request=order(signature="bb", timestamp=str(now + 1000), recvWindow="6000")))
    assert (desk.sent, again.fate.source) == (1, "store")


def test_another_call_under_the_same_key_is_a_conflict(tmp_path: Path) -> None:
    desk = Desk(tmp_path, [FILLED])
    desk.once(keyed(request=order(quantity="1")))
    refused = desk.once(keyed(request=order(quantity="2")))
    assert (refused.answer.status, refused.fate.attempts, desk.sent, desk.how) == (422, 0, 1, ["conflict"])
    told = json.loads(refused.answer.body)
    assert told["msg"].startswith("not sent: this Idempotency-Key was used for another request")


def test_another_call_under_the_key_of_one_under_way_is_a_conflict(tmp_path: Path) -> None:
    desk = Desk(tmp_path, [FILLED])

    async def life() -> tuple[Result, Result]:
        first = await desk.soon()
        return await desk.send(keyed(request=order(quantity="2"))), await first

    refused, first = desk.run(life)
    assert (refused.answer.status, first.fate.outcome, desk.sent) == (422, Outcome.OK, 1)


def test_a_read_needs_no_key_and_takes_it_off(tmp_path: Path) -> None:
    desk = Desk(tmp_path, [answer(200, {"price": "1"})])
    desk.once(keyed(request=READ))
    desk.once(keyed(request=READ))
    assert (desk.sent, desk.how, rows(desk)) == (2, [], 0)
    assert desk.bench.wire.requests[0].headers == ()


def test_a_call_without_a_key_is_as_ever(tmp_path: Path) -> None:
    desk = Desk(tmp_path, [FILLED])
    desk.once(order())
    desk.once(order())
    assert (desk.sent, desk.how, rows(desk)) == (2, [], 0)


# At once


def test_twenty_at_once_are_one(tmp_path: Path) -> None:
    desk = Desk(tmp_path, [FILLED])

    async def life() -> list[Result]:
        return await asyncio.gather(*(desk.send() for _ in range(20)))

    results = desk.run(life)
    assert {bytes_of(result)[2] for result in results} == {FILLED.body}
    assert (desk.sent, desk.how) == (1, ["replayed"] * 19)


def test_a_resend_waits_no_longer_than_its_deadline(tmp_path: Path) -> None:
    desk = Desk(tmp_path, [FILLED], takes=5)

    async def life() -> tuple[Result, float, Result]:
        first = await desk.soon()
        impatient = await desk.send(deadline=1)
        return impatient, desk.clock.monotonic(), await first

    impatient, at, first = desk.run(life)
    assert (impatient.fate.outcome, impatient.answer.status, at) == (Outcome.UNKNOWN, 503, pytest.approx(1.05))
    assert (first.fate.outcome, desk.sent, desk.how) == (Outcome.OK, 1, ["in_doubt"])


def test_a_caller_who_hangs_up_leaves_the_answer_to_its_resend(tmp_path: Path) -> None:
    desk = Desk(tmp_path, [FILLED, MARGIN], takes=5)

    async def life() -> Result:
        first = await desk.soon()
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        return await desk.send()

    assert desk.run(life).fate.header() == b"ok; attempts=1; from=store"
    assert desk.sent == 1


@pytest.mark.parametrize(("others", "sent"), [(0, 1), (1, 2)])
def test_a_call_that_waits_is_sent_while_one_of_its_callers_is_still_there(
    tmp_path: Path, others: int, sent: int
) -> None:
    one_order = {"windows": {"orders_10s": {"capacity": 1}}, "wait_at": 1}
    desk = Desk(tmp_path, [FILLED], limits=one_order)

    async def life() -> list[Result]:
        await desk.send(keyed("before"))
        leaves = desk.clock.monotonic() + 1
        calls = [desk.front.run(keyed(), gone=lambda: desk.clock.monotonic() > leaves)]
        calls += [desk.front.run(keyed()) for _ in range(others)]
        return await asyncio.gather(*calls)

    results = desk.run(life)
    assert desk.sent == sent
    assert rows(desk) == sent
    assert {result.fate.outcome for result in results} == {Outcome.OK if others else Outcome.TRANSIENT}


# The end of the process


def test_what_was_under_way_at_a_crash_is_in_doubt_and_never_sent_again(tmp_path: Path) -> None:
    desk = Desk(tmp_path, [FILLED], takes=5)
    desk.run(desk.soon, crash=True)
    again = desk.once()
    assert (desk.sent, again.fate.header()) == (1, b"unknown; attempts=1; why=unknown; from=store")
    assert "sent once, outcome unknown" in json.loads(again.answer.body)["msg"]
    assert desk.how == ["in_doubt"]


def test_a_caller_is_told_at_a_stop_what_every_resend_is_told(tmp_path: Path) -> None:
    desk = Desk(tmp_path, [FILLED], takes=50)

    async def life() -> Result:
        first = await desk.soon()
        desk.bench.gateway.wind_down()
        desk.front.wind_down()
        first.cancel()
        return await first

    told = desk.run(life)
    desk.bench.gateway._stopping = False
    assert told.fate.outcome is Outcome.UNKNOWN
    assert bytes_of(desk.once()) == bytes_of(told)
    assert desk.sent == 1


def test_a_stop_ends_calls_whose_callers_have_gone(tmp_path: Path) -> None:
    desk = Desk(tmp_path, [FILLED], takes=50)

    async def life() -> None:
        first = await desk.soon()
        first.cancel()
        desk.bench.gateway.wind_down()
        desk.front.wind_down()
        await desk.front.finish()

    desk.run(life)
    assert desk.clock.monotonic() < 1
    desk.bench.gateway._stopping = False
    assert (desk.once().fate.outcome, desk.sent) == (Outcome.UNKNOWN, 1)


# What cannot be kept


def test_without_a_state_file_a_key_is_refused_and_says_what_to_set(tmp_path: Path) -> None:
    desk = Desk(tmp_path, [FILLED])
    result = desk.run(desk.send, stateless=True)
    assert (result.answer.status, result.fate.attempts, desk.sent, desk.how) == (400, 0, 0, ["unavailable"])
    assert "set state.path" in json.loads(result.answer.body)["msg"]


@pytest.mark.parametrize("values", [(b"",), (b"a" * 256,), (b"\xc3\xa4",), (b"a", b"a")])
def test_a_key_that_is_none_is_refused(tmp_path: Path, values: tuple[bytes, ...]) -> None:
    desk = Desk(tmp_path, [FILLED])
    request = order()
    request.headers = tuple((HEADER, value) for value in values)
    result = desk.once(request)
    assert (result.answer.status, result.fate.attempts, desk.sent) == (400, 0, 0)


def test_on_a_full_disk_nothing_is_sent_and_old_answers_are_still_given(tmp_path: Path) -> None:
    desk = Desk(tmp_path, [FILLED])

    async def life() -> tuple[Result, Result, Result, Result]:
        before = await desk.send(keyed("old"))
        desk.store.full = True
        replayed, refused = await desk.send(keyed("old")), await desk.send(keyed("new"))
        desk.store.full = False
        return before, replayed, refused, await desk.send(keyed("new"))

    before, replayed, refused, later = desk.run(life)
    assert bytes_of(before) == bytes_of(replayed)
    assert (refused.answer.status, refused.fate.header()) == (
        507,
        b"transient; attempts=0; why=unrecorded; from=sidecar",
    )
    assert json.loads(refused.answer.body)["msg"].startswith("not sent: the state file does not take")
    assert (later.fate.outcome, desk.sent) == (Outcome.OK, 2)


def test_an_answer_that_the_disk_does_not_take_reaches_its_bot_and_leaves_the_key_in_doubt(tmp_path: Path) -> None:
    desk = Desk(tmp_path, [FILLED])

    async def life() -> tuple[Result, Result]:
        first = await desk.soon()
        desk.store.full = True
        told = await first
        desk.store.full = False
        return told, await desk.send()

    first, second = desk.run(life)
    assert (first.fate.outcome, second.fate.outcome, desk.sent) == (Outcome.OK, Outcome.UNKNOWN, 1)


def test_an_answer_that_is_too_large_is_given_once(tmp_path: Path) -> None:
    desk = Desk(tmp_path, [answer(200, {"orderId": 7, "note": "x" * LARGEST_KEPT_BYTES})])
    assert desk.once().fate.outcome is Outcome.OK
    assert (desk.once().fate.outcome, desk.sent) == (Outcome.UNKNOWN, 1)


# Age


def test_a_key_is_forgotten_after_its_time(tmp_path: Path) -> None:
    desk = Desk(tmp_path, [FILLED], seconds=600)
    desk.once()
    desk.clock.advance(599)
    desk.once()
    assert desk.sent == 1
    desk.clock.advance(2)
    desk.once()
    assert (desk.sent, rows(desk)) == (2, 1)


def test_a_new_key_takes_old_ones_along_but_not_too_many_at_once(tmp_path: Path) -> None:
    desk = Desk(tmp_path, [FILLED], seconds=600)

    async def life() -> None:
        def fill(connection: sqlite3.Connection) -> None:
            old = [("binance", f"old-{number}", "f", desk.clock.now() - 700) for number in range(SWEPT_AT_ONCE + 30)]
            connection.executemany(
                "INSERT INTO idempotency (broker, key, fingerprint, created_at) VALUES (?, ?, ?, ?)", old
            )

        await desk.store.write(fill)
        await desk.send()

    desk.run(life)
    assert rows(desk) == 31
    desk.once(keyed("k2"))
    assert rows(desk) == 2


def test_neither_signature_nor_api_key_is_kept(tmp_path: Path) -> None:
    desk = Desk(tmp_path, [FILLED])
    request = keyed(request=order(timestamp=str(int(desk.clock.now() * 1000)), signature="5ec12e7"))
    request.headers = (*request.headers, (b"X-MBX-APIKEY", b"the-api-key"))
    desk.once(request)
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert FILLED.body in kept
    assert b"5ec12e7" not in kept
    assert b"the-api-key" not in kept


# Client ids that count as keys


def test_a_client_id_counts_as_a_key_only_where_that_is_configured(tmp_path: Path) -> None:
    desk = Desk(tmp_path, [FILLED])
    request = order(newClientOrderId="mine")
    desk.run(lambda: twice(desk, request, request))
    assert desk.sent == 2


def test_the_same_order_with_the_same_client_id_is_sent_once_also_across_a_restart(tmp_path: Path) -> None:
    desk = Desk(tmp_path, [FILLED], client_id_seconds=60)
    first = desk.once(order(newClientOrderId="mine", timestamp="1"))
    again = desk.once(order(newClientOrderId="mine", timestamp="2"))
    assert desk.sent == 1
    assert again.answer.body == first.answer.body
    assert again.fate.source == "store"


def test_another_order_with_the_same_client_id_is_refused_before_it_is_sent(tmp_path: Path) -> None:
    desk = Desk(tmp_path, [FILLED], client_id_seconds=60)
    desk.once(order(newClientOrderId="mine"))
    refused = desk.once(order(newClientOrderId="mine", quantity="2"))
    assert (desk.sent, refused.answer.status) == (1, 422)


def test_a_client_id_may_be_used_again_once_its_time_is_over(tmp_path: Path) -> None:
    desk = Desk(tmp_path, [FILLED], client_id_seconds=60)
    desk.once(order(newClientOrderId="mine"))
    desk.clock.advance(61)
    desk.once(order(newClientOrderId="mine"))
    assert desk.sent == 2


def test_on_a_full_disk_a_new_order_under_an_old_client_id_is_not_answered_with_the_old_ones_fill(
    tmp_path: Path,
) -> None:
    desk = Desk(tmp_path, [FILLED], client_id_seconds=60)
    desk.once(order(newClientOrderId="mine"))
    desk.clock.advance(61)

    async def life() -> Result:
        desk.store.full = True
        return await desk.send(order(newClientOrderId="mine"))

    refused = desk.run(life).answer
    assert refused.status == 507
    assert b"does not take the client order id" in refused.body


def test_cancels_and_orders_without_a_client_id_are_no_concern_of_it(tmp_path: Path) -> None:
    desk = Desk(tmp_path, [FILLED], client_id_seconds=60)
    desk.run(lambda: twice(desk, CANCEL, CANCEL))
    desk.run(lambda: twice(desk, order(), order()))
    assert desk.sent == 4


async def twice(desk: Desk, first: Request, second: Request) -> None:
    await desk.send(first)
    await desk.send(second)
