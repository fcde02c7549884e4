"""All bots and brokers: who can trade, the worst first."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards import words
from dashboards.frame import Line, line, section
from dashboards.frame import board as framed
from dashboards.panels import Column, lines, number, rows, timeline
from dashboards.queries import BROKER, FAILED, IN_RANGE, JOB, PER_STEP, SIDECAR, Query, named, share
from dashboards.trading import next_try, verdict
from dashboards.words import ORANGE, RED, YELLOW

_PAIR = "bot, broker"


def board() -> Dashboard:
    """The board."""
    return framed(
        "sidecar-fleet",
        "Sidecar / Fleet",
        "Can the bots trade, and if not, why? Each row leads to its broker.",
        section("Can the bots trade?", _numbers(), _who()),
        section("How has it been?", _states(), _traffic()),
        section("What is running?", _versions()),
    )


def _numbers() -> Line:
    verdicts = verdict()
    lasting = SIDECAR.select("sidecar_errors_unresolved", 'severity=~"critical|error"')
    return line(
        4,
        number(
            "Cannot trade",
            "short",
            "Pairs of sidecar and broker to which no new order would be sent now.",
            Query(f"count({verdicts} > 2) or vector(0)"),
            steps=[(1, RED)],
        ),
        number("Can trade", "short", "Pairs of sidecar and broker.", Query(f"count({verdicts} <= 2) or vector(0)")),
        number(
            "Sidecars without an answer",
            "short",
            "Sidecars that Prometheus knows and does not reach. Their bots cannot reach a broker either.",
            Query(f"count(up{{{JOB}}} == 0) or vector(0)"),
            steps=[(1, RED)],
        ),
        number(
            "Orders in doubt",
            "short",
            "Orders that may have been executed and whose fate the broker has not told yet. Nothing is sent again.",
            Query(BROKER.sum("sidecar_orders_carried", where='state="in_doubt"')),
            steps=[(1, RED)],
        ),
        number(
            "Breakers not closed",
            "short",
            "Open, half open or forced open, in any endpoint group.",
            Query(BROKER.sum("sidecar_breaker_state", where='state=~"open|half_open|forced_open"')),
            steps=[(1, ORANGE)],
        ),
        number(
            "Unresolved errors",
            "short",
            "Kinds of critical errors and errors that are not over, by bot and broker.",
            Query(f"count({lasting} > 0) or vector(0)"),
            steps=[(1, ORANGE)],
        ),
    )


def _who() -> Line:
    calls, failed = (
        f"sum by (job, instance, broker) (rate({BROKER.select('sidecar_calls_total', where)}[{PER_STEP}]))"
        for where in ("", FAILED)
    )
    limit = f"{BROKER.select('sidecar_rate_limit_used')} / {BROKER.select('sidecar_rate_limit_capacity')}"
    openings = BROKER.select("sidecar_breaker_transitions_total", 'to_state="open"')
    columns = [
        Column("Can trade", named(verdict(), _PAIR), words=words.TRADING, width=240),
        Column("Tried again in", named(next_try(), _PAIR), "s"),
        Column("Calls", named(calls, _PAIR), "reqps"),
        Column("Failed", named(share(failed, calls), _PAIR), "percentunit", steps=[(0.01, YELLOW), (0.1, RED)]),
        Column("Fullest limit", named(limit, _PAIR), "percentunit", steps=[(0.8, YELLOW), (0.95, RED)]),
        Column(
            "Openings",
            named(f"sum by (job, instance, broker) (increase({openings}[{IN_RANGE}]))", _PAIR),
            "short",
        ),
    ]
    return line(
        10,
        rows(
            "Who can trade",
            "Every bot and broker, the worst first. Click a bot for the reasons. Failed: transient, unknown, "
            "maintenance, banned and rate limited calls. Openings: of breakers, in the shown time.",
            ["bot", "broker"],
            columns,
            link="sidecar-broker",
        ),
    )


def _states() -> Line:
    return line(
        8,
        timeline(
            "Could they trade?",
            "Whether a new order would have been sent, over time.",
            words.TRADING,
            Query(named(verdict(), _PAIR), "{{bot}} {{broker}}"),
        ),
    )


def _traffic() -> Line:
    calls = f"sum by (job, instance) (rate({BROKER.select('sidecar_calls_total')}[{PER_STEP}]))"
    failed = f"sum by (job, instance) (rate({BROKER.select('sidecar_calls_total', FAILED)}[{PER_STEP}]))"
    return line(
        8,
        lines("Calls by bot", "reqps", "Calls that went back to the bot.", Query(named(calls, "bot"), "{{bot}}")),
        lines(
            "Failed calls by bot",
            "percentunit",
            "Share of calls that the broker or the way to it failed: transient, unknown, maintenance, banned, "
            "rate limited.",
            Query(named(share(failed, calls), "bot"), "{{bot}}"),
            top=1,
        ),
    )


def _versions() -> Line:
    info = SIDECAR.select("sidecar_info")
    started = f"{SIDECAR.select('process_start_time_seconds')} * on (job, instance) group_left (bot, version) {info}"
    return line(
        6,
        rows(
            "Sidecars",
            "What runs for whom, the youngest first: the sidecar's version and the moment of its start.",
            ["bot", "version", "instance"],
            [
                Column(
                    "Started",
                    f"1000 * max by (bot, version, instance) ({started})",
                    "dateTimeFromNow",
                    width=240,
                )
            ],
        ),
    )
