"""Orders: what waits, what became of them, and which are in doubt."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards import operations
from dashboards.frame import Line, line, section
from dashboards.frame import board as framed
from dashboards.panels import lines, number
from dashboards.queries import BROKER, SIDECAR, Query, named
from dashboards.words import ORANGE, ORDER, RED, YELLOW

_PASSED = 'endpoint=~".*order.*|close_.*"'
"""Endpoints that place, change or take back orders, in every profile's words."""


def board() -> Dashboard:
    """The board."""
    return framed(
        "sidecar-orders",
        "Sidecar / Orders",
        "Orders that the sidecar carries itself, those that it passes on, and those whose outcome is in doubt.",
        section("Now", _now()),
        section("Orders that the sidecar carries", _carried(), _ended()),
        section("Operations", operations.under_way(), operations.steps()),
        section("Orders that the bot sends through the sidecar", _passed()),
        section("In doubt", _doubt()),
        section("What must survive a restart", _store(), _disk()),
    )


def _now() -> Line:
    return line(
        5,
        number(
            "In doubt",
            "short",
            "Orders that may have been executed and whose fate is not known yet. Nothing is sent again.",
            Query(BROKER.sum("sidecar_orders_carried", "broker", 'state="in_doubt"'), "{{broker}}"),
            steps=[(1, RED)],
        ),
        number(
            "Given up",
            "short",
            "Orders that the sidecar has given up in the shown time. A person must look at each.",
            Query(BROKER.rise("sidecar_orders_total", "broker", 'result="dead"'), "{{broker}}"),
            steps=[(1, RED)],
        ),
        number(
            "Waiting",
            "short",
            "Orders that wait for their turn, for a limit or for the broker.",
            Query(BROKER.sum("sidecar_orders_carried", "broker", 'state="queued"'), "{{broker}}"),
        ),
        number(
            "Oldest waiting",
            "s",
            "How long the oldest waiting order has been waiting. It expires rather than be sent stale.",
            Query(BROKER.most("sidecar_order_queue_age_seconds", "broker"), "{{broker}}"),
            steps=[(30, YELLOW), (120, ORANGE)],
        ),
        number(
            "Refused",
            "short",
            "Orders that were not taken in the shown time, and why. The bot was told at once.",
            Query(BROKER.rise("sidecar_order_refusals_total", "reason") + " > 0", "{{reason}}"),
            steps=[(1, YELLOW)],
        ),
        widths=(5, 5, 5, 5, 4),
    )


def _carried() -> Line:
    return line(
        9,
        lines(
            "Orders by state",
            "short",
            "How far the orders are that are not done with.",
            Query(BROKER.sum("sidecar_orders_carried", "state"), "{{state}}"),
            stacked=True,
            colours=ORDER,
        ),
        lines(
            "Age of the oldest waiting order",
            "s",
            "Grows while the broker is away or a limit is full.",
            Query(BROKER.most("sidecar_order_queue_age_seconds", "broker"), "{{broker}}"),
        ),
    )


def _ended() -> Line:
    return line(
        8,
        lines(
            "Orders by result",
            "ops",
            "How the orders ended.",
            Query(BROKER.moving("sidecar_orders_total", "result"), "{{result}}"),
            stacked=True,
            colours=ORDER,
        ),
        lines(
            "Refused orders by reason",
            "ops",
            "Orders that were not taken: the bot keeps them, nothing was sent.",
            Query(BROKER.moving("sidecar_order_refusals_total", "broker, reason"), "{{broker}} {{reason}}"),
            stacked=True,
        ),
    )


def _passed() -> Line:
    return line(
        9,
        lines(
            "By endpoint and outcome",
            "reqps",
            "What became of orders, changes and cancels that the bot sent through the sidecar.",
            Query(
                BROKER.moving("sidecar_calls_total", "broker, endpoint, outcome", _PASSED),
                "{{broker}} {{endpoint}} {{outcome}}",
            ),
            stacked=True,
        ),
        lines(
            "Duration, 99 %",
            "s",
            "99 of 100 order calls were answered within this time. The dots lead to traces.",
            Query(
                BROKER.quantile(0.99, "sidecar_call_duration_seconds", "broker, endpoint", _PASSED),
                "{{broker}} {{endpoint}}",
                exemplars=True,
            ),
        ),
        lines(
            "Repeated with the same idempotency key",
            "reqps",
            "Calls that came again and were not sent again. in_doubt: the first one may have been executed.",
            Query(BROKER.moving("sidecar_idempotent_calls_total", "broker, result"), "{{broker}} {{result}}"),
        ),
    )


def _doubt() -> Line:
    return line(
        8,
        number(
            "Calls that stayed in doubt",
            "short",
            "Calls in the shown time whose outcome nobody knows: the bot was told unknown, and must look itself.",
            Query(BROKER.rise("sidecar_calls_total", "broker", 'outcome="unknown"'), "{{broker}}"),
            steps=[(0.5, RED)],
        ),
        lines(
            "Looked up at the broker",
            "ops",
            "Orders in doubt, and those of operations that are watched: found, not found (which proves nothing yet), "
            "or no usable answer.",
            Query(BROKER.moving("sidecar_order_lookups_total", "broker, result"), "{{broker}} {{result}}"),
        ),
        lines(
            "Not retried, because unsafe",
            "reqps",
            "Attempts that may have been executed: they were looked up instead of being sent again.",
            Query(
                BROKER.moving("sidecar_retries_denied_total", "broker, endpoint", 'why="unsafe"'),
                "{{broker}} {{endpoint}}",
            ),
        ),
        widths=(6, 9, 9),
    )


def _store() -> Line:
    return line(
        8,
        lines(
            "Writes",
            "ops",
            "Writes to the state file, and the waits for the disk that they shared. An order is on the disk before its "
            "first byte leaves.",
            Query(SIDECAR.rate("sidecar_store_writes_total"), "written"),
            Query(SIDECAR.rate("sidecar_store_batches_total"), "waits for the disk"),
            Query(SIDECAR.rate("sidecar_store_write_failures_total"), "failed"),
        ),
        lines(
            "Time of the newest write",
            "s",
            "How long the disk took. Every order waits for it.",
            Query(named(SIDECAR.most("sidecar_store_commit_seconds", "job, instance"), "bot"), "{{bot}}"),
        ),
    )


def _disk() -> Line:
    return line(
        7,
        lines(
            "Writes that wait",
            "short",
            "Writes that wait for the disk. A slow disk makes orders slow.",
            Query(named(SIDECAR.sum("sidecar_store_queued_writes", "job, instance"), "bot"), "{{bot}}"),
        ),
        lines(
            "Size of the state file",
            "bytes",
            "Grows with the orders that are kept.",
            Query(named(SIDECAR.sum("sidecar_store_file_bytes", "job, instance"), "bot"), "{{bot}}"),
        ),
    )
