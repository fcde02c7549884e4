"""Prices that move by themselves, the same way under the same seed and the same clock."""

import random
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal

from sidecar.simulator.projectx.contracts import CONTRACTS

_STEP_SECONDS = 0.25
_LONGEST_CATCH_UP = 240
_LEASH = 200


class Market:
    """The last price of every contract; who sells gets it, who buys pays one tick more.

    With `moving` they take a random step of at most a tick every 250 ms, at most 200 ticks away from the price set.
    """

    def __init__(self, now: Callable[[], float], *, seed: int, moving: bool) -> None:
        self._now = now
        self._moving = moving
        self._randoms = {name: random.Random(f"{seed}/{name}") for name in CONTRACTS}
        self._anchors = {name: contract.start for name, contract in CONTRACTS.items()}
        self._last = dict(self._anchors)
        self._open = dict.fromkeys(CONTRACTS, True)
        self._step = self._due()

    @property
    def last(self) -> Mapping[str, Decimal]:
        """The last price by the contract's id."""
        return self._last

    def bid(self, contract: str) -> Decimal:
        """What a seller gets."""
        return self._last[contract]

    def ask(self, contract: str) -> Decimal:
        """What a buyer pays."""
        return self._last[contract] + CONTRACTS[contract].tick_size

    def is_open(self, contract: str) -> bool:
        """Whether the contract trades now."""
        return self._open[contract]

    def set_open(self, contract: str, *, is_open: bool) -> None:
        """Open or close trading; `KeyError` for a contract that does not exist."""
        self._open[CONTRACTS[contract].id] = is_open

    def set_price(self, contract: str, price: Decimal) -> None:
        """Put the last price somewhere else, to the tick; `KeyError` for a contract that does not exist."""
        tick = CONTRACTS[contract].tick_size
        self._anchors[contract] = self._last[contract] = round(price / tick) * tick

    def moves(self) -> Iterator[str]:
        """Take the steps that are due and name the contract after each; after a long pause the last minute's alone."""
        due = self._due()
        steps = min(due - self._step, _LONGEST_CATCH_UP) if self._moving else 0
        self._step = due
        for _ in range(steps):
            for name in CONTRACTS:
                if self._take_step(name):
                    yield name

    def _take_step(self, name: str) -> bool:
        tick = CONTRACTS[name].tick_size
        direction = self._randoms[name].choice((-1, 0, 0, 1))
        away = self._last[name] - self._anchors[name]
        if abs(away) >= _LEASH * tick:
            direction = -1 if away > 0 else 1
        self._last[name] += direction * tick
        return direction != 0

    def _due(self) -> int:
        return int(self._now() / _STEP_SECONDS)
