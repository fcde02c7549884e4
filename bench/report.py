"""What was found out, as a page: who was how fast, what it cost, and which aims are met."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from bench.carried import EMPTY, FULL, IN_DOUBT, PASSING, WAITING, Carried
from bench.contest import BARE, DIRECT, TRACED, Findings
from bench.load import SCENARIOS, Sample
from bench.policy import Cost

_LEAST_SHARE: Final = 0.7
_MOST_MEMORY: Final = 80 * 1000 * 1000
_LONGEST_START: Final = 1.0
_LEAST_TAKEN: Final = 0.5
_UNCHANGED: Final = 0.9
"""Two runs of the same differ by less than the rest, on a quiet machine."""
_CROWDED: Final = 0.05
_FULLY_BUSY: Final = 0.9
"""From this share of its core on, a process is what holds the throughput down."""


@dataclass(frozen=True, slots=True)
class Aim:
    """A figure that is to be reached, and what it is."""

    words: str
    figure: str
    met: bool


def page(findings: Findings, costs: Sequence[Cost], carried: Carried | None = None) -> str:
    """The whole report."""
    verdicts = [*aims(findings), *(carried_aims(carried) if carried else ())]
    parts = [*_contest(findings), _policy(costs), *(_carried(carried) if carried else ())]
    parts += [_account(findings), _verdicts(verdicts)]
    return "\n\n".join(part for part in parts if part)


def aims(findings: Findings) -> list[Aim]:
    """Which of the aims are met."""
    found = []
    for scenario in SCENARIOS:
        bare, own = (findings.samples.get((name, scenario.name)) for name in (BARE, TRACED))
        if bare is not None and own is not None:
            share = own.rate / bare.rate
            words = f"{scenario.name}, everything on: at least {_LEAST_SHARE:g} x the bare aiohttp pass-through"
            found.append(Aim(words, f"{share:.2f} x", share >= _LEAST_SHARE))
    if findings.resident_bytes:
        memory = findings.resident_bytes
        found.append(Aim("memory after the load: under 80 MB", f"{memory / 1e6:.0f} MB", memory < _MOST_MEMORY))
    if findings.start_seconds:
        start = findings.start_seconds
        found.append(Aim("from the start to ready: under 1 s", f"{start:.2f} s", start < _LONGEST_START))
    return found


def carried_aims(carried: Carried) -> list[Aim]:
    """Which of the aims for orders that the sidecar carries are met."""
    bare = carried.bare["rate"]
    found = []
    rates = {name: figures["rate"] for name, figures in carried.kept.items()}
    rates |= {name: taken.rate for name, taken in carried.taken.items()}
    for name, rate in rates.items():
        share = rate / bare
        words = f"{name}: at least {_LEAST_TAKEN:g} x bare SQLite inserts"
        found.append(Aim(words, f"{share:.2f} x", share >= _LEAST_TAKEN))
    for scenario in PASSING:
        share = carried.passing[FULL, scenario.name].rate / carried.passing[EMPTY, scenario.name].rate
        words = f"{scenario.name} beside {WAITING:,} waiting orders: at least {_UNCHANGED:g} x without"
        found.append(Aim(words, f"{share:.2f} x", share >= _UNCHANGED))
    words = f"a start with {IN_DOUBT:,} orders in doubt: all of them known when ready"
    return [*found, Aim(words, f"{carried.ready_seconds:.1f} s", carried.left_in_doubt == 0)]


def _carried(carried: Carried) -> Iterator[str]:
    bare = carried.bare
    insert = ("bare SQLite inserts", f"{bare['rate']:,.0f}", "1.00", *_milliseconds(bare["p50"], bare["p99"]), "-", "")
    rows: list[tuple[str, ...]] = [("", "orders/s", "x bare", "p50 ms", "p99 ms", "CPU us/order", ""), insert]
    for name, kept in carried.kept.items():
        share = f"{kept['rate'] / bare['rate']:.2f}"
        rows.append((name, f"{kept['rate']:,.0f}", share, *_milliseconds(kept["p50"], kept["p99"]), "-", ""))
    for name, taken in carried.taken.items():
        share = f"{taken.rate / bare['rate']:.2f}"
        figures = (f"{taken.rate:,.0f}", share, *_milliseconds(taken.p50, taken.p99), f"{taken.cpu:,.0f}")
        rows.append((name, *figures, _failed(taken)))
    yield f"Orders on the disk before the answer; handed over through the Unix socket\n{_aligned(rows)}"
    rows = [("", "req/s", "p50 ms", "p99 ms", "CPU us/call", "")]
    for (queue, name), passed in carried.passing.items():
        figures = (f"{passed.rate:,.0f}", *_milliseconds(passed.p50, passed.p99), f"{passed.cpu:,.0f}")
        rows.append((f"{name}, {queue}", *figures, _failed(passed)))
    yield f"Calls that pass through beside the queue (signed here, Unix socket)\n{_aligned(rows)}"
    yield (
        f"A start with {IN_DOUBT:,} orders in doubt: ready after {carried.ready_seconds:.1f} s with "
        f"{carried.left_in_doubt:,} still in doubt; without any after {carried.empty_seconds:.1f} s"
    )


def _milliseconds(*microseconds: float) -> tuple[str, ...]:
    return tuple(f"{value / 1000:.2f}" for value in microseconds)


def _failed(sample: Sample) -> str:
    return f"{sample.failures} FAILED" if sample.failures else ""


def _contest(findings: Findings) -> Iterator[str]:
    names = list(dict.fromkeys(name for name, _ in findings.samples))
    for scenario in SCENARIOS:
        bare = findings.samples.get((BARE, scenario.name))
        if bare is None:
            continue
        rows = [(name, findings.samples[name, scenario.name]) for name in names]
        table = [_HEAD]
        table += [_row(name, sample, bare) for name, sample in rows]
        yield f"{_TITLES[scenario.kind]}, {scenario.concurrency} at once\n{_aligned(table)}"
    others = [sample.others for (name, _), sample in findings.samples.items() if name != DIRECT]
    if others and median(others) > _CROWDED:
        yield (
            f"CROWDED: other processes took {median(others):.0%} of the core of the process under test. "
            "Every figure is worse for it; the CPU columns suffer least."
        )
    if findings.absent:
        yield "\n".join(f"{name} took no part: {why}" for name, why in findings.absent.items())


_HEAD: Final[tuple[str, ...]] = (
    "", "req/s", "x bare", "p50 ms", "p90 ms", "p99 ms", "CPU us/call", "x bare", "core", "",
)  # fmt: skip
_TITLES: Final = {"read": "Plain reads", "order": "Orders (audited)"}


def _row(name: str, sample: Sample, bare: Sample) -> tuple[str, ...]:
    remarks = [_failed(sample)] if sample.failures else []
    if name != DIRECT and sample.busy + sample.others < _FULLY_BUSY:
        remarks.append("not the bottleneck")
    return (
        name,
        f"{sample.rate:,.0f}",
        f"{sample.rate / bare.rate:.2f}",
        f"{sample.p50 / 1000:.2f}",
        f"{sample.p90 / 1000:.2f}",
        f"{sample.p99 / 1000:.2f}",
        f"{sample.cpu:,.0f}",
        f"{sample.cpu / bare.cpu:.2f}" if bare.cpu else "-",
        f"{sample.busy:.0%}",
        ", ".join(remarks),
    )


def _policy(costs: Sequence[Cost]) -> str:
    if not costs:
        return ""
    names = list(dict.fromkeys(name for cost in costs for name in cost.parts))
    table: list[tuple[str, ...]] = [("", *(cost.kind for cost in costs))]
    table += [(name, *(_figure(cost.parts.get(name)) for cost in costs)) for name in names]
    table.append(("policy, whole", *(_figure(cost.whole) for cost in costs)))
    table.append(("in other threads", *(_figure(cost.beside) for cost in costs)))
    return f"Policy cost of a call, without the wire, in microseconds\n{_aligned(table)}"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _account(findings: Findings) -> str:
    told = ", ".join(f"{words} {value:,.0f}" for words, value in findings.account.items())
    return f"The sidecar's own account, everything on: {told}" if told else ""


def _verdicts(found: Sequence[Aim]) -> str:
    if not found:
        return ""
    table = [("met" if aim.met else "MISSED", aim.figure, aim.words) for aim in found]
    return "Aims\n" + "\n".join(f"  {verdict:7} {figure:>8}  {words}" for verdict, figure, words in table)


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for first, *others in rows:
        cells = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))]
        lines.append("  " + "  ".join(cells).rstrip())
    return "\n".join(lines)
