"""After a bad day, a real Prometheus and real OTLP receivers can tell what happened."""

import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.e2e.collectors import attributes, grpc_collector
from tests.e2e.observed.day import AMBIGUOUS, BROKE, PARENT, REFUSED, RETRIED, SLOW, Day, call
from tests.e2e.prometheus import complaints
from tests.e2e.stack import QUICK, Sidecar, Simulated

pytestmark = pytest.mark.e2e

FED = {
    "sidecar_calls_total",
    "sidecar_call_duration_seconds_bucket",
    "sidecar_overhead_seconds_bucket",
    "sidecar_attempts_total",
    "sidecar_attempt_duration_seconds_bucket",
    "sidecar_retries_total",
    "sidecar_retries_denied_total",
    "sidecar_breaker_state",
    "sidecar_breaker_transitions_total",
    "sidecar_rate_limit_used",
    "sidecar_rate_limit_capacity",
    "sidecar_rate_limit_readings_total",
    "sidecar_rate_limit_reading_timestamp_seconds",
    "sidecar_rate_limit_exhaustion_seconds",
    "sidecar_rate_limit_wait_seconds_bucket",
    "sidecar_rate_limit_rejections_total",
    "sidecar_broker_state",
    "sidecar_broker_state_transitions_total",
    "sidecar_order_lookups_total",
    "sidecar_idempotent_calls_total",
    "sidecar_orders_carried",
    "sidecar_orders_total",
    "sidecar_order_queue_age_seconds",
    "sidecar_order_refusals_total",
    "sidecar_operations",
    "sidecar_operations_started_total",
    "sidecar_operation_results_total",
    "sidecar_operation_steps_total",
    "sidecar_operation_recoveries_total",
    "sidecar_positions_unprotected_total",
    "sidecar_broker_next_probe_timestamp_seconds",
    "sidecar_new_risk_held",
    "sidecar_degradation_level",
    "sidecar_degradation_transitions_total",
    "sidecar_cache_reads_total",
    "sidecar_cache_bytes",
    "sidecar_errors_total",
    "sidecar_errors_unresolved",
    "sidecar_notifications_total",
    "sidecar_info",
    "sidecar_operational_state",
    "sidecar_broker_readiness",
    "sidecar_reloads_total",
    "sidecar_stream_messages_total",
    "sidecar_stream_reconnects_total",
    "sidecar_stream_last_message_timestamp_seconds",
}
"""What dashboards and alerts may rely on."""


# Metrics


def test_promtool_finds_nothing_to_complain_of(day: Day) -> None:
    page = day.sidecar.metrics().encode()
    assert complaints(page) == ""
    assert "no help text" in complaints(page.replace(b"# HELP sidecar_info", b"# ELP sidecar_info"))


def test_the_other_format_is_parsed_strictly_and_says_the_same(day: Day) -> None:
    url = day.sidecar.metrics_url
    request = urllib.request.Request(url, headers={"Accept": "application/openmetrics-text"})  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=30) as told:  # noqa: S310 - loopback
        page = told.read().decode()
    families: Callable[[str], Any] = text_string_to_metric_families
    names = {sample.name for family in families(page) for sample in family.samples}
    plain = {line.partition(" ")[0].partition("{")[0] for line in day.sidecar.metrics().splitlines()}
    assert {name for name in names if name.startswith("sidecar_")} == {
        name for name in plain if name.startswith("sidecar_")
    }


def test_prometheus_has_every_metric_that_something_relies_on(day: Day) -> None:
    names = day.prometheus.names()
    assert names >= FED


def test_prometheus_can_say_how_many_retries_there_were_and_why(day: Day) -> None:
    assert day.prometheus.by("reason", "sum by (reason) (sidecar_retries_total)") == {
        "server_error": 4,
        "connect": 2,
    }


def test_prometheus_can_say_how_many_retries_were_denied_and_why(day: Day) -> None:
    assert day.prometheus.by("why", "sum by (why) (sidecar_retries_denied_total)") == {
        "unsafe": 1,
        "fatal": 1,
        "deadline": 2,
        "exhausted": 1,
        "budget": 1,
        "breaker_open": 1,
    }


def test_prometheus_can_say_which_breaker_is_open(day: Day) -> None:
    is_open = day.prometheus.ask('sidecar_breaker_state{state="open"} == 1')
    assert [(series.labels["broker"], series.labels["group"]) for series in is_open] == [("oanda", "pricing")]


def test_prometheus_can_say_how_much_weight_is_left(day: Day) -> None:
    told, left = day.weight
    assert 0 < told < 2400
    assert left == 2400 - told


def test_prometheus_can_say_whose_gate_is_shut_and_until_when(day: Day) -> None:
    assert day.prometheus.by("broker", "sidecar_rate_limit_gate_shut") == {"binance": 1}
    opening = day.prometheus.number("sidecar_rate_limit_gate_opening_timestamp_seconds")
    assert 200 < opening - time.time() < 301


def test_prometheus_can_say_what_lasts_and_that_an_alert_did_not_arrive(day: Day) -> None:
    lasting = day.prometheus.ask('sidecar_errors_unresolved{severity="critical"} > 0')
    assert {(series.labels["broker"], series.labels["error_type"]) for series in lasting} == {
        ("binance", "order_outcome_unknown"),
        ("binance", "banned"),
    }
    assert day.prometheus.number('sum(sidecar_notifications_total{channel="alertmanager",result="failed"})') > 0


@pytest.mark.parametrize(
    "series",
    [
        'sidecar_errors_total{broker="binance",error_type="banned",severity="critical"}',
        'sidecar_retries_total{broker="binance",endpoint="place_order",reason="server_error"}',
        'sidecar_retries_denied_total{broker="binance",endpoint="place_order",why="unsafe"}',
        'sidecar_calls_total{broker="binance",endpoint="place_order",outcome="unknown"}',
        'sidecar_attempts_total{broker="binance",endpoint="place_order",outcome="transient"}',
        'sidecar_breaker_transitions_total{broker="oanda",group="pricing",to_state="open",reason="failures"}',
        'sidecar_rate_limit_gate_closures_total{broker="binance",outcome="banned"}',
        'sidecar_own_answers_total{broker="binance",reason="banned"}',
    ],
)
def test_the_first_error_is_an_increase(day: Day, series: str) -> None:
    assert day.prometheus.number(series, at=day.quiet) == 0
    assert day.prometheus.number(f"increase({series}[5m])") > 0


def test_the_exemplar_of_a_failed_call_names_a_trace_that_the_collector_has(day: Day) -> None:
    (found,) = exemplars(day, 'sidecar_call_duration_seconds_bucket{outcome="unknown"}')
    assert found == AMBIGUOUS
    assert day.collected.trace(found, 2)


def test_the_exemplar_of_a_slow_attempt_names_a_trace_that_the_collector_has(day: Day) -> None:
    (found,) = exemplars(day, 'sidecar_attempt_duration_seconds_bucket{broker="binance",outcome="ok",le=~"0.75|1.0"}')
    assert found == SLOW
    assert day.collected.trace(found, 2)


def exemplars(day: Day, selector: str) -> set[str]:
    return {exemplar["labels"]["trace_id"] for _, exemplar in day.prometheus.exemplars(selector)}


# Traces


def test_a_retried_call_is_one_trace_with_a_span_for_each_attempt(day: Day) -> None:
    server, *attempts = day.collected.trace(RETRIED, 4)
    assert (server.kind, server.name, server.parent_span_id.hex()) == (
        Span.SPAN_KIND_SERVER,
        "binance place_order",
        PARENT,
    )
    assert [(span.kind, span.name, span.parent_span_id) for span in attempts] == [
        (Span.SPAN_KIND_CLIENT, "POST place_order", server.span_id)
    ] * 3
    told = [attributes(span) for span in attempts]
    assert [one.get("http.request.resend_count") for one in told] == [None, 1, 2]
    assert [one.get("error.type") for one in told] == ["transient", "transient", None]


def test_a_call_that_the_sidecar_refuses_has_a_span_without_attempts(day: Day) -> None:
    kinds = Counter(span.kind for span in day.collected.trace(REFUSED, 3))
    assert kinds == {Span.SPAN_KIND_SERVER: 2, Span.SPAN_KIND_CLIENT: 1}


def test_a_breaker_transition_is_told_on_the_attempt_that_caused_it(day: Day) -> None:
    server, first, second, third = day.collected.trace(BROKE, 4)
    assert [named(span, "breaker_transition") for span in (server, first, second)] == [[], [], []]
    (transition,) = named(third, "breaker_transition")
    assert transition["sidecar.to_state"] == "open"
    assert transition["sidecar.reason"] == "failures"
    (shut,) = [one for span in day.collected.trace(REFUSED, 3) for one in named(span, "gate_shut")]
    assert shut["sidecar.outcome"] == "banned"


def named(span: Span, event: str) -> list[dict[str, Any]]:
    return [attributes(one) for one in span.events if one.name == event]


def test_the_bots_trace_is_nobodys_business_at_the_broker(day: Day) -> None:
    arrived = [request.lower() for request in day.raw.requests if b"GET /x" in request]
    assert len(arrived) == 2
    assert day.collected.trace("6" * 32, 4)
    for word in (b"traceparent", b"tracestate", b"baggage", b"6" * 32, PARENT.encode(), b"sidecar"):
        assert [request for request in arrived if word in request] == []


def test_the_standard_variables_of_opentelemetry_are_respected(tmp_path: Path, binance: Simulated) -> None:
    with grpc_collector() as collected:
        environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collected.url,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
            "OTEL_SERVICE_NAME": "momentum-sidecar",
            "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=test,team=rates",
        }
        own = QUICK | {"profile": "binance-usdm", "base_url": binance.url}
        sidecar = Sidecar(tmp_path, {"binance": own}, environment)
        call(sidecar, "/binance/fapi/v1/time", {"traceparent": f"00-{'7' * 32}-{PARENT}-01"})
        assert sidecar.stop() == 0
        assert len(collected.trace("7" * 32, 2)) == 2
    for resource in collected.resources:
        assert resource["service.name"] == "momentum-sidecar"
        assert (resource["deployment.environment"], resource["team"]) == ("test", "rates")
        assert resource["sidecar.bot"] == "tester"
