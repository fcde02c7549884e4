"""One broker and one of each event, for the tests of metrics, traces and the table."""

from dataclasses import replace

from sidecar.store import StoreReadings
from sidecar.telemetry import events
from sidecar.telemetry.audit import AuditReadings
from sidecar.telemetry.events import AttemptFinished, CallFinished, Event, LimitReading, Stamped, TraceContext
from sidecar.telemetry.state import (
    BreakerReading,
    BrokerReading,
    BrokerShape,
    CacheReading,
    ConditionReading,
    DegradationReading,
    GateReading,
    LimitState,
    OperationsReading,
    OrdersReading,
)
from sidecar.words import (
    BreakerMode,
    BreakerState,
    BrokerState,
    CacheResult,
    ClockSource,
    DegradationCause,
    DegradationLevel,
    Effect,
    LoginResult,
    LookResult,
    OperationalState,
    OperationState,
    OperationType,
    OrderState,
    Outcome,
    Priority,
    Readiness,
    RefusalKind,
    Severity,
    StartupCheck,
    Why,
)

T0 = 1_800_000_000.0
TRACE_ID = 0x4BF92F3577B34DA6A3CE929D0E0E4736
BOT_SPAN_ID = 0x00F067AA0BA902B7

READING = LimitReading("binance", "weight_1m", 480.0, 2400.0, T0 + 0.02)

ATTEMPT = AttemptFinished(
    broker="binance",
    endpoint="get_account",
    number=1,
    outcome=Outcome.OK,
    reason="",
    code="",
    status=200,
    started=T0 + 0.001,
    seconds=0.02,
    readings=(READING,),
)

CALL = CallFinished(
    id="00000000000000c1",
    broker="binance",
    endpoint="get_account",
    group="accounts",
    effect=Effect.READ,
    priority=Priority.ACCOUNT,
    method="GET",
    outcome=Outcome.OK,
    attempts=1,
    why=None,
    source="broker",
    status=200,
    received=T0,
    seconds=0.0213,
    waited=0.0,
    overhead=0.0003,
    trace=TraceContext(TRACE_ID, 0, sampled=False),
    trail=(Stamped(T0 + 0.021, ATTEMPT),),
    audit="",
)

FAILED = replace(ATTEMPT, outcome=Outcome.TRANSIENT, reason="server_error", code="-1001", status=503, readings=())
"""A first attempt that failed."""

REFUSED_CALL = replace(
    CALL, outcome=Outcome.TRANSIENT, source="sidecar", attempts=0, trail=(), why=RefusalKind.BREAKER_OPEN, status=503
)

SAMPLES: dict[type, Event] = {
    type(event): event
    for event in (
        READING,
        events.LimitThreshold("binance", "weight_1m", 2000.0, 2400.0, above=True),
        events.LimitLearnt("binance", "weight_1m", 2400.0, 6000.0),
        events.LimitReset("binance", "tests"),
        events.LimitWaited("binance", "orders", Priority.ORDER, 0.4, "orders_10s"),
        events.LimitRejected("binance", "orders", Priority.ORDER, "orders_10s"),
        events.BrokerStateChanged("binance", BrokerState.OK, BrokerState.MAINTENANCE, "503", 1, 32.0),
        events.DegradationChanged(
            "binance", DegradationLevel.NONE, DegradationLevel.READ_ONLY, DegradationCause.MANUAL, "flat", 3600.0
        ),
        events.CacheAsked("binance", "get_ticker", CacheResult.STALE, 12.0),
        events.GateShut("binance", Outcome.BANNED, 120.0, T0 + 120),
        events.GateOpened("binance"),
        events.BreakerTransition(
            "binance", "orders", BreakerState.CLOSED, BreakerState.OPEN, "failures", retry_in=60.0
        ),
        events.RetryScheduled("binance", "get_account", "server_error", 1, 0.5),
        events.RetryDenied("binance", "get_account", "server_error", Why.BUDGET, 1),
        ATTEMPT,
        events.OrderLookedUp("binance", "place_order", 1, LookResult.FOUND, "FILLED"),
        events.ClockOffsetLearnt("binance", None, 1.5, ClockSource.SERVER_TIME),
        events.LoginFinished("binance", LoginResult.REFUSED, "auth", "InvalidCredentials"),
        REFUSED_CALL,
        events.CallReplayed("binance", "place_order", "replayed"),
        events.OrderStateChanged(
            "binance", "a1", "c1", "order", "BTCUSDT", OrderState.IN_DOUBT, OrderState.DEAD, "gone", 300.0, True
        ),
        events.OrderRefused("binance", "full"),
        events.OrdersRecovering("binance", 1, 2),
        events.OperationChanged(
            "binance", "b1", OperationType.BRACKET, OperationState.IN_PROGRESS, OperationState.FAILED, "no stop"
        ),
        events.OperationStep("binance", "b1", OperationType.BRACKET, "plan", "stop2", "stop2: sell 1"),
        events.OperationRecovery("binance", "b1", OperationType.BRACKET, "attempted", "retried"),
        events.PositionUnprotected("binance", "b1", OperationType.BRACKET, "BTCUSDT", "no stop"),
        events.CallRefused("", "foreign_host", "tcp"),
        events.StreamOpened("binance", "price_stream"),
        events.StreamMessages("binance", "price_stream", 7, T0 + 5),
        events.StreamClosed("binance", "price_stream", "lost"),
        events.OperationalStateChanged(OperationalState.STARTING, OperationalState.ACTIVE, "binance is ready", 0.4),
        events.BrokerChecked("binance", Readiness.CHECKING, Readiness.WAITING, "connectivity: connect", 300.0, 0.0),
        events.Reloaded(("log.level",), ("listen.tcp",)),
        events.SelfChecked(StartupCheck.STATE_FILE, passed=True, detail="in order"),
        events.LastRunTold(clean=False, left=("1 call",)),
        events.PositionsClosed("binance", ("long 1 BTCUSDT",), ("short 2 ETHUSDT",)),
        events.ErrorRaised("00000000000000e1", "binance", "banned", Severity.CRITICAL, 1),
        events.ErrorResolved("00000000000000e1", "binance", "banned", Severity.CRITICAL, 3, 120.0, "over"),
        events.NotificationSent("chat", Severity.CRITICAL, "failed", "no connection"),
        events.Started("9.8.7", "momentum", 0.4),
        events.Stopped("SIGTERM", 0),
    )
}

BREAKER = BreakerReading("orders", BreakerState.OPEN, BreakerMode.AUTO, T0, 5, 0.75, 0.25, T0 + 60)
LIMIT = LimitState("weight_1m", 480.0, 2400.0, T0 + 0.02, 12.5, 3)
STATE = BrokerReading(
    name="binance",
    profile="binance-usdm",
    base_url="https://fapi.example.com/prefix",
    breakers=(BREAKER, replace(BREAKER, group="accounts", state=BreakerState.CLOSED, retry_at=None)),
    limits=(LIMIT, LimitState("orders_10s", 0.0, 300.0, None, None, 0)),
    condition=ConditionReading(BrokerState.MAINTENANCE, False, T0, 3, T0 + 30, False),
    gate=GateReading(shut=True, outcome="banned", until=T0 + 120),
    in_flight=4,
    retry_budget=9.0,
    degradation=DegradationReading(
        DegradationLevel.READ_ONLY, T0, DegradationCause.MANUAL, "flat", T0 + 3600, T0 + 3600
    ),
    cache=CacheReading(2, 4096),
)

SHAPE = BrokerShape(
    name="binance",
    endpoints=(("get_account", "accounts"), ("place_order", "orders"), ("price_stream", "streaming")),
    streams=("price_stream",),
    groups=("accounts", "orders", "streaming"),
    limits=("weight_1m", "orders_10s"),
    read=lambda: STATE,
)

STORE = StoreReadings(writes=7, batches=6, last_commit_seconds=0.002, failures=5, queued=4, file_bytes=8192)
ORDERS = OrdersReading("binance", {OrderState.QUEUED: 3, OrderState.IN_DOUBT: 1}, 12.0)
OPERATIONS = OperationsReading("binance", OperationType.BRACKET, {OperationState.IN_PROGRESS: 2})
AUDIT = AuditReadings(written=11, dropped=2, failures=1, queued=3, last_write=T0, chain_ok=True, seq=11, head="f" * 64)


def shape_reading(state: BrokerReading) -> BrokerShape:
    """The broker, with another state."""
    return replace(SHAPE, read=lambda: state)
