"""What the alerts about rate limits must say, and when."""

from tests.alerts.promtool import Case, during, once, series

NEVER = " ".join(["Inf"] * 10)

CASES = (
    Case(
        alert="SidecarBanned",
        severity="critical",
        error_type="banned",
        # The second ban is over before anybody scrapes: only the counter has seen it.
        hears={
            series("sidecar_broker_state", state="banned"): during(10, 12),
            series("sidecar_rate_limit_gate_closures_total", outcome="banned"): "0x9 1x9 2x600",
        },
        fires=10,
        ends=51,
        summary="The broker has banned this address",
        description="binance takes no calls from the address of momentum, or did so in the last 30 minutes; "
        "cancels cannot pass either.",
        action="Look after open positions by another way, and stop whatever else calls from this address.",
    ),
    Case(
        alert="SidecarRateLimited",
        severity="warning",
        error_type="rate_limited",
        hears={
            series("sidecar_rate_limit_gate_closures_total", outcome="rate_limited"): once(10, 3),
            series("sidecar_rate_limit_gate_closures_total", outcome="banned"): "0x600",
        },
        fires=10,
        ends=41,
        summary="The broker has said that there were too many requests",
        description="429s by which binance stopped momentum in the last 30 minutes: 3.",
        action="Find who else uses the address or the key; a ban comes next.",
    ),
    Case(
        alert="SidecarOrdersRefusedByLimit",
        severity="error",
        error_type="rate_limited",
        hears={
            series("sidecar_rate_limit_rejections_total", group="pricing", priority="market_data"): once(5),
            series("sidecar_rate_limit_rejections_total", group="orders", priority="order"): once(10),
            series("sidecar_rate_limit_rejections_total", group="orders", priority="cancel"): once(10),
        },
        fires=10,
        ends=41,
        summary="Orders are refused because a rate limit leaves no room",
        description="Orders and cancels of momentum for binance that could not have gone in time, in the last "
        "30 minutes: 2. None of them was sent.",
        action="Slow down what uses the limit, first of all market data.",
    ),
    Case(
        alert="SidecarLimitNear",
        severity="warning",
        error_type="limit_near",
        hears={
            series("sidecar_rate_limit_used", limit="weight_1m"): during(10, 19, 2100, otherwise=1900),
            series("sidecar_rate_limit_capacity", limit="weight_1m"): "2400x600",
            series("sidecar_rate_limit_used", limit="orders_10s"): "0x600",
            series("sidecar_rate_limit_capacity", limit="orders_10s"): "0x600",
        },
        fires=11,
        ends=20,
        summary="A rate limit is nearly used up",
        description="momentum and whoever else uses its address have used 87.5% of a limit of binance; from 90 % on "
        "calls wait for each other.",
        action="Make fewer calls before they have to wait.",
    ),
    Case(
        alert="SidecarRateLimitForecast",
        severity="warning",
        error_type="limit_near",
        hears={
            series("sidecar_rate_limit_exhaustion_seconds", limit="weight_1m"): f"{NEVER} 90x9 {NEVER}",
            series("sidecar_rate_limit_exhaustion_seconds", limit="orders_10s"): NEVER,
            series("sidecar_rate_limit_exhaustion_seconds", limit="orders_1d"): "200x600",
        },
        fires=12,
        ends=20,
        summary="At this rate a rate limit will be used up within minutes",
        description="momentum uses up a limit of binance in 1m 30s if it goes on like this; "
        "calls will then wait for each other.",
        action="See which endpoints are called most, and call them less often.",
    ),
    Case(
        alert="SidecarDailyLimitForecast",
        severity="error",
        error_type="limit_near",
        hears={
            series("sidecar_rate_limit_exhaustion_seconds", limit="weight_1m"): "90x600",
            series("sidecar_rate_limit_exhaustion_seconds", limit="orders_1d"): f"{NEVER} 3000x9 {NEVER}",
        },
        fires=15,
        ends=20,
        summary="At this rate a daily limit will be used up within the hour",
        description="momentum uses up a daily limit of binance in 50m 0s if it goes on like this; "
        "after that nothing passes until the next day.",
        action="Let the bot place fewer orders until the day is over.",
    ),
)
