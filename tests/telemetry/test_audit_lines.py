import pytest

from sidecar.telemetry import events
from sidecar.telemetry.audit.lines import EVENT_TYPES, Line, lines_of, wanted
from sidecar.words import BreakerState, Effect, Outcome, RefusalKind, Why
from tests.telemetry.audit_samples import NOON, attempt, call, failed, retry


def only(event: object) -> Line:
    (line,) = lines_of(NOON, event)
    return line


def test_a_placed_order_is_told_with_its_facts() -> None:
    line = only(call())
    assert line.event == "order_placed"
    assert line.fields == {
        "broker": "binance",
        "operation": "place_order",
        "symbol": "BTCUSDT",
        "order": {"side": "BUY", "quantity": "1", "newClientOrderId": "mine-1"},
        "response": {"orderId": "4711", "status": "NEW"},
        "outcome": "ok",
        "attempts": 1,
        "status": 200,
        "source": "broker",
        "duration": 0.25,
        "correlation_id": "call-1",
        "trace_id": "00000000000000000000000000000abc",
    }


@pytest.mark.parametrize(
    ("outcome", "event"),
    [
        (Outcome.REJECTED, "order_rejected"),
        (Outcome.FATAL, "order_rejected"),
        (Outcome.RATE_LIMITED, "order_failed"),
        (Outcome.BANNED, "order_failed"),
        (Outcome.MAINTENANCE, "order_failed"),
        (Outcome.TRANSIENT, "order_failed"),
        (Outcome.UNKNOWN, "order_unknown"),
    ],
)
def test_an_order_call_is_told_by_how_it_ended(outcome: Outcome, event: str) -> None:
    assert [line.event for line in lines_of(NOON, failed(outcome, "unclear"))][-1] == event


def test_an_order_that_was_never_sent_is_refused() -> None:
    line = only(call(outcome=Outcome.TRANSIENT, attempts=0, source="sidecar", why=RefusalKind.BREAKER_OPEN, status=503))
    assert line.event == "order_refused"
    assert line.fields["why"] == "breaker_open"


def test_an_unknown_outcome_is_never_told_as_a_refusal() -> None:
    assert only(call(outcome=Outcome.UNKNOWN, attempts=0, source="sidecar", status=0)).event == "order_unknown"


def test_a_failing_query_of_an_order_is_an_api_error() -> None:
    line = only(failed(Outcome.TRANSIENT, "timeout", effect=Effect.READ, audit="order_query", endpoint="get_order"))
    assert line.event == "api_error"
    assert line.fields["error"] == {"reason": "timeout"}


def test_a_success_on_an_order_endpoint_without_a_name_is_still_told() -> None:
    assert only(call(audit="")).event == "order_accepted"


def test_each_retry_and_each_rate_limit_is_a_line_tied_to_its_call() -> None:
    told = list(
        lines_of(
            NOON,
            call(
                attempts=2,
                trail=(
                    attempt(1, Outcome.RATE_LIMITED, "rate_limit", "-1003", 429),
                    retry(1, "rate_limit"),
                    attempt(2, Outcome.OK),
                ),
            ),
        )
    )
    assert [line.event for line in told] == ["rate_limit", "retry_attempt", "order_placed"]
    assert {line.fields["correlation_id"] for line in told} == {"call-1"}
    assert told[0].fields["error"] == {"reason": "rate_limit", "code": "-1003"}


def test_a_plain_read_needs_no_line() -> None:
    assert not wanted(call(effect=Effect.READ, audit=""))


@pytest.mark.parametrize(
    "event",
    [
        call(effect=Effect.READ, audit="balance_query"),
        call(effect=Effect.READ, audit="", outcome=Outcome.TRANSIENT),
        call(effect=Effect.READ, audit="", attempts=2),
        call(effect=Effect.REDUCES_RISK, audit=""),
    ],
)
def test_audited_failed_retried_and_order_calls_need_a_line(event: events.CallFinished) -> None:
    assert wanted(event)


def test_a_breaker_transition_keeps_its_facts_and_drops_what_is_empty() -> None:
    line = only(
        events.BreakerTransition("binance", "orders", BreakerState.CLOSED, BreakerState.OPEN, "failures", retry_in=60.0)
    )
    assert (line.event, line.fields) == (
        "breaker_transition",
        {
            "broker": "binance",
            "group": "orders",
            "from_state": "closed",
            "to_state": "open",
            "reason": "failures",
            "retry_in": 60.0,
        },
    )


def test_the_names_of_the_plain_events_are_distinct() -> None:
    assert len(set(EVENT_TYPES.values())) == len(EVENT_TYPES)


def test_why_no_further_retry_was_made_is_told() -> None:
    line = list(lines_of(NOON, failed(Outcome.UNKNOWN, "timeout", why=Why.UNSAFE)))[-1]
    assert line.fields["why"] == "unsafe"
