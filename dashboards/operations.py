"""Operations on the board of orders: what is under way, what became of it, and whom it left unprotected."""

from dashboards.frame import Line, line
from dashboards.panels import lines, number
from dashboards.queries import BROKER, Query
from dashboards.words import RED


def under_way() -> Line:
    """How operations stand, and how they ended."""
    return line(
        8,
        number(
            "A person was called",
            "short",
            "Times in the shown time that a position had no working stop, or that too much was traded.",
            Query(BROKER.rise("sidecar_positions_unprotected_total", "broker"), "{{broker}}"),
            steps=[(0.5, RED)],
        ),
        lines(
            "Operations under way",
            "short",
            "Brackets, pairs, closes, bulk cancels and modifications that are being carried out or watched.",
            Query(BROKER.sum("sidecar_operations", "broker, type, state") + " > 0", "{{broker}} {{type}} {{state}}"),
            stacked=True,
        ),
        lines(
            "Operations by result",
            "ops",
            "How operations ended.",
            Query(
                BROKER.moving("sidecar_operation_results_total", "broker, type, result"),
                "{{broker}} {{type}} {{result}}",
            ),
            stacked=True,
        ),
        widths=(6, 9, 9),
    )


def steps() -> Line:
    """What was done for operations."""
    return line(
        7,
        lines(
            "Steps of operations",
            "ops",
            "What was done for operations: plan and cancel come from the sidecar, progress from the broker.",
            Query(BROKER.moving("sidecar_operation_steps_total", "broker, step"), "{{broker}} {{step}}"),
        ),
        lines(
            "Operations in trouble",
            "ops",
            "Operations that were tried again, undone or resumed after a restart, and how they ended.",
            Query(BROKER.moving("sidecar_operation_recoveries_total", "broker, result"), "{{broker}} {{result}}"),
        ),
        lines(
            "Operations begun",
            "ops",
            "Operations that bots asked for and that were taken.",
            Query(BROKER.rate("sidecar_operations_started_total", "broker, type"), "{{broker}} {{type}}"),
        ),
        number(
            "Success of operations",
            "percentunit",
            "The share of the operations ended in the shown time that were completed.",
            Query(_good("sidecar_operation_results_total", 'result="completed"', ""), "{{broker}} {{type}}"),
        ),
        number(
            "Trouble mended",
            "percentunit",
            "The share of the operations in trouble, ended in the shown time, that did not fail.",
            Query(
                _good("sidecar_operation_recoveries_total", 'result="succeeded"', 'result!="attempted"'),
                "{{broker}} {{type}}",
            ),
        ),
        widths=(6, 6, 6, 3, 3),
    )


def _good(metric: str, good: str, ended: str) -> str:
    """The share of the good ones; nothing, rather than 0, where none has ended."""
    return f"{BROKER.rise(metric, 'broker, type', good)} / ({BROKER.rise(metric, 'broker, type', ended)} > 0)"
