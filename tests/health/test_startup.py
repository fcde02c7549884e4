"""What the checks before trading find, when they look again, and what a broker's calls may do meanwhile."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from sidecar.calls.transport import NotSent
from sidecar.health.operational import Operational
from sidecar.health.startup import StartupChecks
from sidecar.telemetry.events import BrokerChecked, OperationalStateChanged
from sidecar.wire import Answer, Request
from sidecar.words import OperationalState, Outcome, Readiness, RefusalKind
from tests.calls.scripted import BAD_KEY, CANCEL, FILLED, READ, Bench, answer, order

KEYS = {"key": "mine", "secret": "mine too"}
AWAY = NotSent("connect", "ConnectionRefusedError")
FINE = answer(200, {})
HOUR = 3600.0


class Start(Bench):
    """One broker that is checked; `says` is what it answers to everything, and may be replaced."""

    def __init__(self, says: Answer | Exception, **settings: Any) -> None:
        super().__init__([says], takes=0.01, **settings)
        self.operational = Operational(["binance"], bus=self.gateway._bus, clock=self.clock)
        settings_of = self.gateway._settings.startup
        self.checks = StartupChecks(
            self.gateway, settings_of, self.operational, bus=self.gateway._bus, clock=self.clock
        )
        self.operational.open()

    def says(self, step: Answer | Exception) -> None:
        self.wire.script[:] = [step]

    def run(self, *acts: tuple[float, Callable[[], Any]], until: float) -> None:
        """Check for so long, and act at those moments."""

        async def main() -> None:
            checking = asyncio.create_task(self.checks.run())
            for at, act in acts:
                await self.clock.sleep(at - self.clock.monotonic())
                told = act()
                if asyncio.iscoroutine(told):
                    await told
            await self.clock.sleep(until - self.clock.monotonic())
            checking.cancel()
            with suppress(asyncio.CancelledError):
                await checking

        self.clock.run(main())

    @property
    def readiness(self) -> Readiness:
        return self.operational.readiness("binance").state

    @property
    def checked(self) -> list[BrokerChecked]:
        return self.events(BrokerChecked)

    @property
    def states(self) -> list[OperationalState]:
        return [event.to_state for event in self.events(OperationalStateChanged)]

    def rounds(self, path: str = "/fapi/v1/ping") -> list[int]:
        """When the broker was asked, in whole seconds."""
        asked = zip(self.wire.sent_at, self.wire.requests, strict=True)
        return [int(at) for at, request in asked if request.path == path]


def test_a_broker_that_answers_is_ready_at_once_and_not_asked_again() -> None:
    start = Start(FINE)
    start.run(until=HOUR)
    assert start.readiness is Readiness.READY
    assert start.operational.ready == (True, "ready")
    assert start.operational.reading().since - 1_800_000_000 < 0.1
    assert start.rounds() == [0]


def test_a_broker_that_declines_a_probe_without_a_key_is_there() -> None:
    start = Start(BAD_KEY)
    start.run(until=1)
    assert start.readiness is Readiness.READY


def test_a_broker_that_is_away_is_asked_in_rounds_and_then_every_five_minutes() -> None:
    start = Start(AWAY)
    start.run(until=1000)
    assert start.rounds() == [0, 30, 90, 180, 480, 780]
    assert start.readiness is Readiness.WAITING
    assert start.states == [OperationalState.WAITING]
    assert start.operational.ready[0] is False
    assert start.operational.started is True


def test_a_broker_that_is_away_is_told_of_once_as_waiting_and_then_once_an_hour() -> None:
    start = Start(AWAY)
    start.run(until=2 * HOUR + 600)
    waiting = [event for event in start.checked if event.to_state is Readiness.WAITING]
    assert [event.from_state for event in waiting] == [Readiness.CHECKING, Readiness.WAITING, Readiness.WAITING]
    assert waiting[0].reason == "connectivity: no connection comes about (connect)"
    assert waiting[0].retry_in == 90


def test_it_goes_on_by_itself_when_the_broker_is_back() -> None:
    start = Start(AWAY)
    start.run((200, lambda: start.says(FINE)), until=500)
    assert start.states == [OperationalState.WAITING, OperationalState.ACTIVE]
    assert start.checked[-1].to_state is Readiness.READY


def test_a_call_that_succeeds_brings_the_next_round_forward() -> None:
    start = Start(AWAY)
    start.run((490, lambda: start.says(FINE)), (495, lambda: start.gateway.run(READ)), until=520)
    assert start.rounds()[-1] == 510
    assert start.readiness is Readiness.READY


def test_keys_that_the_broker_refuses_are_shown_to_it_once() -> None:
    start = Start(BAD_KEY, credentials=KEYS)
    start.run(until=10 * HOUR)
    assert start.rounds("/fapi/v3/balance") == [0]
    assert start.states == [OperationalState.ERROR]
    assert [event.to_state for event in start.checked] == [Readiness.ERROR]
    assert start.checked[0].retry_in is None
    assert start.checked[0].reason == "authentication: the broker refuses the credentials (auth, -2015)"


def test_a_person_who_has_mended_the_keys_has_them_tried_again() -> None:
    start = Start(BAD_KEY, credentials=KEYS)
    start.run((100, lambda: start.says(FINE)), (200, start.checks.retry), until=201)
    assert start.states == [OperationalState.ERROR, OperationalState.ACTIVE]


def test_keys_that_are_refused_later_are_checked_again_and_found_out() -> None:
    start = Start(FINE, credentials=KEYS)
    start.run((100, lambda: start.says(BAD_KEY)), (101, lambda: start.gateway.run(order())), until=102)
    assert start.readiness is Readiness.ERROR


def test_a_ready_broker_that_does_not_answer_a_later_round_stays_ready() -> None:
    start = Start(FINE, credentials=KEYS)
    start.run((100, lambda: start.says(AWAY)), (101, start.checks.retry), until=300)
    assert start.readiness is Readiness.READY
    assert len(start.checked) == 1


def test_keys_that_only_look_orders_up_keep_nobody_from_trading() -> None:
    start = Start(BAD_KEY, credentials={"use": "lookup"} | KEYS)
    start.run(until=1)
    assert start.readiness is Readiness.READY
    (doubt,) = start.checked[0].doubts
    assert doubt.endswith("orders in doubt cannot be looked up")


def test_a_broker_that_never_answers_holds_a_round_up_for_five_seconds_only() -> None:
    start = Start(FINE)
    start.wire.takes = HOUR
    start.run(until=6)
    assert start.checked[0].reason == "connectivity: no answer in time (timeout)"


def test_a_fault_in_a_check_does_not_end_the_checking() -> None:
    start = Start(RuntimeError("a fault"))
    start.run((40, lambda: start.says(FINE)), until=100)
    assert start.checked[0].reason == "the checks failed inside the sidecar (RuntimeError)"
    assert start.readiness is Readiness.READY


# What calls may do meanwhile


def fate_of(start: Start, request: Request) -> tuple[Outcome, int, object]:
    result = start.call(request)
    return result.fate.outcome, result.fate.attempts, result.fate.why


HELD = (Outcome.TRANSIENT, 0, RefusalKind.NOT_READY)


def test_where_the_sidecar_signs_no_new_risk_is_sent_before_the_checks_have_passed() -> None:
    start = Start(AWAY, credentials=KEYS)
    start.run(until=1)
    sent = start.attempts
    assert fate_of(start, order()) == HELD
    assert start.attempts == sent
    assert start.gateway.can_trade is False
    assert "no connection comes about" in start.gateway.controls.reading().held


def test_the_refusal_is_in_the_brokers_envelope_and_says_when_to_ask_again() -> None:
    start = Start(AWAY, credentials=KEYS)
    start.run(until=1)
    told = start.call(order()).answer
    assert b'"code": -1001' in told.body
    assert b"no connection comes about" in told.body
    assert (b"Retry-After", b"30") in told.headers


def test_reads_cancels_and_reduce_only_orders_are_tried_meanwhile() -> None:
    start = Start(AWAY, credentials=KEYS)
    start.run(until=1)
    start.says(FILLED)
    for request in (READ, CANCEL, order(reduceOnly="true")):
        assert fate_of(start, request)[0] is Outcome.OK


def test_new_risk_is_sent_again_when_the_checks_have_passed() -> None:
    start = Start(AWAY, credentials=KEYS)
    start.run((20, lambda: start.says(FILLED)), until=31)
    assert fate_of(start, order())[0] is Outcome.OK
    assert start.gateway.can_trade is True
    assert start.gateway.controls.reading().held == ""


def test_where_bots_sign_their_calls_go_as_ever() -> None:
    start = Start(AWAY)
    start.run(until=1)
    start.says(FILLED)
    assert fate_of(start, order())[:2] == (Outcome.OK, 1)
