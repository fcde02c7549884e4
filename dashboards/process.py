"""The sidecar itself: what it costs, who knocks at its door, and whether its own telemetry is whole."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards import words
from dashboards.frame import Line, line, section
from dashboards.frame import board as framed
from dashboards.panels import lines, number, timeline
from dashboards.queries import PER_STEP, SIDECAR, Query, named
from dashboards.words import ORANGE, RED, YELLOW


def board() -> Dashboard:
    """The board."""
    return framed(
        "sidecar-process",
        "Sidecar / Sidecar",
        "The process: CPU, memory, connections, overhead, audit log and telemetry.",
        section("Now", _now()),
        section("What it does", _states(), _changes()),
        section("What it costs", _costs(), _memory()),
        section("At the door", _door()),
        section("Audit log", _audit(), _audit_queue()),
        section("Telemetry", _telemetry()),
        by_broker=False,
    )


def _now() -> Line:
    return line(
        5,
        number(
            "Sidecars",
            "short",
            "How many answer now, by version.",
            Query(f"count by (version) ({SIDECAR.select('sidecar_info')})", "{{version}}"),
        ),
        number(
            "Youngest process",
            "s",
            "How long ago it was started.",
            Query(f"min(time() - {SIDECAR.select('process_start_time_seconds')})"),
        ),
        number(
            "Slowest start",
            "s",
            "From the first room opened to readiness. Loading the program comes before it.",
            Query(SIDECAR.most("sidecar_start_duration_seconds")),
            steps=[(5, YELLOW), (20, ORANGE)],
        ),
        number(
            "Audit chain",
            "none",
            "Broken: an audit line is known to be lost.",
            Query(f"min({SIDECAR.select('sidecar_audit_chain_intact')})"),
            words=words.INTACT,
        ),
        number(
            "Lost audit events",
            "short",
            "Events lost to the audit log in the shown time, because its queue was full.",
            Query(SIDECAR.rise("sidecar_audit_dropped_events_total")),
            steps=[(1, RED)],
        ),
        number(
            "Failed telemetry",
            "short",
            "Events in the shown time that a subscriber failed to handle: a fault of the sidecar's own.",
            Query(SIDECAR.rise("sidecar_telemetry_failures_total")),
            steps=[(1, RED)],
        ),
    )


def _states() -> Line:
    return line(
        6,
        timeline(
            "State over time",
            "Waiting: no broker can be traded with, and it goes on by itself. Error: a person is needed.",
            words.OPERATIONAL,
            Query(
                named(SIDECAR.code("sidecar_operational_state", words.OPERATIONAL_CODES, "job, instance"), "bot"),
                "{{bot}}",
            ),
        ),
        timeline(
            "Start-up checks over time",
            "What the checks have found of each broker; the worst that any of the chosen sidecars found.",
            words.READINESS,
            Query(SIDECAR.code("sidecar_broker_readiness", words.READINESS_CODES, "broker"), "{{broker}}"),
        ),
    )


def _changes() -> Line:
    return line(
        6,
        lines(
            "Changes of the state",
            "short",
            "Changes of what the sidecars do, in each step of the graph.",
            Query(
                SIDECAR.rise("sidecar_operational_state_transitions_total", "to_state", window=PER_STEP),
                "to {{to_state}}",
            ),
        ),
        lines(
            "Reloads",
            "short",
            "Times the configuration was read anew, in each step of the graph; refused: the old one stays.",
            Query(
                SIDECAR.steps(
                    "sidecar_reloads_total",
                    "result",
                ),
                "{{result}}",
            ),
        ),
    )


def _costs() -> Line:
    return line(
        8,
        lines(
            "CPU",
            "percentunit",
            "Share of one core.",
            Query(named(SIDECAR.rate("process_cpu_seconds_total", "job, instance"), "bot"), "{{bot}}"),
        ),
        lines(
            "Overhead, 99 %",
            "s",
            "Time inside the sidecar that was neither the broker's nor a deliberate wait. The dots lead to traces.",
            Query(
                named(SIDECAR.quantile(0.99, "sidecar_overhead_seconds", "job, instance"), "bot"),
                "{{bot}}",
                exemplars=True,
            ),
        ),
        lines(
            "Calls under way",
            "short",
            "Calls that were under way at each moment.",
            Query(named(SIDECAR.sum("sidecar_calls_in_flight", "job, instance"), "bot"), "{{bot}}"),
        ),
    )


def _memory() -> Line:
    return line(
        8,
        lines(
            "Memory",
            "bytes",
            "Memory in use.",
            Query(named(SIDECAR.sum("process_resident_memory_bytes", "job, instance"), "bot"), "{{bot}}"),
        ),
        lines(
            "Open files and connections",
            "percentunit",
            "Descriptors in use, as a share of those that are allowed.",
            Query(
                named(f"{SIDECAR.select('process_open_fds')} / {SIDECAR.select('process_max_fds')}", "bot"), "{{bot}}"
            ),
        ),
        lines(
            "Event loop lag, 99 %",
            "s",
            "How late the event loop comes back to what is due: while something blocks it, every call waits.",
            Query(named(SIDECAR.quantile(0.99, "sidecar_event_loop_lag_seconds", "job, instance"), "bot"), "{{bot}}"),
        ),
        lines(
            "Garbage collections",
            "ops",
            "Of all chosen sidecars. Many of generation 2 cost latency.",
            Query(SIDECAR.rate("python_gc_collections_total", "generation"), "generation {{generation}}"),
        ),
    )


def _door() -> Line:
    return line(
        8,
        lines(
            "Turned away",
            "reqps",
            "Requests turned away before they reached a broker: no such broker, too large, a browser, no token …",
            Query(SIDECAR.moving("sidecar_refused_requests_total", "listener, reason"), "{{listener}} {{reason}}"),
        ),
        lines(
            "Open streams",
            "short",
            "Streams that are relayed now, which hold two connections each, and the sidecar's own.",
            Query(named(SIDECAR.sum("sidecar_streams_open", "job, instance"), "bot"), "{{bot}}"),
        ),
    )


def _audit() -> Line:
    return line(
        8,
        lines(
            "Audit lines",
            "ops",
            "Lines written, and writes that failed.",
            Query(named(SIDECAR.rate("sidecar_audit_lines_total", "job, instance"), "bot"), "{{bot}} lines"),
            Query(
                named(SIDECAR.moving("sidecar_audit_write_failures_total", "job, instance"), "bot"),
                "{{bot}} failed writes",
            ),
        ),
        lines(
            "Audit events lost, over time",
            "ops",
            "Events that did not find room in the audit log's queue.",
            Query(named(SIDECAR.moving("sidecar_audit_dropped_events_total", "job, instance"), "bot"), "{{bot}}"),
        ),
    )


def _audit_queue() -> Line:
    return line(
        7,
        lines(
            "Audit events that wait",
            "short",
            "Events that wait to be written. A queue that grows means a disk that is too slow.",
            Query(named(SIDECAR.sum("sidecar_audit_queued_events", "job, instance"), "bot"), "{{bot}}"),
        ),
        lines(
            "Time since the last audit write",
            "s",
            "A quiet bot writes rarely; a busy one always.",
            Query(
                named(SIDECAR.seconds_since("sidecar_audit_last_write_timestamp_seconds", "job, instance"), "bot"),
                "{{bot}}",
            ),
        ),
    )


def _telemetry() -> Line:
    return line(
        8,
        lines(
            "Spans",
            "ops",
            "Spans for the trace collector: exported, failed (the collector did not take them) or dropped.",
            Query(SIDECAR.moving("sidecar_spans_total", "result"), "{{result}}"),
            stacked=True,
        ),
        lines(
            "Failed subscribers",
            "ops",
            "Events that a subscriber failed to handle.",
            Query(named(SIDECAR.moving("sidecar_telemetry_failures_total", "job, instance"), "bot"), "{{bot}}"),
        ),
    )
