"""What the alerts about orders must say, and when."""

from tests.alerts.promtool import Case, during, once, series

CASES = (
    Case(
        alert="SidecarOrderOutcomeUnknown",
        severity="critical",
        error_type="order_outcome_unknown",
        hears={
            series("sidecar_errors_total", error_type="order_outcome_unknown", severity="critical"): once(10),
            series("sidecar_errors_unresolved", error_type="order_outcome_unknown", severity="critical"): during(
                10, 200
            ),
        },
        fires=10,
        ends=204,
        summary="Nobody knows whether an order was executed",
        description="momentum has sent an order to binance that may have been executed, and asking did not tell. "
        "Times in the last hour: 1.",
        action="Look the order up at the broker by its client id; do not send it again before that.",
    ),
    Case(
        alert="SidecarOrdersBreakerOpen",
        severity="critical",
        error_type="orders_breaker_open",
        hears={
            series("sidecar_breaker_state", group="orders", state="open"): during(10, 12),
            series("sidecar_breaker_state", group="orders", state="half_open"): "0x600",
            series("sidecar_breaker_state", group="pricing", state="open"): "1x600",
            series("sidecar_broker_state", state="maintenance"): "0x600",
        },
        fires=10,
        ends=16,
        summary="New orders are stopped because the broker's order endpoints fail",
        description="The breaker for orders of momentum at binance is open. Cancels and reduce-only orders are still "
        "tried.",
        action="Look at the broker's status page; look after open positions.",
    ),
    Case(
        alert="SidecarPositionUnprotected",
        severity="critical",
        error_type="position_unprotected",
        hears={
            series("sidecar_errors_total", error_type="position_unprotected", severity="critical"): once(10),
            series("sidecar_errors_unresolved", error_type="position_unprotected", severity="critical"): during(
                10, 200
            ),
        },
        fires=10,
        ends=204,
        summary="A position has no working stop",
        description="Positions of momentum at binance that an operation left without protection, or traded too much "
        "of, in the last hour: 1. It is over when a person has said so.",
        action="Place the stop by hand, or close the position.",
    ),
    Case(
        alert="SidecarPositionLeftOpen",
        severity="critical",
        error_type="position_left_open",
        hears={
            series("sidecar_errors_unresolved", error_type="position_left_open", severity="critical"): during(10, 200),
        },
        fires=10,
        ends=214,
        summary="A stop was to close a position, and has not",
        description="The last stop of momentum was to close what is held at binance, and has left some of it open, or "
        "does not know. It is over when a later stop finds nothing held, or when a person has said so.",
        action="Look at the broker what is held, and close it by hand; the next start closes nothing.",
    ),
    Case(
        alert="SidecarOrderDead",
        severity="critical",
        error_type="order_dead",
        hears={
            series("sidecar_errors_total", error_type="order_dead", severity="critical"): once(10),
            series("sidecar_errors_unresolved", error_type="order_dead", severity="critical"): during(10, 200),
        },
        fires=10,
        ends=204,
        summary="An order was given up",
        description="Orders of momentum for binance that the sidecar gave up in the last hour: 1. It is over when a "
        "person has said so.",
        action="Look it up at the broker by its client id; the reason says whether it may have been executed.",
    ),
    Case(
        alert="SidecarOrderExpired",
        severity="error",
        error_type="order_expired",
        hears={series("sidecar_errors_total", error_type="order_expired", severity="error"): once(10)},
        fires=10,
        ends=71,
        summary="An order's time ran out before it could be sent",
        description="Orders of momentum for binance that were not sent in time, in the last hour: 1.",
        action="See whether the trade is still wanted; nothing of it was sent.",
    ),
    Case(
        alert="SidecarOrderQueueStuck",
        severity="error",
        error_type="order_queue",
        hears={
            series("sidecar_order_queue_age_seconds"): "0x9 75+60x9 0x600",
            series("sidecar_broker_state", state="banned"): "0x600",
        },
        fires=11,
        ends=20,
        summary="Orders wait although the broker is there",
        description="The oldest queued order of momentum for binance has waited for 2m 15s.",
        action="See what it waits for, a limit or an open breaker, before it expires.",
    ),
    Case(
        alert="SidecarOrdersRefused",
        severity="error",
        error_type="order_queue",
        hears={
            series("sidecar_order_refusals_total", reason="conflict"): once(5),
            series("sidecar_order_refusals_total", reason="full"): once(10),
            series("sidecar_order_refusals_total", reason="disk"): once(10),
        },
        fires=10,
        ends=71,
        summary="The sidecar takes no more orders into its queue",
        description="Orders of momentum for binance that were not taken in the last hour: 2. None of them was sent.",
        action="Make room, in the queue or on the disk.",
    ),
)
