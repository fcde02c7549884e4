"""PromQL over the sidecar's metrics, always within what the board's variables choose."""

from dataclasses import dataclass
from typing import Final

IN_RANGE: Final = "$__range"
PER_STEP: Final = "$__rate_interval"

FAILED: Final = 'outcome=~"transient|unknown|maintenance|banned|rate_limited"'
"""Calls that the broker or the way to it failed. A rejected or malformed order is the bot's own matter."""


@dataclass(frozen=True, slots=True)
class Query:
    """One query of a panel."""

    expr: str
    legend: str = ""
    """How the series is called; `{{label}}` is replaced by the label's value."""
    exemplars: bool = False
    """Whether the traces of single observations are drawn beside the series."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Selects the series that the board's variables choose."""

    labels: str

    def select(self, metric: str, where: str = "") -> str:
        """The metric's series; `where` holds further matchers."""
        return f"{metric}{{{', '.join(part for part in (self.labels, where) if part)}}}"

    def rate(self, metric: str, by: str = "", where: str = "") -> str:
        """A counter's rise a second, summed by these labels."""
        return f"{_over('sum', by)} (rate({self.select(metric, where)}[{PER_STEP}]))"

    def moving(self, metric: str, by: str, where: str = "") -> str:
        """A counter's rise a second, without the series that stood still all the shown time: most do."""
        return f"{self.rate(metric, by, where)} and {self.rise(metric, by, where)} > 0"

    def steps(self, metric: str, by: str, where: str = "") -> str:
        """How much a counter rose in each step of the graph, likewise without what stood still."""
        return f"{self.rise(metric, by, where, PER_STEP)} and {self.rise(metric, by, where)} > 0"

    def rise(self, metric: str, by: str = "", where: str = "", window: str = IN_RANGE) -> str:
        """How much a counter rose in the shown time, or in another window."""
        return f"{_over('sum', by)} (increase({self.select(metric, where)}[{window}]))"

    def quantile(self, share: float, histogram: str, by: str = "", where: str = "") -> str:
        """A quantile of a histogram's observations; `share` is from 0 to 1."""
        grouped = ", ".join(part for part in ("le", by) if part)
        return f"histogram_quantile({share:g}, {self.rate(f'{histogram}_bucket', grouped, where)})"

    def sum(self, metric: str, by: str = "", where: str = "") -> str:
        """A gauge, summed."""
        return f"{_over('sum', by)} ({self.select(metric, where)})"

    def most(self, metric: str, by: str = "", where: str = "") -> str:
        """The largest of a gauge: what several sidecars know of one address is the same thing told twice."""
        return f"{_over('max', by)} ({self.select(metric, where)})"

    def seconds_until(self, timestamp: str, by: str = "") -> str:
        """Seconds from now until a moment; negative once it has passed."""
        return f"{_over('max', by)} ({self.select(timestamp)} - time())"

    def seconds_since(self, timestamp: str, by: str = "") -> str:
        """Seconds that have passed since a moment."""
        return f"{_over('max', by)} (time() - {self.select(timestamp)})"

    def code(self, metric: str, codes: dict[str, int], by: str, label: str = "state") -> str:
        """A state of which one 0/1 series each exists, as the number of the highest state that is 1."""
        chosen = {f'{label}="{state}"': code for state, code in codes.items()}
        states = (f"{self.select(metric, where)} * {code}" for where, code in chosen.items())
        return f"{_over('max', by)} ({' or '.join(states)})"


def _over(aggregation: str, by: str) -> str:
    return f"{aggregation} by ({by})" if by else aggregation


JOB: Final = 'job=~"$job", namespace=~"$namespace"'
SIDECAR: Final = Scope(f'{JOB}, instance=~"$instance"')
BROKER: Final = Scope(f'{SIDECAR.labels}, broker=~"$broker"')


def share(part: str, whole: str) -> str:
    """A part of a whole; 0 where there is no whole, because a bot that makes no calls has no failures."""
    return f"{part} / ({whole} > 0) or {whole} * 0"


def share_of_some(part: str, whole: str) -> str:
    """A part of a whole, where there is a whole: most of a broker's endpoints are never asked."""
    return f"{part} / ({whole} > 0)"


def named(expression: str, by: str) -> str:
    """The largest value by labels of which `bot` is one: the bot's name is joined from `sidecar_info`."""
    # What was known of a sidecar that does not answer any more is worth most when it does not answer any more.
    info = f"last_over_time({SIDECAR.select('sidecar_info')}[{IN_RANGE}])"
    return (
        f"max by ({by}) (({expression}) * on (job, instance) group_left (bot) group by (job, instance, bot) ({info}))"
    )
