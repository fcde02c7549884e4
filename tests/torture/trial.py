"""One round: bots trade, everything goes wrong, and at the end the promises are counted."""

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from signal import SIGTERM
from threading import Event
from typing import Any

from sidecar.simulator.faults import FaultKind
from tests.e2e.stack import Simulated
from tests.torture.bots import Bot, Caller
from tests.torture.havoc import Havoc
from tests.torture.judge import Breach, Evidence, Promise, View, judge
from tests.torture.story import Life, plans
from tests.torture.victim import SECRETS, Victim

BOTS = 24


@dataclass(frozen=True, slots=True)
class Setting:
    """What makes one round what it is."""

    seed: int
    orders: int
    module: str = "tests.torture.watched"
    """The Python module that is run as the sidecar."""
    kinds: tuple[FaultKind, ...] = tuple(FaultKind)
    kill_every: float = 2.5
    """Seconds between kills, and between faults, on average."""
    fault_every: float = 0.12
    settle_seconds: float = 60.0
    """How long orders may take to be settled once everything is well."""


@dataclass
class Report:
    """How one round ended."""

    setting: Setting
    figures: Counter[str]
    breaches: list[Breach]
    histories: dict[str, str] = field(default_factory=dict)
    """All that is known of each order about which a promise was broken."""

    def __str__(self) -> str:
        head = f"seed {self.setting.seed}: {len(self.breaches)} broken promises"
        lines = [f"  {breach.client_id or 'all'}: {breach.promise}: {breach.words}" for breach in self.breaches]
        return "\n".join([head, *lines, *self.histories.values()])


def torture(setting: Setting, folder: Path, brokers: Mapping[str, Simulated]) -> Report:
    """Run one round in an empty folder; the brokers begin with empty books."""
    rng = Random(f"{setting.seed}/victim")
    for broker in brokers.values():
        broker.reset()
    victim = Victim(folder, brokers, setting.module, rng)
    over = Event()
    caller = Caller(victim.socket, time.monotonic(), over)
    share = -(-setting.orders // BOTS)
    bots = [Bot(number, plans(setting.seed, number, share), caller) for number in range(BOTS)]
    havoc = Havoc(victim, setting.seed, setting.kinds, setting.kill_every, setting.fault_every)
    try:
        victim.start()
        for bot in bots:
            bot.start()
        havoc.go_on_until(lambda: not any(bot.is_alive() for bot in bots))
        victim.cut_power()
        victim.start()
        accounts = _settled(caller, setting.settle_seconds)
        victim.kill(SIGTERM)
        return _report(setting, victim, havoc, [life for bot in bots for life in bot.lives], accounts)
    finally:
        over.set()
        victim.end()
        victim.disk.leave()


def _settled(caller: Caller, seconds: float) -> dict[str, View]:
    """Everything that was carried, once nothing is under way any more, or after so many seconds."""
    ends = time.monotonic() + seconds
    while True:
        listed = json.loads(caller.call("list", "GET", "/v1/orders?limit=1000").body or b"{}").get("orders", [])
        if (listed and all(order["settled"] for order in listed)) or time.monotonic() >= ends:
            break
        time.sleep(0.2)
    return {order["id"]: caller.call("look", "GET", f"/v1/orders/{order['id']}").view for order in listed}


def _report(
    setting: Setting, victim: Victim, havoc: Havoc, lives: Sequence[Life], accounts: Mapping[str, View]
) -> Report:
    books = {name: broker.executed()["orders"] for name, broker in victim.brokers.items()}
    evidence = Evidence([life for life in lives if life.words], books, accounts, victim.audit_lines())
    breaches = [*judge(evidence), *_told_secrets(victim, lives)]
    if fault := victim.verify_audit():
        breaches.append(Breach(Promise.AUDITED, "", fault))
    concerned = {breach.client_id for breach in breaches}
    histories = {life.plan.client_id: history(life, evidence) for life in lives if life.plan.client_id in concerned}
    return Report(setting, _figures(victim, havoc, evidence, breaches), breaches, histories)


def _told_secrets(victim: Victim, lives: Sequence[Life]) -> Iterator[Breach]:
    answers = [(word.about, f"{word.fate} {word.body.decode('latin-1')}") for life in lives for word in life.words]
    for where, text in (*answers, *victim.tellings()):
        if any(secret in text for secret in SECRETS):
            yield Breach(Promise.SECRET, "", f"a secret stands in: {where}")


def _figures(victim: Victim, havoc: Havoc, evidence: Evidence, breaches: Sequence[Breach]) -> Counter[str]:
    accounts = evidence.accounts.values()
    orders = [account for account in accounts if account["kind"] == "order"]
    words = Counter(word.about for life in evidence.lives for word in life.words)
    broken = Counter(breach.promise for breach in breaches)
    figures = Counter(
        {
            "orders": len(evidence.lives),
            "carried": len(orders),
            "cancels carried": len(accounts) - len(orders),
            "calls": words.total(),
            "calls without an answer": sum(not word.status for life in evidence.lives for word in life.words),
            "executed": sum(len(book) for book in evidence.books.values()),
            "faults": havoc.faults.total(),
            "kills": victim.kills,
            "power cuts": victim.power_cuts,
            "starts": victim.starts,
            "full disks": havoc.full_disks,
            "in doubt": sum(_was(account, "in_doubt") for account in accounts),
            "looked up": sum(line["event"] == "order_lookup" for line in evidence.audit),
            "given up, and in the book": sum(
                order["state"] == "dead" and bool(evidence.in_book[order["client_id"]]) for order in orders
            ),
        }
    )
    figures.update({f"ended {state}": number for state, number in Counter(one["state"] for one in orders).items()})
    figures.update({f"BROKEN: {promise}": broken[promise] for promise in Promise})
    return figures


def _was(account: View, state: str) -> bool:
    return any(change["state"] == state for change in account.get("changes", ()))


def history(life: Life, evidence: Evidence) -> str:
    """Everything that is known of one order."""
    client_id = life.plan.client_id
    accounts = [account for account in evidence.accounts.values() if account["client_id"] == client_id]
    lines: list[Any] = [f"  --- {client_id}: {life.plan}", *(f"  bot     {word}" for word in life.words)]
    for account in accounts:
        told = {name: value for name, value in account.items() if name not in {"changes", "answer"}}
        lines += [f"  sidecar {told}", *(f"          {change}" for change in account.get("changes", ()))]
    lines += [f"  audit   {line}" for line in map(json.dumps, evidence.audit) if f'"{client_id}"' in line]
    lines += [f"  book    {entry}" for entry in evidence.in_book[client_id]] or ["  book    it is not there"]
    return "\n".join(str(line) for line in lines)
