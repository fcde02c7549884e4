"""Whether the bots can trade: one number for each bot and broker, from all that can say no."""

from typing import Final

from dashboards.queries import BROKER, IN_RANGE, JOB

_ADDRESS: Final = "job, instance, broker"


def verdict() -> str:
    """The code of `words.TRADING` for each sidecar and broker."""
    reasons = (
        _silent(),
        f"{_not_ready()} * 9",
        f"{_condition('banned')} * 8",
        f"{_condition('maintenance')} * 7",
        f"{_level('emergency')} * 6",
        f"{_level('read_only')} * 5",
        f"{BROKER.select('sidecar_rate_limit_gate_shut')} * 4",
        f"{_orders_breaker('open|forced_open')} * 3",
        f"{_orders_breaker('half_open')} * 2",
        f"{_condition('ok')} * 0 + 1",
    )
    return f"max by ({_ADDRESS}) ({' or '.join(reasons)})"


def next_try() -> str:
    """Seconds until what keeps orders back is tried again, where that is known."""
    is_away = BROKER.select("sidecar_broker_state", 'state=~"maintenance|banned"')
    away = f"sum by ({_ADDRESS}) ({is_away}) == 1"
    moments = (
        BROKER.select("sidecar_rate_limit_gate_opening_timestamp_seconds"),
        BROKER.select("sidecar_breaker_next_probe_timestamp_seconds", 'group="orders"'),
        f"{BROKER.select('sidecar_broker_next_probe_timestamp_seconds')} and on ({_ADDRESS}) {away}",
    )
    return " or ".join(f"(max by ({_ADDRESS}) ({moment}) - time() > 0)" for moment in moments)


def _condition(state: str) -> str:
    return BROKER.select("sidecar_broker_state", f'state="{state}"')


def _level(level: str) -> str:
    return BROKER.select("sidecar_degradation_level", f'level="{level}"')


def _not_ready() -> str:
    # Without a label of its own it would be taken for the gate's series, and `or` would leave it out.
    return f'label_replace({BROKER.select("sidecar_new_risk_held")}, "state", "held", "", "")'


def _silent() -> str:
    """A sidecar that is not reached any more has no states left, so that it takes those it had."""
    known = f"last_over_time({_condition('ok')}[{IN_RANGE}])"
    return f"({known} * 0 + 10 and on (job, instance) up{{{JOB}}} == 0)"


def _orders_breaker(states: str) -> str:
    """The breaker before orders, or all of them where there is none for orders; a shadow refuses nothing."""
    chosen = f'state=~"{states}"'
    orders = BROKER.select("sidecar_breaker_state", f'group="orders", {chosen}')
    everything = BROKER.select("sidecar_breaker_state", chosen)
    shadows = BROKER.select("sidecar_breaker_mode", 'mode="shadow"')
    judging = f"({orders} or on ({_ADDRESS}) {everything})"
    return f"({judging} unless on ({_ADDRESS}, group) {shadows} == 1)"
