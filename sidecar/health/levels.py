"""What each degradation level lets pass: one table, by what a call does."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from sidecar.brokers.profile import Intent
from sidecar.words import DegradationLevel, Effect, Priority

SESSION_GROUPS: Final = frozenset({"streaming", "auth"})
"""Endpoint groups whose changes keep a session or a stream alive, and move no money."""


class Kind(StrEnum):
    """What a call does, as far as the levels care."""

    CANCEL = "cancel"
    REDUCE = "reduce"
    """A reduce-only order, or a close."""
    SESSION = "session"
    """A log-out, the key of a user-data stream."""
    ACCOUNT_DATA = "account data"
    """Orders, positions, balances, transactions: what must be known to get out of risk."""
    STREAM = "stream"
    MARKET_DATA = "market data"
    CHANGE = "change"
    """Of a setting: leverage, margin, position mode; and what the profile does not know."""
    NEW_RISK = "new risk"
    """A new order, or a change of one that may add risk."""


@dataclass(frozen=True, slots=True)
class Treatment:
    """What becomes of a kind of call."""

    refused: bool = False
    held_back: bool = False
    """It may use only a part of each limit, and waits beyond that."""
    may_be_stale: bool = False
    """When the broker gives no answer, an older one may be served, where a cache is configured."""

    def __str__(self) -> str:
        passage = "refused" if self.refused else "held back" if self.held_back else "passes"
        return f"{passage}, may be stale" if self.may_be_stale else passage


_PASSES: Final = Treatment()
_STALE: Final = Treatment(may_be_stale=True)
_HELD: Final = Treatment(held_back=True)
_HELD_STALE: Final = Treatment(held_back=True, may_be_stale=True)
_REFUSED: Final = Treatment(refused=True)
_REFUSED_STALE: Final = Treatment(refused=True, may_be_stale=True)

_WAY_OUT: Final = {Kind.CANCEL: _PASSES, Kind.REDUCE: _PASSES, Kind.SESSION: _PASSES}
"""The same at every level."""

TABLE: Final[Mapping[DegradationLevel, Mapping[Kind, Treatment]]] = MappingProxyType(
    {
        DegradationLevel.NONE: {
            **_WAY_OUT,
            Kind.ACCOUNT_DATA: _PASSES,
            Kind.STREAM: _PASSES,
            Kind.MARKET_DATA: _PASSES,
            Kind.CHANGE: _PASSES,
            Kind.NEW_RISK: _PASSES,
        },
        DegradationLevel.RATE_LIMITED: {
            **_WAY_OUT,
            Kind.ACCOUNT_DATA: _PASSES,
            Kind.STREAM: _HELD,
            Kind.MARKET_DATA: _HELD,
            Kind.CHANGE: _PASSES,
            Kind.NEW_RISK: _PASSES,
        },
        DegradationLevel.CACHED_DATA: {
            **_WAY_OUT,
            Kind.ACCOUNT_DATA: _STALE,
            Kind.STREAM: _HELD,
            Kind.MARKET_DATA: _HELD_STALE,
            Kind.CHANGE: _PASSES,
            Kind.NEW_RISK: _PASSES,
        },
        DegradationLevel.READ_ONLY: {
            **_WAY_OUT,
            Kind.ACCOUNT_DATA: _STALE,
            Kind.STREAM: _HELD,
            Kind.MARKET_DATA: _HELD_STALE,
            Kind.CHANGE: _REFUSED,
            Kind.NEW_RISK: _REFUSED,
        },
        DegradationLevel.EMERGENCY: {
            **_WAY_OUT,
            Kind.ACCOUNT_DATA: _STALE,
            Kind.STREAM: _HELD,
            Kind.MARKET_DATA: _REFUSED_STALE,
            Kind.CHANGE: _REFUSED,
            Kind.NEW_RISK: _REFUSED,
        },
    }
)


def kind_of(intent: Intent) -> Kind:
    """What a call does. Whatever gets out of risk is that first, wherever its endpoint lives."""
    if intent.priority.reserved or intent.effect is Effect.REDUCES_RISK:
        return Kind.CANCEL if intent.priority is Priority.CANCEL else Kind.REDUCE
    if intent.effect is Effect.OPENS_RISK:
        return Kind.NEW_RISK
    endpoint = intent.endpoint
    if intent.effect is Effect.OTHER:
        return Kind.SESSION if endpoint.group in SESSION_GROUPS else Kind.CHANGE
    if endpoint.stream:
        return Kind.STREAM
    return Kind.MARKET_DATA if intent.priority is Priority.MARKET_DATA else Kind.ACCOUNT_DATA


def treatment(level: DegradationLevel, intent: Intent) -> Treatment:
    """What becomes of a call at a level."""
    return TABLE[level][kind_of(intent)]


def holds_back_market_data(level: DegradationLevel) -> bool:
    """Whether market data may use only a part of each limit."""
    return TABLE[level][Kind.STREAM].held_back
