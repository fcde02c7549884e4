"""What the alerts about the service level must say, and when."""

from tests.alerts.promtool import Case, series

GOOD = series("sidecar_calls_total", endpoint="get_account", outcome="ok")
FAILED = series("sidecar_calls_total", endpoint="get_account", outcome="transient")
AWAY = series("sidecar_calls_total", endpoint="get_account", outcome="maintenance")

CASES = (
    Case(
        alert="SidecarErrorBudgetBurn",
        severity="critical",
        error_type="slo_burn",
        # Two hundred calls a minute; after two hours a quarter of them fails for half an hour.
        hears={GOOD: "0+100x120 12050+50x29 13600+100x600", FAILED: "0x120 50+50x29 1500x600", AWAY: "0+100x600"},
        fires=141,
        ends=180,
        summary="Far too many calls fail",
        description="7.787% of the calls of momentum to binance fail; 0.5 % are allowed. Like this the budget of a "
        "month lasts for days at most.",
        action="See which endpoints fail and how; decide whether the bot should stop.",
    ),
    Case(
        alert="SidecarErrorBudgetBurnSlow",
        severity="error",
        error_type="slo_burn",
        # Two calls in two hundred fail, from the sixth hour to the twentieth.
        hears={GOOD: "0+100x6000", FAILED: "0x360 2+2x839 1680x4800", AWAY: "0+100x6000"},
        fires=786,
        ends=1390,
        summary="More calls fail than should, for days",
        description="0.5379% of the calls of momentum to binance failed in the last three days; 0.5 % are allowed.",
        action="Find the endpoint that fails most, in working hours.",
    ),
)
