"""What the bots were told about their orders, held against what the brokers' books say."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from sidecar.demo.bots.diary import Told

Book = Mapping[str, int]
"""How often an order of each client id was executed."""


@dataclass(frozen=True, slots=True)
class Balance:
    """Promises against books. Only the last two figures must be 0."""

    sent: int
    executed: int
    """The bot was told that it was executed."""
    not_executed: int
    unknown: int
    """The bot was told that nobody knows."""
    unknown_executed: int
    """Of those, what the broker had executed."""
    on_the_way: int
    """The bot was stopped before it heard."""
    duplicates: int
    wrong: int
    """The bot was told one thing and the book says another."""


@dataclass(slots=True)
class Promises:
    """The newest word about each order, and whether it was ever in doubt."""

    told: dict[str, Told] = field(default_factory=dict)
    doubted: set[str] = field(default_factory=set)

    def hear(self, order_id: str, told: Told) -> None:
        """A bot was told something about an order."""
        self.told[order_id] = told
        if told is Told.UNKNOWN:
            self.doubted.add(order_id)

    def so_far(self) -> "Promises":
        """A copy that hears nothing any more."""
        return Promises(dict(self.told), set(self.doubted))

    def balance(self, book: Book) -> Balance:
        """Hold every promise against the book."""
        counts = Counter(self.told.values())
        wrong = sum(_contradicts(told, book.get(order_id, 0)) for order_id, told in self.told.items())
        # An order that no bot remembers was made up on the way.
        strangers = sum(1 for order_id in book if order_id and order_id not in self.told)
        return Balance(
            sent=len(self.told),
            executed=counts[Told.EXECUTED],
            not_executed=counts[Told.NOT_EXECUTED],
            unknown=len(self.doubted),
            unknown_executed=sum(1 for order_id in self.doubted if book.get(order_id, 0)),
            on_the_way=counts[Told.SENDING],
            duplicates=sum(times - 1 for order_id, times in book.items() if order_id and times > 1),
            wrong=wrong + strangers,
        )


def _contradicts(told: Told, times: int) -> bool:
    if told in {Told.EXECUTED, Told.FOUND}:
        return times == 0
    return told in {Told.NOT_EXECUTED, Told.MISSING} and times > 0
