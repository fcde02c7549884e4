"""What the alerts about a broker's condition must say, and when."""

from tests.alerts.promtool import Case, during, once, series

CASES = (
    Case(
        alert="SidecarBrokerDown",
        severity="error",
        error_type="broker_down",
        hears={
            series("sidecar_broker_state", state="degraded"): during(10, 12),
            series("sidecar_broker_state", state="maintenance"): "0x600",
        },
        fires=10,
        ends=44,
        summary="The broker fails",
        description="binance gave momentum nothing but failures within the last 30 minutes.",
        action="Look at the broker's status page and at the network; trading resumes by itself.",
    ),
    Case(
        alert="SidecarTradingRestricted",
        severity="error",
        error_type="trading_restricted",
        hears={
            series("sidecar_degradation_level", level="none"): "1x600",
            series("sidecar_degradation_level", level="cached_data"): "1x600",
            series("sidecar_degradation_level", level="emergency"): "0x600",
            series("sidecar_degradation_level", level="read_only"): during(10, 30),
        },
        fires=10,
        ends=34,
        summary="The degradation level refuses new risk",
        description="momentum can open nothing at binance: its degradation level is read_only or emergency, by a rule "
        "or by hand. Cancels and reduce-only orders go.",
        action="See with sidecar status what or who demands it; POST /v1/brokers/NAME/degradation/recover ends it.",
    ),
    Case(
        alert="SidecarMaintenance",
        severity="warning",
        error_type="maintenance",
        hears={
            series("sidecar_broker_state", state="degraded"): "1x600",
            series("sidecar_broker_state", state="maintenance"): during(10, 30),
        },
        fires=10,
        ends=34,
        summary="The broker is under maintenance",
        description="binance is away; calls of momentum are answered without being sent.",
        action="Nothing; it is probed, and trading resumes by itself.",
    ),
    Case(
        alert="SidecarMaintenanceLong",
        severity="error",
        error_type="maintenance",
        hears={series("sidecar_broker_state", state="maintenance"): during(10, 90)},
        fires=70,
        ends=94,
        summary="The broker's maintenance lasts for more than an hour",
        description="binance has been away from momentum for more than an hour.",
        action="Read the broker's announcements, and decide about open positions.",
    ),
    Case(
        alert="SidecarStreamLost",
        severity="error",
        error_type="stream_lost",
        hears={
            series("sidecar_errors_total", error_type="stream_lost", severity="error"): once(10, 2),
            series("sidecar_errors_unresolved", error_type="stream_lost", severity="error"): during(10, 10),
        },
        fires=10,
        ends=71,
        summary="A stream of the broker broke",
        description="momentum lost a stream of binance. Times in the last hour: 2.",
        action="See that the bot has opened it again.",
    ),
    Case(
        alert="SidecarFillsLate",
        severity="warning",
        error_type="fills_late",
        hears={
            series("sidecar_errors_total", error_type="fills_late", severity="warning"): once(10),
            series("sidecar_errors_unresolved", error_type="fills_late", severity="warning"): during(10, 70),
        },
        fires=10,
        ends=74,
        summary="Fills are learnt by looking",
        description="The stream by which binance tells momentum of fills stayed away for a minute. "
        "Times in the last 30 minutes: 1.",
        action="See in the log why it does not open; stops follow fills seconds later meanwhile.",
    ),
    Case(
        alert="SidecarClockSkew",
        severity="warning",
        error_type="clock_skew",
        hears={
            series("sidecar_errors_total", error_type="clock_skew", severity="warning"): once(10),
            series("sidecar_errors_unresolved", error_type="clock_skew", severity="warning"): during(10, 70),
        },
        fires=10,
        ends=74,
        summary="The machine's clock and the broker's differ",
        description="The clocks of momentum and binance are far apart, or the broker says so. "
        "Times in the last 30 minutes: 1.",
        action="Set the machine's clock by NTP before the broker refuses orders.",
    ),
)
