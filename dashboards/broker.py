"""One broker: is it well, what becomes of the calls to it, and how long do they take?"""

from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards import streams, words
from dashboards.frame import Line, line, section
from dashboards.frame import board as framed
from dashboards.panels import lines, number, timeline
from dashboards.queries import BROKER, FAILED, Query, share_of_some
from dashboards.trading import verdict
from dashboards.words import ORANGE, RED, YELLOW


def board() -> Dashboard:
    """The board."""
    return framed(
        "sidecar-broker",
        "Sidecar / Broker",
        "Condition, breakers, calls, attempts and retries of the chosen brokers.",
        section("Now", _now(), _more()),
        section("States", _states(), _breakers(), _next(), _levels()),
        section("Calls: rate, errors, duration", _calls(), _durations(), _own()),
        section("Attempts and retries", _attempts(), _retries(), _budget()),
        section("Overhead", _overhead()),
        section("Streams", *streams.rows()),
    )


def _now() -> Line:
    return line(
        5,
        number(
            "Can a new order be sent?",
            "none",
            "The worst of condition, gate and the orders' breaker.",
            Query(f"max by (broker) ({verdict()})", "{{broker}}"),
            words=words.TRADING,
        ),
        number(
            "Condition",
            "none",
            "The condition that the broker is in, by its own answers.",
            Query(BROKER.code("sidecar_broker_state", words.CONDITION_CODES, "broker"), "{{broker}}"),
            words=words.CONDITION,
        ),
        widths=(12, 12),
    )


def _more() -> Line:
    return line(
        4,
        number(
            "Under way",
            "short",
            "Calls that are under way now.",
            Query(BROKER.sum("sidecar_calls_in_flight", "broker"), "{{broker}}"),
        ),
        number(
            "Retries left",
            "short",
            "Retries that may still be made now, before they would be too large a share of the traffic.",
            Query(BROKER.sum("sidecar_retry_budget_remaining", "broker"), "{{broker}}"),
        ),
        number(
            "Away, answers in a row",
            "short",
            "Answers in a row by which the broker said that it is away.",
            Query(BROKER.most("sidecar_broker_consecutive_unavailable", "broker"), "{{broker}}"),
            steps=[(1, YELLOW), (3, ORANGE)],
        ),
        number(
            "Next look at the broker",
            "s",
            "Time until the sidecar asks the broker again how it is, if no call tells sooner.",
            Query(BROKER.seconds_until("sidecar_broker_next_probe_timestamp_seconds", "broker"), "{{broker}}"),
        ),
    )


def _states() -> Line:
    return line(
        8,
        timeline(
            "Condition over time",
            "ok, degraded, maintenance or banned; the worst that any of the chosen sidecars sees.",
            words.CONDITION,
            Query(BROKER.code("sidecar_broker_state", words.CONDITION_CODES, "broker"), "{{broker}}"),
        ),
        timeline(
            "Breakers over time",
            "What each endpoint group's breaker does with the next call.",
            words.BREAKER,
            Query(BROKER.code("sidecar_breaker_state", words.BREAKER_CODES, "broker, group"), "{{broker}} {{group}}"),
        ),
    )


def _breakers() -> Line:
    return line(
        8,
        lines(
            "Failed share in the breaker's window",
            "percentunit",
            "Share of failed calls that the breaker judges by.",
            Query(BROKER.most("sidecar_breaker_failure_ratio", "broker, group"), "{{broker}} {{group}}"),
            top=1,
        ),
        lines(
            "Slow share in the breaker's window",
            "percentunit",
            "Share of slow calls that the breaker judges by.",
            Query(BROKER.most("sidecar_breaker_slow_ratio", "broker, group"), "{{broker}} {{group}}"),
            top=1,
        ),
        lines(
            "Breaker transitions",
            "short",
            "Changes of breakers' states and why, in each step of the graph.",
            Query(
                BROKER.steps(
                    "sidecar_breaker_transitions_total",
                    "broker, group, to_state, reason",
                ),
                "{{broker}} {{group}} to {{to_state}}: {{reason}}",
            ),
        ),
    )


def _next() -> Line:
    return line(
        5,
        number(
            "Next probe of open breakers",
            "s",
            "Time until an open breaker lets the next call through to see whether the broker works again.",
            Query(
                BROKER.seconds_until("sidecar_breaker_next_probe_timestamp_seconds", "broker, group"),
                "{{broker}} {{group}}",
            ),
            none="all are closed",
        ),
        number(
            "Breakers run by hand",
            "short",
            "Breakers that do not act by their measurements: forced by a person, or only watching (shadow).",
            Query(BROKER.sum("sidecar_breaker_mode", "mode", 'mode!="auto"') + " > 0", "{{mode}}"),
            steps=[(1, YELLOW)],
        ),
        number(
            "Broker's clock",
            "s",
            "Seconds that the broker's clock is ahead of the sidecar's machine. Signatures fail where it is far off.",
            Query(BROKER.most("sidecar_clock_offset_seconds", "broker"), "{{broker}}"),
            steps=[(1, YELLOW), (3, RED)],
        ),
        number(
            "Changes of condition",
            "short",
            "How often the broker's condition changed in the shown time, and to what.",
            Query(BROKER.rise("sidecar_broker_state_transitions_total", "to_state") + " > 0", "to {{to_state}}"),
        ),
    )


def _levels() -> Line:
    return line(
        7,
        timeline(
            "Degradation over time",
            "How much of the broker may be used: from read only on, no new risk is sent.",
            words.LEVEL,
            Query(BROKER.code("sidecar_degradation_level", words.LEVEL_CODES, "broker", "level"), "{{broker}}"),
        ),
        lines(
            "Changes of degradation",
            "short",
            "Changes of the level and where they led, in each step of the graph.",
            Query(
                BROKER.steps(
                    "sidecar_degradation_transitions_total",
                    "broker, level",
                ),
                "{{broker}} to {{level}}",
            ),
        ),
        lines(
            "Cached reads",
            "reqps",
            "Reads at endpoints whose answers are remembered, by where the answer came from.",
            Query(BROKER.moving("sidecar_cache_reads_total", "broker, result"), "{{broker}} {{result}}"),
        ),
        lines(
            "Size of the cache",
            "bytes",
            "What the remembered answers take, roughly.",
            Query(BROKER.most("sidecar_cache_bytes", "broker"), "{{broker}}"),
        ),
    )


def _calls() -> Line:
    calls, asked = (count("sidecar_calls_total", "broker, endpoint") for count in (BROKER.rate, BROKER.moving))
    failed = BROKER.rate("sidecar_calls_total", "broker, endpoint", FAILED)
    return line(
        9,
        lines("Rate by endpoint", "reqps", "Calls that went back to the bot.", Query(asked, "{{broker}} {{endpoint}}")),
        lines(
            "Failed share by endpoint",
            "percentunit",
            "Share of calls that ended as transient, unknown, maintenance, banned or rate limited.",
            Query(share_of_some(failed, calls), "{{broker}} {{endpoint}}"),
            top=1,
        ),
        lines(
            "Calls by outcome",
            "reqps",
            "How the calls ended. Only unknown leaves open whether the broker executed it.",
            Query(BROKER.moving("sidecar_calls_total", "outcome"), "{{outcome}}"),
            stacked=True,
            colours=words.OUTCOME,
        ),
    )


def _durations() -> Line:
    return line(
        9,
        *(
            lines(
                f"Call duration, {words_of}",
                "s",
                f"{text} of the calls were answered within this time, waits and retries included. The dots are "
                "single calls, and lead to their traces.",
                Query(
                    BROKER.quantile(share_of, "sidecar_call_duration_seconds", "broker, endpoint"),
                    "{{broker}} {{endpoint}}",
                    exemplars=True,
                ),
            )
            for share_of, words_of, text in ((0.5, "median", "Half"), (0.99, "99 %", "99 of 100"))
        ),
    )


def _own() -> Line:
    return line(
        8,
        lines(
            "Answered by the sidecar itself",
            "reqps",
            "Calls that the sidecar answered in the broker's place, and why. All but unknown say: not executed.",
            Query(BROKER.moving("sidecar_own_answers_total", "broker, reason"), "{{broker}} {{reason}}"),
            stacked=True,
        ),
        lines(
            "Answered by their idempotency key",
            "reqps",
            "Calls that came a second time with the same Idempotency-Key, and were not sent again.",
            Query(BROKER.moving("sidecar_idempotent_calls_total", "broker, result"), "{{broker}} {{result}}"),
        ),
        lines(
            "Logins",
            "ops",
            "Logins at the broker with the sidecar's own keys. Without a session no order can be sent.",
            Query(BROKER.moving("sidecar_logins_total", "broker, result"), "{{broker}} {{result}}"),
        ),
    )


def _attempts() -> Line:
    return line(
        9,
        lines(
            "Attempts by outcome",
            "reqps",
            "Transmissions to the broker. More attempts than calls are retries.",
            Query(BROKER.moving("sidecar_attempts_total", "outcome"), "{{outcome}}"),
            stacked=True,
            colours=words.OUTCOME,
        ),
        lines(
            "Attempt duration, 99 %",
            "s",
            "The broker's own time: 99 of 100 transmissions were answered within it. The dots lead to traces.",
            Query(
                BROKER.quantile(0.99, "sidecar_attempt_duration_seconds", "broker, endpoint"),
                "{{broker}} {{endpoint}}",
                exemplars=True,
            ),
        ),
    )


def _retries() -> Line:
    return line(
        8,
        lines(
            "Retries by reason",
            "reqps",
            "Attempts that failed and were followed by another.",
            Query(BROKER.moving("sidecar_retries_total", "broker, reason"), "{{broker}} {{reason}}"),
            stacked=True,
        ),
        lines(
            "Retries denied, and why",
            "reqps",
            "Attempts that failed and got no other. unsafe: it may have been executed, and a resend could double it.",
            Query(BROKER.moving("sidecar_retries_denied_total", "broker, why"), "{{broker}} {{why}}"),
            stacked=True,
        ),
    )


def _budget() -> Line:
    return line(
        8,
        lines(
            "Retry budget",
            "short",
            "Retries that may still be made. At 0 the sidecar lets failures through rather than make an outage worse.",
            Query(BROKER.sum("sidecar_retry_budget_remaining", "broker"), "{{broker}}"),
        ),
        lines(
            "Orders looked up",
            "ops",
            "The sidecar asked the broker about an order: one in doubt, or one of an operation that it watches. Not "
            "found proves nothing: it may only be late.",
            Query(BROKER.moving("sidecar_order_lookups_total", "broker, result"), "{{broker}} {{result}}"),
        ),
    )


def _overhead() -> Line:
    return line(
        8,
        lines(
            "Time inside the sidecar",
            "s",
            "Time of a call that was neither the broker's nor a deliberate wait. The dots lead to traces.",
            *(
                Query(
                    BROKER.quantile(quantile, "sidecar_overhead_seconds", "broker"),
                    f"{{{{broker}}}} {name}",
                    exemplars=True,
                )
                for quantile, name in ((0.5, "median"), (0.99, "99 %"))
            ),
        ),
        lines(
            "Calls under way",
            "short",
            "Calls that were under way at each moment.",
            Query(BROKER.sum("sidecar_calls_in_flight", "broker"), "{{broker}}"),
        ),
    )
