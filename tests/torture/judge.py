"""Holds the brokers' books against everything that was promised."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from typing import Any

from sidecar.words import OrderState
from tests.torture.story import Life, Way, Word

View = Mapping[str, Any]

_NOT_EXECUTED = frozenset({"rejected", "transient", "rate_limited", "banned", "maintenance", "fatal"})
_OPEN_IN_BOOK = frozenset({"NEW", "PARTIALLY_FILLED", "PENDING", "TRIGGERED"})
_CANCELLED_IN_BOOK = frozenset({"CANCELED", "CANCELLED"})
_IN_BOOK: Mapping[str, frozenset[str]] = {
    OrderState.FILLED: frozenset({"FILLED", "FINISHED"}),
    OrderState.WORKING: _OPEN_IN_BOOK,
    OrderState.CANCELLED: _CANCELLED_IN_BOOK,
    OrderState.EXPIRED: frozenset({"EXPIRED", "EXPIRED_IN_MATCH"}),
    OrderState.REJECTED: frozenset({"REJECTED"}),
}
"""What an order that has a state may be in the book, if it is there at all."""
_MUST_BE_THERE = frozenset({OrderState.FILLED, OrderState.WORKING})


class Promise(StrEnum):
    """What was broken."""

    ONCE = "executed more than once"
    KEPT = "accepted, and forgotten or never settled"
    TRUE = "told something that is not so"
    IN_TURN = "executed before an order that was accepted earlier"
    AUDITED = "the audit log is broken, or tells it otherwise"
    SECRET = "a secret was told"


@dataclass(frozen=True, slots=True)
class Breach:
    """One broken promise; `client_id` is empty where it is about no order."""

    promise: Promise
    client_id: str
    words: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known at the end."""

    lives: Sequence[Life]
    books: Mapping[str, Sequence[View]]
    """By broker: its orders in the order in which they were executed."""
    accounts: Mapping[str, View]
    """By order id: what the sidecar tells of everything that it has carried, cancels too."""
    audit: Sequence[View] = ()
    in_book: dict[str, list[View]] = field(default_factory=lambda: defaultdict(list))
    """By client id."""

    def __post_init__(self) -> None:
        for book in self.books.values():
            for entry in book:
                self.in_book[entry["client_id"]].append(entry)

    def account_of(self, life: Life) -> View | None:
        """What the sidecar tells of an order at the end."""
        found = (one for one in self.accounts.values() if one["kind"] == "order")
        return next((one for one in found if one["client_id"] == life.plan.client_id), None)


def judge(evidence: Evidence) -> list[Breach]:
    """Every promise that was not kept."""
    breaches: list[Breach] = []
    for life in evidence.lives:
        client_id = life.plan.client_id
        entries = evidence.in_book[client_id]
        if len(entries) > 1:
            breaches.append(Breach(Promise.ONCE, client_id, f"it is in the book {len(entries)} times"))
        account = evidence.account_of(life)
        told = _carried(life, account, entries, evidence) if life.plan.way.carried else _plain(life, entries)
        breaches += [Breach(promise, client_id, words) for promise, words in told]
    return breaches + list(_out_of_turn(evidence)) + list(_audited_otherwise(evidence))


Finding = tuple[Promise, str]


def _carried(life: Life, account: View | None, entries: Sequence[View], evidence: Evidence) -> Iterator[Finding]:
    last = life.about("place", "repeat")[-1]
    if account is None:
        if life.accepted:
            yield Promise.KEPT, "the sidecar does not know it any more"
        elif entries:
            yield Promise.KEPT, "it was executed, and the sidecar has never heard of it"
        return
    if last.status >= 400 and b"perhaps taken" not in last.body:
        yield Promise.TRUE, f"its last answer was that it was not taken, and it is {account['state']}"
    yield from _account(account, entries)
    yield from _cancelled(life, entries, evidence)
    for word in life.words:
        if word.view.get("id") == account["id"]:
            yield from _earlier(word, account)


def _account(account: View, entries: Sequence[View]) -> Iterator[Finding]:
    state = account["state"]
    if not account["settled"]:
        yield Promise.KEPT, f"it is still {state}: {account['reason']}"
        return
    statuses = {entry["status"] for entry in entries}
    if state == OrderState.DEAD:
        if entries and not account["may_have_been_executed"]:
            yield Promise.TRUE, f"it was given up as not executed, and is {statuses} in the book"
        return
    if not entries:
        if state in _MUST_BE_THERE:
            yield Promise.TRUE, f"it is {state} for the sidecar, and not in the book"
        return
    if not statuses <= _IN_BOOK[state]:
        yield Promise.TRUE, f"it is {state} for the sidecar, and {statuses} in the book"
    elif state == OrderState.CANCELLED and "before it was sent" in account["reason"]:
        yield Promise.TRUE, "it was cancelled before it was sent, and is in the book"


def _earlier(word: Word, account: View) -> Iterator[Finding]:
    """What is final stays; only a crash may take the knowledge of a refusal away, and never make it the opposite."""
    told, now = word.view, account
    if not told["final"] or told["state"] == now["state"]:
        return
    if now["state"] == OrderState.DEAD and now["may_have_been_executed"] and told["state"] not in _MUST_BE_THERE:
        return
    yield Promise.TRUE, f"at {word.at:.2f} s it was {told['state']} for good, and in the end it is {now['state']}"


def _cancelled(life: Life, entries: Sequence[View], evidence: Evidence) -> Iterator[Finding]:
    still_open = any(entry["status"] in _OPEN_IN_BOOK for entry in entries)
    for word in life.about("take back"):
        if word.view.get("kind") != "cancel":
            continue
        cancel = evidence.accounts.get(word.view["id"])
        if cancel is None:
            yield Promise.KEPT, f"its cancel {word.view['id']} was accepted and is not known any more"
        elif not cancel["settled"]:
            yield Promise.KEPT, f"its cancel is still {cancel['state']}: {cancel['reason']}"
        elif still_open and (cancel["state"] == OrderState.CANCELLED or _found_nothing(cancel)):
            yield Promise.TRUE, f"its cancel is {cancel['state']} ({cancel['reason']}), and it is open in the book"
    yield from _cancelled_plainly(life, entries)


def _found_nothing(cancel: View) -> bool:
    """Whether the sidecar has taken the broker's word that there is no such order."""
    return cancel["state"] == OrderState.REJECTED and not cancel["reason"].startswith("fatal")


def _cancelled_plainly(life: Life, entries: Sequence[View]) -> Iterator[Finding]:
    for word in life.about("cancel"):
        if word.outcome == "ok" and not any(entry["status"] in _CANCELLED_IN_BOOK for entry in entries):
            yield Promise.TRUE, "its cancel was told as done, and it is not cancelled in the book"


def _plain(life: Life, entries: Sequence[View]) -> Iterator[Finding]:
    said = life.about("place", "repeat")
    words = [word for word in said if word.status]
    for word in words:
        if word.outcome == "ok" and not entries:
            yield Promise.TRUE, f"it was told as executed at {word.at:.2f} s, and is not in the book"
    if said[-1].outcome in _NOT_EXECUTED and entries:
        yield Promise.TRUE, f"it was told as not executed ({said[-1].fate}), and is in the book"
    if life.plan.way is Way.KEYED:
        yield from _replayed(words)
    yield from _cancelled_plainly(life, entries)


def _replayed(words: Sequence[Word]) -> Iterator[Finding]:
    first = next((word for word in words if word.outcome in {"ok", "rejected"}), None)
    if first is None:
        return
    for word in words[words.index(first) + 1 :]:
        if word.outcome != "unknown" and (word.status, word.body) != (first.status, first.body):
            yield Promise.TRUE, f"with the same key it was told {first.status} first and then {word.status}"


def _out_of_turn(evidence: Evidence) -> Iterator[Breach]:
    """One bot's orders on one instrument, each accepted before the next was handed in, are executed in that order."""
    place = {
        (broker, entry["client_id"]): number
        for broker, book in evidence.books.items()
        for number, entry in enumerate(book)
    }
    lanes: dict[tuple[int, str], list[Life]] = defaultdict(list)
    for life in evidence.lives:
        if life.accepted and (life.plan.broker, life.plan.client_id) in place and not _was_in_doubt(life, evidence):
            lanes[life.bot, life.plan.instrument].append(life)
    for lane in lanes.values():
        for earlier, later in pairwise(lane):
            keys = [(life.plan.broker, life.plan.client_id) for life in (earlier, later)]
            if place[keys[0]] > place[keys[1]]:
                yield Breach(Promise.IN_TURN, later.plan.client_id, f"{earlier.plan.client_id} came before it")


def _was_in_doubt(life: Life, evidence: Evidence) -> bool:
    """Then nobody waits for it: the broker may execute it at any time."""
    account = evidence.account_of(life)
    return account is None or any(change["state"] == OrderState.IN_DOUBT for change in account.get("changes", ()))


def _audited_otherwise(evidence: Evidence) -> Iterator[Breach]:
    final = {state for state in OrderState if state.final}
    for line in evidence.audit:
        if line["event"] != "carried_order_changed":
            continue
        account = evidence.accounts.get(line["order"])
        if account is None or line["to_state"] not in final or line["to_state"] == account["state"]:
            continue
        if account["state"] == OrderState.DEAD and account["may_have_been_executed"]:
            continue
        words = f"by the audit log it was {line['to_state']}, and in the end it is {account['state']}"
        yield Breach(Promise.AUDITED, account["client_id"], words)
