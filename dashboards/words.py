"""The names, numbers and colours of states. The higher the number, the worse the state."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from grafana_foundation_sdk.models.dashboard import (
    DashboardRangeMapOptions,
    RangeMap,
    ValueMap,
    ValueMappingResult,
)

GREEN: Final = "green"
BLUE: Final = "blue"
YELLOW: Final = "yellow"
ORANGE: Final = "orange"
RED: Final = "red"
DARK_RED: Final = "dark-red"
PURPLE: Final = "purple"
NO_COLOUR: Final = "transparent"
"""What is well needs no colour where much is shown side by side."""


@dataclass(frozen=True, slots=True)
class Word:
    """What a number means."""

    text: str
    colour: str


Words = Mapping[int, Word]

TRADING: Final[Words] = {
    1: Word("yes", GREEN),
    2: Word("trying: breaker half open", YELLOW),
    3: Word("no: breaker open", RED),
    4: Word("no: rate limited", ORANGE),
    5: Word("no: read only", YELLOW),
    6: Word("no: emergency", DARK_RED),
    7: Word("no: maintenance", BLUE),
    8: Word("no: banned", DARK_RED),
    9: Word("no: not ready", ORANGE),
    10: Word("no: sidecar does not answer", PURPLE),
}
"""Whether a new order would be sent."""

CONDITION_CODES: Final = {"ok": 1, "degraded": 2, "maintenance": 3, "banned": 4}
CONDITION: Final[Words] = {
    1: Word("ok", GREEN),
    2: Word("degraded", YELLOW),
    3: Word("maintenance", BLUE),
    4: Word("banned", DARK_RED),
}

BREAKER_CODES: Final = {"closed": 1, "forced_closed": 2, "half_open": 3, "open": 4, "forced_open": 5}
BREAKER: Final[Words] = {
    1: Word("closed", GREEN),
    2: Word("forced closed", BLUE),
    3: Word("half open", YELLOW),
    4: Word("open", RED),
    5: Word("forced open", DARK_RED),
}

OPERATIONAL_CODES: Final = {"active": 1, "starting": 2, "shutdown": 3, "waiting": 4, "error": 5}
OPERATIONAL: Final[Words] = {
    1: Word("active", GREEN),
    2: Word("starting", BLUE),
    3: Word("shutdown", PURPLE),
    4: Word("waiting", ORANGE),
    5: Word("error", RED),
}

READINESS_CODES: Final = {"ready": 1, "checking": 2, "waiting": 3, "error": 4}
READINESS: Final[Words] = {
    1: Word("ready", GREEN),
    2: Word("checking", BLUE),
    3: Word("waiting", ORANGE),
    4: Word("error", RED),
}

OUTCOME: Final[Mapping[str, str]] = {
    "ok": GREEN,
    "rejected": "super-light-blue",
    "rate_limited": ORANGE,
    "banned": DARK_RED,
    "maintenance": BLUE,
    "transient": YELLOW,
    "unknown": RED,
    "fatal": PURPLE,
}
"""Always the same colour, on every board."""

ORDER: Final[Mapping[str, str]] = {
    "accepted": "super-light-blue",
    "queued": YELLOW,
    "sending": BLUE,
    "in_doubt": RED,
    "working": "light-green",
    "filled": GREEN,
    "rejected": ORANGE,
    "cancelled": "super-light-purple",
    "expired": "dark-yellow",
    "dead": DARK_RED,
}

SEVERITY: Final[Mapping[str, str]] = {"critical": RED, "error": ORANGE, "warning": YELLOW, "info": BLUE}

GATE: Final[Words] = {0: Word("open", GREEN), 1: Word("shut", RED)}
INTACT: Final[Words] = {0: Word("broken", RED), 1: Word("intact", GREEN)}


def overspent() -> RangeMap:
    """Less than nothing, in words."""
    result = ValueMappingResult(text="overspent", color=RED, index=0)
    return RangeMap(DashboardRangeMapOptions(from_val=None, to=-1e-9, result=result))


def coloured(texts: Mapping[str, str]) -> ValueMap:
    """Texts that keep their words, and get colours."""
    return ValueMap(
        options={
            text: ValueMappingResult(text=text, color=colour, index=index)
            for index, (text, colour) in enumerate(texts.items())
        }
    )


def mapping(words: Words) -> ValueMap:
    """The words as Grafana's value mapping."""
    return ValueMap(
        options={
            str(number): ValueMappingResult(text=word.text, color=word.colour, index=index)
            for index, (number, word) in enumerate(words.items())
        }
    )


LEVEL_CODES: Final = {"none": 1, "rate_limited": 2, "cached_data": 3, "read_only": 4, "emergency": 5}
LEVEL: Final[Words] = {
    1: Word("none", GREEN),
    2: Word("rate limited", YELLOW),
    3: Word("cached data", ORANGE),
    4: Word("read only", RED),
    5: Word("emergency", DARK_RED),
}
"""How much of a broker may be used."""
