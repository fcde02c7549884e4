"""What the live view's tests share."""

import io
from dataclasses import replace

from rich.console import Console, RenderableType

from sidecar.api.models import Status
from sidecar.cli.live.glance import ErrorLine, Glance, OrderLine
from sidecar.telemetry.state import (
    BreakerReading,
    BrokerReading,
    CacheReading,
    ConditionReading,
    DegradationReading,
    GateReading,
    LimitState,
)
from sidecar.words import BreakerMode, BreakerState, BrokerState, DegradationLevel

NOW = 1_800_000_000.0
STATUS = Status(
    bot="scalper", version="1.2.3", uptime_seconds=93_784, state="ready", detail="", calls_in_flight=2, brokers=[]
)
CLOSED = BreakerReading("orders", BreakerState.CLOSED, BreakerMode.AUTO, NOW - 60, 0, 0.0, 0.0, None)
OPEN = replace(CLOSED, state=BreakerState.OPEN, failure_rate=0.5, retry_at=NOW + 61)
WEIGHT = LimitState("weight_1m", 1800.0, 2400.0, NOW - 1, 90.0, 3)
QUIET = LimitState("orders_10s", 0.5, 300.0, None, None, 0)
WELL = BrokerReading(
    "binance",
    "binance-usdm",
    "https://x",
    ConditionReading(BrokerState.OK, True, NOW, 0, NOW + 600, False),
    (CLOSED,),
    (QUIET, WEIGHT),
    GateReading(False, "", None),
    2,
    9.6,
    DegradationReading(DegradationLevel.NONE, NOW, None, "", None, None),
    CacheReading(0, 0),
)
BROKEN = replace(WELL, name="oanda", breakers=(OPEN,))
SHUT = replace(WELL, name="kraken", gate=GateReading(True, "banned", NOW + 7200))
AWAY = replace(WELL, name="away", condition=ConditionReading(BrokerState.MAINTENANCE, False, NOW, 1, NOW + 32, False))

DOUBT = OrderLine(broker="oanda", state="in_doubt", client_id="bot-7", reason="no answer", created_at=NOW - 12)
AUTH = ErrorLine(broker="oanda", type="auth_failed", severity="critical", count=4)


def glance(*brokers: BrokerReading) -> Glance:
    return Glance(NOW, STATUS, brokers or (WELL, BROKEN, SHUT, AWAY))


def printed(shown: RenderableType, width: int = 80) -> list[str]:
    """The lines on a terminal without colours."""
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=False, highlight=False).print(shown)
    return [line.rstrip() for line in out.getvalue().splitlines()]
