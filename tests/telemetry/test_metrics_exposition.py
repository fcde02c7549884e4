"""What a scrape gets is valid, in the format that it asked for, and well named."""

import re
from collections.abc import Callable, Iterator

import pytest
from prometheus_client import CollectorRegistry, Metric
from prometheus_client import exposition as text_format
from prometheus_client.openmetrics import exposition as openmetrics_format
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families as parse_text
from prometheus_client.registry import Collector

from sidecar.clock import VirtualClock
from sidecar.telemetry.events import Bus
from sidecar.telemetry.metrics import Metrics
from sidecar.telemetry.metrics.families import Family, counter
from sidecar.telemetry.traces import SpanReadings
from tests.telemetry.seen_samples import AUDIT, CALL, ORDERS, SAMPLES, SHAPE, STORE

generate_openmetrics: Callable[[CollectorRegistry], bytes] = openmetrics_format.generate_latest
parse_openmetrics: Callable[[str], Iterator[Metric]] = openmetrics_parser.text_string_to_metric_families

OPENMETRICS = "application/openmetrics-text"
PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,"
    "text/plain;version=0.0.4;q=0.2,/;q=0.1"
)


@pytest.fixture
def metrics() -> Metrics:
    """Metrics through which one of each event has gone."""
    bus = Bus(VirtualClock())
    made = Metrics(
        [SHAPE],
        bot='say "hi"\\\n',
        version="1",
        traced=lambda _: True,
        read_audit=lambda: AUDIT,
        read_spans=lambda: SpanReadings(1, 2, 3),
        read_store=lambda: STORE,
        read_orders=lambda: [ORDERS],
    )
    made.subscribe(bus)
    for event in (*SAMPLES.values(), CALL):
        bus.emit(event)
    return made


def own(text: bytes) -> str:
    """Without the process's metrics, which change from moment to moment."""
    return text.decode().partition("# HELP process_")[0].partition("# HELP python_")[0]


class Alone(Collector):
    """The sidecar's families as another registry would show them."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> list[Metric]:
        return list(self._metrics.collect())


def test_openmetrics_is_what_the_reference_library_writes(metrics: Metrics) -> None:
    registry = CollectorRegistry()
    registry.register(Alone(metrics))
    written, _ = metrics.exposition(OPENMETRICS)
    assert own(written) == generate_openmetrics(registry).decode().removesuffix("# EOF\n")


def test_plain_text_is_what_the_reference_library_writes(metrics: Metrics) -> None:
    registry = CollectorRegistry()
    registry.register(Alone(metrics))
    written, _ = metrics.exposition("text/plain")
    assert own(written) == text_format.generate_latest(registry).decode()


def test_openmetrics_can_be_parsed_strictly_and_holds_everything(metrics: Metrics) -> None:
    written, _ = metrics.exposition(OPENMETRICS)
    parsed = {family.name for family in parse_openmetrics(written.decode())}
    assert parsed == {family.name for family in metrics.registry.collect()}


def test_plain_text_can_be_parsed_and_holds_no_exemplar(metrics: Metrics) -> None:
    written, _ = metrics.exposition("")
    assert len(list(parse_text(written.decode()))) > 40
    assert "trace_id" not in written.decode()


@pytest.mark.parametrize(
    "accept", [OPENMETRICS, PROMETHEUS_2, PROMETHEUS_3, "text/plain;q=0.5,application/openmetrics-text"]
)
def test_openmetrics_is_served_to_whoever_prefers_it(metrics: Metrics, accept: str) -> None:
    text, content_type = metrics.exposition(accept)
    assert content_type == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert text.endswith(b"# EOF\n")


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        "text/html",
        "application/openmetrics-text;q=0",
        "application/openmetrics-text;q=0.1,text/plain",
        "application/openmetrics-text;q=x",
    ],
)
def test_plain_text_is_served_to_everybody_else(metrics: Metrics, accept: str) -> None:
    text, content_type = metrics.exposition(accept)
    assert content_type == "text/plain; version=0.0.4; charset=utf-8"
    assert b"# EOF" not in text


def test_names_follow_the_prometheus_conventions(metrics: Metrics) -> None:
    kinds = dict(re.findall(r"^# TYPE (sidecar\S*) (\S+)$", metrics.exposition("")[0].decode(), re.MULTILINE))
    assert len(kinds) > 40
    for name, kind in kinds.items():
        assert re.fullmatch(r"sidecar(_[a-z]+)+", name), name
        assert name.endswith("_total") == (kind == "counter"), name
        assert not re.search(r"_(count|sum|bucket|counter|gauge|histogram|ms|milliseconds|minutes|percent)$", name), (
            name
        )
        assert kind != "histogram" or name.endswith("_seconds"), name


def test_every_metric_has_a_help_text_of_one_sentence(metrics: Metrics) -> None:
    for family in metrics.families:
        assert re.fullmatch(r"[A-Z1].+\.", family.help), family.name


def test_no_family_comes_twice(metrics: Metrics) -> None:
    names = [family.name for family in metrics.families]
    assert len(names) == len(set(names))


def test_the_global_registry_of_the_library_stays_untouched() -> None:
    from prometheus_client import REGISTRY  # noqa: PLC0415 - only this test looks at it

    Metrics([SHAPE], bot="b", version="1")
    assert not [family.name for family in REGISTRY.collect() if family.name.startswith("sidecar")]


def test_two_sidecars_in_one_process_do_not_share_their_counts() -> None:
    first, second = (Metrics([SHAPE], bot="b", version="1") for _ in range(2))
    bus = Bus(VirtualClock())
    first.subscribe(bus)
    bus.emit(CALL)
    labels = {"broker": "binance", "endpoint": "get_account", "outcome": "ok"}
    assert first.registry.get_sample_value("sidecar_calls_total", labels) == 1
    assert second.registry.get_sample_value("sidecar_calls_total", labels) == 0


def test_a_label_value_is_escaped() -> None:
    family = counter("odd_total", "Odd.", ("name",))
    family['a"b\\c\nd',].value += 1
    assert list(family.text(openmetrics=False))[1] == 'odd_total{name="a\\"b\\\\c\\nd"} 1.0\n'


def test_a_family_without_labels_has_no_braces() -> None:
    family = Family("plain", "Plain.")
    family[()].value = 2
    assert list(family.text(openmetrics=False))[1] == "plain 2.0\n"
