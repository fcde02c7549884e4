"""Rate limits: what is used of what is allowed, who waits, who uses it, and when it will be used up."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards import words
from dashboards.frame import Line, line, section
from dashboards.frame import board as framed
from dashboards.panels import bars, lines, number, timeline
from dashboards.queries import BROKER, PER_STEP, Query, named
from dashboards.words import GREEN, ORANGE, RED, YELLOW

_LIMIT = "broker, limit"
_LEGEND = "{{broker}} {{limit}}"
_LONGEST = 3600
"""Seconds from which on a forecast reads as "not soon"; most are +Inf, which no axis can show."""
_NOT_SOON = {_LONGEST: words.Word("not soon", GREEN)}


def board() -> Dashboard:
    """The board."""
    return framed(
        "sidecar-limits",
        "Sidecar / Limits",
        "What is used of the brokers' limits, and what that costs in waits and refusals.",
        section("Now", _now(), _gate()),
        section("Use", _use(), _forecast()),
        section("Who uses it", _users()),
        section("Waits and refusals", _waits(), _queue()),
        section("What the broker tells", _readings(), _changes()),
    )


def _share() -> str:
    # Several sidecars on one address each tell the whole address' use: a sum would count it several times.
    used, capacity = (BROKER.most(f"sidecar_rate_limit_{name}", _LIMIT) for name in ("used", "capacity"))
    return f"{used} / {capacity}"


def _soon() -> str:
    forecast = BROKER.select("sidecar_rate_limit_exhaustion_seconds")
    return f"clamp_max(min by ({_LIMIT}) ({forecast}), {_LONGEST})"


def _now() -> Line:
    return line(
        9,
        bars(
            "Used now",
            "percentunit",
            "Share of each limit that is used. The sidecar makes calls wait before a limit is full.",
            Query(_share(), _LEGEND),
            top=1,
            steps=[(0.8, YELLOW), (0.95, RED)],
        ),
        bars(
            "Used up in",
            "s",
            "Time until each limit is used up at the present rate. A full bar is an hour or more, or never.",
            Query(_soon(), _LEGEND),
            top=_LONGEST,
            words=_NOT_SOON,
            steps=[(60, YELLOW), (600, GREEN)],
            bad=RED,
        ),
    )


def _gate() -> Line:
    return line(
        6,
        timeline(
            "Gate",
            "Shut: the broker said 429 or 418, and nothing goes to its address until the gate opens.",
            words.GATE,
            Query(BROKER.most("sidecar_rate_limit_gate_shut", "broker"), "{{broker}}"),
        ),
        number(
            "Opens again in",
            "s",
            "Time until a shut gate opens again.",
            Query(BROKER.seconds_until("sidecar_rate_limit_gate_opening_timestamp_seconds", "broker"), "{{broker}}"),
            steps=[(0, RED)],
            none="open",
        ),
        number(
            "Closures",
            "short",
            "How often the gate was shut in the shown time: by 429 (rate limited) or 418 (banned).",
            Query(BROKER.rise("sidecar_rate_limit_gate_closures_total", "outcome") + " > 0", "{{outcome}}"),
            steps=[(1, ORANGE)],
        ),
        number(
            "Openings",
            "short",
            "How often the gate opened again in the shown time.",
            Query(BROKER.rise("sidecar_rate_limit_gate_openings_total", "broker"), "{{broker}}"),
        ),
        widths=(12, 4, 4, 4),
    )


def _use() -> Line:
    return line(
        9,
        lines(
            "Share used",
            "percentunit",
            "Share of each limit that is used.",
            Query(_share(), _LEGEND),
            top=1,
        ),
        lines(
            "Used and allowed",
            "short",
            "In the limit's own unit: weight, orders or calls. What is allowed changes when the broker says so.",
            Query(BROKER.most("sidecar_rate_limit_used", _LIMIT), f"{_LEGEND} used"),
            Query(BROKER.most("sidecar_rate_limit_capacity", _LIMIT), f"{_LEGEND} allowed"),
        ),
    )


def _forecast() -> Line:
    return line(
        8,
        lines(
            "Forecast: used up in",
            "s",
            "Time until each limit is used up at the present rate; an hour means an hour or more, or never.",
            Query(_soon(), _LEGEND),
            top=_LONGEST,
        ),
        lines(
            "Warning share crossed",
            "short",
            "How often a limit's use rose above its warning share, in each step of the graph.",
            Query(
                BROKER.steps("sidecar_rate_limit_threshold_crossings_total", f"{_LIMIT}, direction"),
                f"{_LEGEND} {{{{direction}}}}",
            ),
        ),
    )


def _users() -> Line:
    by_bot = f"sum by (job, instance, broker) (rate({BROKER.select('sidecar_attempts_total')}[{PER_STEP}]))"
    return line(
        8,
        lines(
            "Attempts by bot",
            "reqps",
            "Who sends how much to each broker. Bots behind one address share its weight.",
            Query(named(by_bot, "bot, broker"), "{{bot}} {{broker}}"),
            stacked=True,
        ),
        lines(
            "Attempts by endpoint",
            "reqps",
            "What is asked for. Retries count like any other request.",
            Query(BROKER.moving("sidecar_attempts_total", "broker, endpoint"), "{{broker}} {{endpoint}}"),
            stacked=True,
        ),
    )


def _waits() -> Line:
    return line(
        8,
        lines(
            "Wait, 95 %",
            "s",
            "95 of 100 calls that had to wait for a limit or a closed gate waited at most this long. The dots lead to "
            "traces.",
            Query(
                BROKER.quantile(0.95, "sidecar_rate_limit_wait_seconds", "broker, priority"),
                "{{broker}} {{priority}}",
                exemplars=True,
            ),
        ),
        lines(
            "Calls that had to wait",
            "reqps",
            "By priority: cancels go first, market data last.",
            Query(
                BROKER.moving("sidecar_rate_limit_wait_seconds_count", "broker, priority"), "{{broker}} {{priority}}"
            ),
            stacked=True,
        ),
    )


def _queue() -> Line:
    return line(
        8,
        lines(
            "Waiting now",
            "short",
            "Calls that wait for the limit at each moment.",
            Query(BROKER.sum("sidecar_rate_limit_waiting", _LIMIT), _LEGEND),
        ),
        lines(
            "Refused by a limit",
            "reqps",
            "Calls refused because a limit or a closed gate would have kept them past their deadline; never sent.",
            Query(
                BROKER.moving("sidecar_rate_limit_rejections_total", "broker, group, priority"),
                "{{broker}} {{group}} {{priority}}",
            ),
            stacked=True,
        ),
    )


def _readings() -> Line:
    return line(
        7,
        lines(
            "Readings",
            "ops",
            "Answers that told how much of a limit is used. Without them the sidecar counts by itself.",
            Query(BROKER.rate("sidecar_rate_limit_readings_total", _LIMIT), _LEGEND),
        ),
        lines(
            "Age of the newest reading",
            "s",
            "Time since the broker last told what is used.",
            Query(
                f"min by ({_LIMIT}) (time() - {BROKER.select('sidecar_rate_limit_reading_timestamp_seconds')})",
                _LEGEND,
            ),
        ),
    )


def _changes() -> Line:
    return line(
        5,
        number(
            "Capacity changes",
            "short",
            "How often the broker announced another capacity than was assumed, in the shown time.",
            Query(BROKER.rise("sidecar_rate_limit_capacity_changes_total", "broker"), "{{broker}}"),
            steps=[(1, YELLOW)],
        ),
        number(
            "Resets by hand",
            "short",
            "How often a person reset the broker's limits in the shown time.",
            Query(BROKER.rise("sidecar_rate_limit_resets_total", "broker"), "{{broker}}"),
            steps=[(1, YELLOW)],
        ),
    )
