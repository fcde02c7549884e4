"""Every event that is an error becomes one, and ends when its condition does."""

from dataclasses import replace
from typing import get_args

import pytest

from sidecar.alerting.ledger import Ledger
from sidecar.alerting.registry import Registry
from sidecar.alerting.types import TYPES, ErrorType
from sidecar.alerting.watch import ENDS, RAISES, Watch
from sidecar.clock import VirtualClock
from sidecar.telemetry import events
from sidecar.telemetry.events import AttemptFinished, Bus, CallFinished, Event, Stamped
from sidecar.telemetry.table import SEEN
from sidecar.words import (
    BreakerState,
    BrokerState,
    ClockSource,
    DegradationCause,
    DegradationLevel,
    Effect,
    OperationType,
    OrderState,
    Outcome,
    Readiness,
)
from tests.telemetry.seen_samples import ATTEMPT, CALL, SAMPLES, T0

B = "binance"


class Bench:
    def __init__(self) -> None:
        clock = VirtualClock()
        self.failures: list[Exception] = []
        self.clock = clock
        self.bus = Bus(clock, self.failures.append)
        self.registry = Registry(self.bus, clock, Ledger(None, clock))
        Watch(self.registry, clock).subscribe(self.bus)

    def after(self, *happened: Event) -> set[tuple[ErrorType, str]]:
        """What lasts after these events, and what it is about."""
        for event in happened:
            self.bus.emit(event)
        assert self.failures == []
        return {(record.type, record.subject) for record in self.registry.lasting()}


def failed(reason: str, outcome: Outcome, **fields: object) -> CallFinished:
    attempt: AttemptFinished = replace(ATTEMPT, outcome=outcome, reason=reason, code="-1", status=400)
    call: CallFinished = replace(CALL, outcome=outcome, trail=(Stamped(T0, attempt),), **fields)  # type: ignore[arg-type]
    return call


def breaker(group: str, before: BreakerState, after: BreakerState) -> events.BreakerTransition:
    return events.BreakerTransition(B, group, before, after, "failures")


def state(before: BrokerState, after: BrokerState) -> events.BrokerStateChanged:
    return events.BrokerStateChanged(B, before, after, "503", 3, 30.0)


def checked(before: Readiness, after: Readiness) -> events.BrokerChecked:
    return events.BrokerChecked(B, before, after, "connectivity: connect", 300.0, 0.0)


def level(before: DegradationLevel, after: DegradationLevel) -> events.DegradationChanged:
    return events.DegradationChanged(B, before, after, DegradationCause.MANUAL, "flat into the weekend", 7200)


def carried(before: OrderState, after: OrderState) -> events.OrderStateChanged:
    return events.OrderStateChanged(B, "id-1", "order-7", "order", "BTCUSDT", before, after, "no answer", 1.0)


PLACED = {"endpoint": "place_order", "group": "orders", "effect": Effect.OPENS_RISK}
ORDER = (("newClientOrderId", "order-7"),)
OK_ORDER = replace(CALL, endpoint="place_order", group="orders", effect=Effect.OPENS_RISK)
OPEN, HALF, CLOSED = BreakerState.OPEN, BreakerState.HALF_OPEN, BreakerState.CLOSED

STORIES: list[tuple[ErrorType, str, Event, Event]] = [
    (ErrorType.AUTH_FAILED, "accounts", failed("auth", Outcome.FATAL), CALL),
    (
        ErrorType.ORDER_OUTCOME_UNKNOWN,
        "order-7",
        failed("reset", Outcome.UNKNOWN, request=ORDER, **PLACED),
        replace(CALL, endpoint="get_order", request=(("origClientOrderId", "order-7"),)),
    ),
    (ErrorType.CONNECTION_FAILED, "accounts", failed("connect", Outcome.TRANSIENT), CALL),
    (ErrorType.SERVER_ERRORS, "accounts", failed("server_error", Outcome.TRANSIENT), CALL),
    (ErrorType.REQUEST_REFUSED, "get_account", failed("bad_request", Outcome.FATAL), CALL),
    (ErrorType.CLOCK_SKEW, "", failed("clock_skew", Outcome.FATAL), OK_ORDER),
    (
        ErrorType.CLOCK_SKEW,
        "",
        events.ClockOffsetLearnt(B, None, 1.5, ClockSource.DATE),
        events.ClockOffsetLearnt(B, 1.5, 0.0, ClockSource.DATE),
    ),
    (ErrorType.ORDERS_BREAKER_OPEN, "orders", breaker("orders", CLOSED, OPEN), breaker("orders", HALF, CLOSED)),
    (ErrorType.BREAKER_OPEN, "pricing", breaker("pricing", CLOSED, OPEN), breaker("pricing", HALF, CLOSED)),
    (
        ErrorType.BROKER_DOWN,
        "",
        state(BrokerState.OK, BrokerState.DEGRADED),
        state(BrokerState.DEGRADED, BrokerState.OK),
    ),
    (
        ErrorType.MAINTENANCE,
        "",
        state(BrokerState.OK, BrokerState.MAINTENANCE),
        state(BrokerState.MAINTENANCE, BrokerState.OK),
    ),
    (
        ErrorType.TRADING_RESTRICTED,
        "",
        level(DegradationLevel.NONE, DegradationLevel.READ_ONLY),
        level(DegradationLevel.READ_ONLY, DegradationLevel.CACHED_DATA),
    ),
    (
        ErrorType.POSITION_LEFT_OPEN,
        "",
        events.PositionsClosed(B, ("short 2 ETHUSDT",), ("long 1 BTCUSDT",)),
        events.PositionsClosed(B, ()),
    ),
    (ErrorType.BANNED, "", events.GateShut(B, Outcome.BANNED, 120.0, T0), events.GateOpened(B)),
    (ErrorType.RATE_LIMITED, "", events.GateShut(B, Outcome.RATE_LIMITED, 2.0, T0), events.GateOpened(B)),
    (
        ErrorType.LIMIT_NEAR,
        "weight_1m",
        events.LimitThreshold(B, "weight_1m", 2000, 2400, above=True),
        events.LimitThreshold(B, "weight_1m", 10, 2400, above=False),
    ),
    (
        ErrorType.STARTUP_FAILED,
        "",
        checked(Readiness.CHECKING, Readiness.WAITING),
        checked(Readiness.WAITING, Readiness.READY),
    ),
    (
        ErrorType.AUTH_FAILED,
        "startup",
        checked(Readiness.CHECKING, Readiness.ERROR),
        checked(Readiness.ERROR, Readiness.READY),
    ),
    (ErrorType.STREAM_LOST, "prices", events.StreamClosed(B, "prices", "lost"), events.StreamOpened(B, "prices")),
]
NO_EVENT = {
    ErrorType.DATABASE: "looked at by the vitals",
    ErrorType.AUDIT_FAILED: "looked at by the vitals",
}


@pytest.mark.parametrize(("kind", "subject", "begin", "end"), STORIES)
def test_it_begins_and_ends(kind: ErrorType, subject: str, begin: Event, end: Event) -> None:
    bench = Bench()
    assert (kind, subject) in bench.after(begin)
    assert kind not in {found for found, _ in bench.after(end)}


@pytest.mark.parametrize(
    ("kind", "begin", "end"),
    [(kind, begin, end) for kind, _, begin, end in STORIES if isinstance(end, CallFinished) and end != OK_ORDER],
)
def test_an_answer_that_was_remembered_ends_no_error(kind: ErrorType, begin: Event, end: CallFinished) -> None:
    bench = Bench()
    bench.after(begin)
    assert kind in {found for found, _ in bench.after(replace(end, source="cache"))}


def test_a_carried_order_that_was_given_up_is_an_error_until_a_person_says_otherwise() -> None:
    bench = Bench()
    assert bench.after(carried(OrderState.IN_DOUBT, OrderState.DEAD)) == {(ErrorType.ORDER_DEAD, "order-7")}


def test_a_carried_order_that_was_never_sent_in_time_is_an_error() -> None:
    assert Bench().after(carried(OrderState.QUEUED, OrderState.EXPIRED)) == {(ErrorType.ORDER_EXPIRED, "order-7")}


def test_an_order_that_expires_at_the_broker_does_what_it_was_told() -> None:
    assert Bench().after(carried(OrderState.WORKING, OrderState.EXPIRED)) == set()


@pytest.mark.parametrize(("seconds", "lasts"), [(2.9, False), (3.1, True)])
def test_a_carried_order_in_doubt_is_an_error_when_the_sidecar_does_not_find_it_soon(
    seconds: float, lasts: bool
) -> None:
    bench = Bench()

    async def main() -> None:
        bench.after(carried(OrderState.SENDING, OrderState.IN_DOUBT))
        await bench.clock.sleep(seconds)
        assert ((ErrorType.ORDER_OUTCOME_UNKNOWN, "order-7") in bench.after()) is lasts
        bench.after(carried(OrderState.IN_DOUBT, OrderState.FILLED))
        await bench.clock.sleep(10)
        assert bench.after() == set()

    bench.clock.run(main())


@pytest.mark.parametrize("end", [events.StreamOpened(B, "fills"), events.StreamClosed(B, "fills", "unneeded")])
def test_a_stream_of_fills_that_stays_away_is_an_error_until_it_opens_or_is_not_needed(end: Event) -> None:
    bench = Bench()

    async def main() -> None:
        bench.after(events.StreamClosed(B, "fills", "lost"))
        await bench.clock.sleep(50)
        assert bench.after() == set()
        bench.after(events.StreamClosed(B, "fills", "unopened", was_open=False))
        await bench.clock.sleep(20)
        assert bench.after() == {(ErrorType.FILLS_LATE, "fills")}
        assert bench.after(end) == set()

    bench.clock.run(main())


def test_an_unprotected_position_is_an_error_of_its_operation() -> None:
    event = events.PositionUnprotected(B, "b1", OperationType.BRACKET, "BTCUSDT", "no stop")
    assert (ErrorType.POSITION_UNPROTECTED, "b1") in Bench().after(event)


def test_every_type_has_a_story() -> None:
    told = {kind for kind, *_ in STORIES} | {
        ErrorType.ORDER_DEAD,
        ErrorType.ORDER_EXPIRED,
        ErrorType.POSITION_UNPROTECTED,
        ErrorType.FILLS_LATE,
    }
    assert told == {line.kind for line in RAISES}
    assert told | set(NO_EVENT) == set(ErrorType)


def test_every_error_ends_by_an_event_by_quiet_or_by_a_person() -> None:
    endless = {kind for kind, known in TYPES.items() if known.quiet_seconds is None} - {line.kind for line in ENDS}
    by_hand = {ErrorType.ORDER_DEAD, ErrorType.POSITION_UNPROTECTED}
    assert endless == by_hand | set(NO_EVENT)


def test_every_error_is_in_the_log_by_the_event_that_raises_it() -> None:
    assert [line.kind for line in RAISES if not SEEN[line.event].log] == []


def test_the_registry_raises_no_error_of_its_own_events() -> None:
    own = {events.ErrorRaised, events.ErrorResolved, events.NotificationSent}
    assert own & {line.event for line in (*RAISES, *ENDS)} == set()


@pytest.mark.parametrize("kind", get_args(Event))
def test_no_event_breaks_the_watch(kind: type) -> None:
    Bench().after(SAMPLES[kind])


def test_calls_that_succeed_raise_nothing() -> None:
    assert Bench().after(CALL, OK_ORDER, replace(CALL, outcome=Outcome.REJECTED)) == set()


def test_a_read_whose_outcome_is_unknown_is_no_order_in_doubt() -> None:
    assert Bench().after(failed("reset", Outcome.UNKNOWN)) == set()


def test_an_order_in_doubt_stays_so_while_other_orders_succeed() -> None:
    doubt = failed("reset", Outcome.UNKNOWN, request=ORDER, **PLACED)
    other = replace(OK_ORDER, request=(("newClientOrderId", "order-8"),))
    assert Bench().after(doubt, OK_ORDER, other) == {(ErrorType.ORDER_OUTCOME_UNKNOWN, "order-7")}


def test_an_order_in_doubt_without_a_client_id_is_known_by_its_call() -> None:
    doubt = failed("reset", Outcome.UNKNOWN, **PLACED)
    assert Bench().after(doubt) == {(ErrorType.ORDER_OUTCOME_UNKNOWN, CALL.id)}


def test_a_refused_key_stays_refused_while_prices_can_be_read() -> None:
    prices = replace(CALL, endpoint="get_price", group="pricing")
    assert Bench().after(failed("auth", Outcome.FATAL), prices) == {(ErrorType.AUTH_FAILED, "accounts")}


def test_a_breaker_that_probes_is_not_closed() -> None:
    lasting = Bench().after(breaker("orders", CLOSED, OPEN), breaker("orders", OPEN, HALF), OK_ORDER)
    assert lasting == {(ErrorType.ORDERS_BREAKER_OPEN, "orders")}


def test_one_illness_follows_another() -> None:
    lasting = Bench().after(
        state(BrokerState.OK, BrokerState.DEGRADED), state(BrokerState.DEGRADED, BrokerState.MAINTENANCE)
    )
    assert lasting == {(ErrorType.MAINTENANCE, "")}


def test_a_stream_that_the_bot_left_is_not_lost() -> None:
    assert Bench().after(events.StreamClosed(B, "prices", "bot_left")) == set()


def test_the_context_says_what_helps_and_nothing_more() -> None:
    bench = Bench()
    bench.after(failed("reset", Outcome.UNKNOWN, request=ORDER, symbol="BTCUSDT", **PLACED))
    (record,) = bench.registry.lasting()
    assert record.context == {
        "endpoint": "place_order",
        "symbol": "BTCUSDT",
        "reason": "reset",
        "code": "-1",
        "status": 200,
        "client_id": "order-7",
        "correlation_id": CALL.id,
        "trace_id": f"{CALL.trace.trace_id:032x}",
    }


def test_a_broker_that_is_still_waited_for_an_hour_later_is_the_same_error() -> None:
    bench = Bench()
    bench.after(checked(Readiness.CHECKING, Readiness.WAITING), checked(Readiness.WAITING, Readiness.WAITING))
    (record,) = bench.registry.lasting()
    assert record.count == 1
