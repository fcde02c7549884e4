"""What the alerts about calls must say, and when."""

from tests.alerts.promtool import Case, during, once, series

CASES = (
    Case(
        alert="SidecarAuthFailed",
        severity="critical",
        error_type="auth_failed",
        hears={
            series("sidecar_errors_total", error_type="auth_failed", severity="critical"): once(10),
            series("sidecar_errors_unresolved", error_type="auth_failed", severity="critical"): during(10, 20),
        },
        fires=10,
        ends=41,
        summary="The broker does not accept the bot's key",
        description="binance has refused the key of momentum. Times in the last 30 minutes: 1.",
        action="Check the key, its permissions and its allowed addresses at the broker.",
    ),
    Case(
        alert="SidecarConnectionFailed",
        severity="error",
        error_type="connection_failed",
        hears={
            series("sidecar_errors_total", error_type="connection_failed", severity="error"): once(10),
            series("sidecar_errors_unresolved", error_type="connection_failed", severity="error"): during(10, 20),
        },
        fires=10,
        ends=41,
        summary="The broker cannot be reached",
        description="momentum got no connection to binance, or lost it. "
        "Times in the last 30 minutes: 1.",
        action="Check name resolution, firewall and proxy between this machine and the broker.",
    ),
    Case(
        alert="SidecarServerErrors",
        severity="error",
        error_type="server_errors",
        hears={
            series("sidecar_errors_total", error_type="server_errors", severity="error"): once(10),
            series("sidecar_errors_unresolved", error_type="server_errors", severity="error"): during(10, 20),
        },
        fires=10,
        ends=41,
        summary="The broker answers with errors of its own",
        description="binance failed calls of momentum, and retries did not help. "
        "Times in the last 30 minutes: 1.",
        action="Look at the broker's status page; nothing has to be done here.",
    ),
    Case(
        alert="SidecarRequestRefused",
        severity="warning",
        error_type="request_refused",
        hears={
            series("sidecar_errors_total", error_type="request_refused", severity="warning"): once(10),
            series("sidecar_errors_unresolved", error_type="request_refused", severity="warning"): during(10, 70),
        },
        fires=10,
        ends=74,
        summary="The broker refuses calls that can never succeed",
        description="binance found calls of momentum malformed. "
        "Times in the last 30 minutes: 1.",
        action="Correct the bot's request; the audit log has the broker's code.",
    ),
    Case(
        alert="SidecarBreakerOpen",
        severity="error",
        error_type="breaker_open",
        hears={
            series("sidecar_breaker_state", group="pricing", state="open"): during(10, 12),
            series("sidecar_breaker_state", group="pricing", state="half_open"): during(13, 13),
            series("sidecar_breaker_state", group="accounts", state="open"): during(10, 13),
            series("sidecar_breaker_state", group="orders", state="open"): "0x600",
            series("sidecar_broker_state", state="maintenance"): "0x600",
        },
        fires=10,
        ends=17,
        summary="A group of the broker's endpoints does not work",
        description="momentum cannot use these groups of binance: accounts pricing. Orders go on.",
        action="Nothing at first, it is probed by itself; look at the broker's status page when it lasts.",
    ),
    Case(
        alert="SidecarBreakerForcedOpen",
        severity="error",
        error_type="breaker_open",
        hears={
            series("sidecar_breaker_mode", group="orders", mode="forced_open"): during(10, 90),
            series("sidecar_breaker_mode", group="pricing", mode="forced_open"): during(10, 90),
        },
        fires=70,
        ends=91,
        summary="A breaker that a person forced open still is",
        description="For an hour momentum has been kept from binance by hand. Breakers forced open: 2.",
        action="Set the breaker's mode back to auto, or say why not.",
    ),
    Case(
        alert="SidecarRetryBudgetSpent",
        severity="warning",
        error_type="retry_budget",
        hears={
            series("sidecar_retries_denied_total", endpoint="get_account", why="budget"): once(10),
            series("sidecar_retries_denied_total", endpoint="get_account", why="exhausted"): once(5),
        },
        fires=10,
        ends=41,
        summary="So many calls fail that not all may be repeated",
        description="Retries of momentum at binance that the budget denied in the last 30 minutes: 1.",
        action="Find out why calls fail; do not raise the budget while the broker is struggling.",
    ),
    Case(
        alert="SidecarOverheadHigh",
        severity="warning",
        error_type="overhead",
        # A hundred calls a minute: up to minute 9 all take at most 5 ms, from then on all take 25 to 50 ms.
        hears={
            series("sidecar_overhead_seconds_bucket", le="0.005"): "0+100x9 900x19 900+100x600",
            series("sidecar_overhead_seconds_bucket", le="0.025"): "0+100x9 900x19 900+100x600",
            series("sidecar_overhead_seconds_bucket", le="0.05"): "0+100x600",
            series("sidecar_overhead_seconds_bucket", le="+Inf"): "0+100x600",
        },
        fires=20,
        ends=36,
        summary="The sidecar itself makes calls slow",
        description="One call in a hundred of momentum to binance spends more than 49.75ms inside the sidecar; "
        "a fraction of a millisecond is normal.",
        action="Give it more processor time, and look for what else runs on the machine.",
    ),
)
