"""Alerts, errors and the error budget: what was reported to whom, and how much may still go wrong."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.frame import Line, line, section
from dashboards.frame import board as framed
from dashboards.panels import Column, lines, number, rows
from dashboards.queries import BROKER, FAILED, IN_RANGE, SIDECAR, Query
from dashboards.words import DARK_RED, GREEN, ORANGE, OUTCOME, RED, SEVERITY, YELLOW, overspent

_OURS = 'alertname=~"Sidecar.*", alertname!~".*Watchdog", namespace=~"$namespace"'
_LABELS = ("alertname", "severity", "bot", "broker", "error_type")


def board() -> Dashboard:
    """The board."""
    return framed(
        "sidecar-alerts",
        "Sidecar / Alerts and SLO",
        "Which alerts fire, which errors happen, who was told, and how fast the error budget burns.",
        section("Alerts", _firing(), _history()),
        section("Error budget", _budget(), _burn()),
        section("Errors", _errors(), _unresolved()),
        section("Notifications", _notifications()),
        objective=True,
    )


def _firing() -> Line:
    since = f'ALERTS_FOR_STATE{{{_OURS}}} and ignoring (alertstate) ALERTS{{{_OURS}, alertstate="firing"}}'
    return line(
        8,
        rows(
            "Alerts that fire now",
            "Alerts of the sidecar's rules and since when, the youngest first. Empty is good.",
            _LABELS,
            [Column("Since", f"1000 * max by ({', '.join(_LABELS)}) ({since})", "dateTimeFromNow", width=240)],
        ),
    )


def _history() -> Line:
    return line(
        7,
        lines(
            "Alerts over time",
            "short",
            "How many alerts were pending or firing.",
            Query(f"count by (alertname, alertstate) (ALERTS{{{_OURS}}})", "{{alertname}} {{alertstate}}"),
            stacked=True,
        ),
    )


def _failed_share(window: str) -> str:
    failed, calls = (BROKER.rise("sidecar_calls_total", "broker", where, window) for where in (FAILED, ""))
    return f"{failed} / {calls}"


def _budget() -> Line:
    return line(
        5,
        number(
            "Calls that did not fail",
            "percentunit",
            "In the shown time. Failed: transient, unknown, maintenance, banned and rate limited.",
            Query(f"1 - {_failed_share(IN_RANGE)}", "{{broker}}"),
        ),
        number(
            "Error budget left",
            "percentunit",
            "What is left of the failures that the objective allows in the shown time. Overspent: there were more.",
            Query(f"1 - ({_failed_share(IN_RANGE)}) / (1 - $objective)", "{{broker}}"),
            mappings=[overspent()],
            steps=[(0, GREEN)],
        ),
    )


def _burn() -> Line:
    return line(
        9,
        lines(
            "Budget burn",
            "short",
            "How many times faster than the objective allows failures happen. At 1 the budget lasts exactly its "
            "period; 14.4 for an hour uses 2 % of a month's.",
            Query(f"({_failed_share('$__rate_interval')}) / (1 - $objective)", "{{broker}}"),
        ),
        lines(
            "Failures by outcome",
            "reqps",
            "What uses the budget.",
            Query(BROKER.moving("sidecar_calls_total", "outcome", FAILED), "{{outcome}}"),
            stacked=True,
            colours=OUTCOME,
        ),
    )


def _errors() -> Line:
    return line(
        9,
        lines(
            "Errors by type",
            "ops",
            "Errors as the sidecar names them.",
            Query(SIDECAR.moving("sidecar_errors_total", "broker, error_type"), "{{broker}} {{error_type}}"),
            stacked=True,
        ),
        lines(
            "Errors by severity",
            "ops",
            "critical pages, error is reported, warning and info are only logged.",
            Query(SIDECAR.moving("sidecar_errors_total", "severity"), "{{severity}}"),
            stacked=True,
            colours=SEVERITY,
        ),
    )


def _unresolved() -> Line:
    errors = SIDECAR.sum("sidecar_errors_unresolved", "broker, error_type, severity")
    times = SIDECAR.rise("sidecar_errors_total", "broker, error_type, severity")
    return line(
        8,
        rows(
            "Errors in the shown time",
            "Each kind of error that happened or is not resolved.",
            ["error_type", "broker", "severity"],
            [
                Column("Unresolved", f"{errors} > 0", steps=[(1, ORANGE)]),
                Column("Times", f"{times} > 0", steps=[(1, YELLOW), (10, ORANGE), (100, RED)]),
            ],
        ),
    )


def _notifications() -> Line:
    return line(
        8,
        lines(
            "Notifications by channel",
            "ops",
            "sent, throttled or aggregated to spare people, or failed.",
            Query(
                SIDECAR.moving("sidecar_notifications_total", "channel, result"),
                "{{channel}} {{result}}",
            ),
            stacked=True,
        ),
        number(
            "Notifications in the shown time",
            "short",
            "By severity and result.",
            Query(SIDECAR.rise("sidecar_notifications_total", "severity, result") + " > 0", "{{severity}} {{result}}"),
        ),
        number(
            "Not delivered",
            "short",
            "Notifications in the shown time that reached nobody.",
            Query(SIDECAR.rise("sidecar_notifications_total", "channel", 'result="failed"'), "{{channel}}"),
            steps=[(1, DARK_RED)],
        ),
        widths=(12, 8, 4),
    )
