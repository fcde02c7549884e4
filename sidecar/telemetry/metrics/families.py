"""The instruments: counters, gauges and histograms whose label sets are found by one dictionary look-up.

They are collectors of `prometheus_client` and give the same text as its own instruments. They exist because both hot
sides matter here: an increment happens several times a call, and a scrape runs on the event loop that carries orders.
Label text is therefore written once, when a label set is born, which makes a scrape about ten times cheaper. All
writes come from the event loop's thread, so no value needs a lock.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from typing import Literal

from prometheus_client import Metric
from prometheus_client.samples import Exemplar
from prometheus_client.utils import floatToGoString

Labels = tuple[str, ...]
Kind = Literal["counter", "gauge", "info", "histogram"]
number: Callable[[float], str] = floatToGoString
"""A value's text, such as `1.0`, `1.8e+09` or `+Inf`."""


class Cell:
    """One series of a counter or gauge: add to or set `value`."""

    __slots__ = ("head", "value")

    def __init__(self, head: str) -> None:
        self.head = head
        self.value = 0.0


class Family(dict[Labels, Cell]):
    """A counter or gauge by its label values; a label set that is asked for and not there is born at 0."""

    def __init__(self, name: str, help_text: str, labels: Labels = (), kind: Kind = "gauge") -> None:
        super().__init__()
        self.name, self.help, self.labels, self.kind = name, help_text, labels, kind

    def __missing__(self, key: Labels) -> Cell:
        cell = self[tuple(map(str, key))] = Cell(f"{self.name}{label_text(self.labels, key)} ")
        return cell

    def born(self, keys: Iterable[Labels]) -> "Family":
        """Let these label sets start at 0."""
        for key in keys:
            self[key]  # asking is what gives birth
        return self

    def text(self, openmetrics: bool) -> Iterator[str]:
        """The family's lines."""
        yield preamble(self, openmetrics)
        for cell in self.values():
            yield f"{cell.head}{number(cell.value)}\n"

    def metric(self) -> Metric:
        """The family as `prometheus_client` knows it."""
        metric = Metric(base_name(self), self.help, self.kind)
        for key, cell in self.items():
            metric.add_sample(self.name, dict(zip(self.labels, key, strict=True)), cell.value)
        return metric


def counter(name: str, help_text: str, labels: Labels = ()) -> Family:
    """A family of counters; `name` ends in `_total`."""
    return Family(name, help_text, labels, "counter")


def set_or_hide(family: Family, key: Labels, value: float | None) -> None:
    """Set a gauge that may have no value, such as a time; it has no series then, since 0 would read as 1970."""
    if value is None:
        family.pop(key, None)
    else:
        family[key].value = value


class Bins:
    """One label set of a histogram."""

    __slots__ = ("_bounds", "counts", "exemplars", "heads", "total")

    def __init__(self, bounds: tuple[float, ...], heads: Labels) -> None:
        self._bounds = bounds
        self.heads = heads
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0
        self.exemplars: dict[int, tuple[int, float, float]] = {}

    def observe(self, value: float) -> None:
        """Count one observation."""
        self.counts[bisect_left(self._bounds, value)] += 1
        self.total += value

    def exemplify(self, value: float, trace_id: int, at: float) -> None:
        """Name the trace of an observation that was counted; `at` is in Unix seconds."""
        self.exemplars[bisect_left(self._bounds, value)] = (trace_id, value, at)

    def exemplar(self, index: int) -> Exemplar | None:
        """The newest exemplar of a bucket."""
        found = self.exemplars.get(index)
        return found and Exemplar({"trace_id": f"{found[0]:032x}"}, found[1], found[2])


class Histogram(dict[Labels, Bins]):
    """A histogram by its label values; a label set that is asked for and not there is born empty."""

    kind: Kind = "histogram"

    def __init__(self, name: str, help_text: str, labels: Labels, bounds: tuple[float, ...]) -> None:
        super().__init__()
        self.name, self.help, self.labels = name, help_text, labels
        self._bounds = bounds
        self._les = (*map(number, bounds), "+Inf")

    def __missing__(self, key: Labels) -> Bins:
        buckets = (label_text((*self.labels, "le"), (*key, le)) for le in self._les)
        own = label_text(self.labels, key)
        heads = (
            *(f"{self.name}_bucket{text} " for text in buckets),
            f"{self.name}_count{own} ",
            f"{self.name}_sum{own} ",
        )
        bins = self[tuple(map(str, key))] = Bins(self._bounds, heads)
        return bins

    def born(self, keys: Iterable[Labels]) -> "Histogram":
        """Let these label sets start empty."""
        for key in keys:
            self[key]  # asking is what gives birth
        return self

    def text(self, openmetrics: bool) -> Iterator[str]:
        """The histogram's lines; exemplars only in OpenMetrics, which alone knows them."""
        yield preamble(self, openmetrics)
        for bins in self.values():
            below = 0
            for index, count in enumerate(bins.counts):
                below += count
                example = bins.exemplar(index) if openmetrics else None
                yield f"{bins.heads[index]}{number(below)}{exemplar_text(example)}\n"
            yield f"{bins.heads[-2]}{number(below)}\n{bins.heads[-1]}{number(bins.total)}\n"

    def metric(self) -> Metric:
        """The histogram as `prometheus_client` knows it."""
        metric = Metric(self.name, self.help, self.kind)
        for key, bins in self.items():
            labels = dict(zip(self.labels, key, strict=True))
            below = 0
            for index, (le, count) in enumerate(zip(self._les, bins.counts, strict=True)):
                below += count
                metric.add_sample(f"{self.name}_bucket", {**labels, "le": le}, below, exemplar=bins.exemplar(index))
            metric.add_sample(f"{self.name}_count", labels, below)
            metric.add_sample(f"{self.name}_sum", labels, bins.total)
        return metric


AnyFamily = Family | Histogram


def base_name(family: AnyFamily) -> str:
    """The family's name in OpenMetrics, which leaves out the suffix that its kind implies."""
    suffix = {"counter": "_total", "info": "_info"}.get(family.kind, "")
    return family.name.removesuffix(suffix)


def preamble(family: AnyFamily, openmetrics: bool) -> str:
    """The HELP and TYPE lines."""
    name = base_name(family) if openmetrics else family.name
    kind = "gauge" if family.kind == "info" and not openmetrics else family.kind
    return f"# HELP {name} {family.help}\n# TYPE {name} {kind}\n"


def label_text(names: Labels, values: Labels) -> str:
    """The braces with their labels, in the order that `prometheus_client` writes."""
    if not names:
        return ""
    pairs = sorted(zip(names, values, strict=True))
    return "{" + ",".join(f'{name}="{_escaped(str(value))}"' for name, value in pairs) + "}"


def exemplar_text(exemplar: Exemplar | None) -> str:
    """What follows a bucket's count in OpenMetrics."""
    if exemplar is None:
        return ""
    return f' # {{trace_id="{exemplar.labels["trace_id"]}"}} {number(exemplar.value)} {exemplar.timestamp}'


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
