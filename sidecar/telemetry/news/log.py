"""Which events are news for a person, and in what words.

Calls that succeed are no news. A condition that goes on is told when it begins, summed up now and then, and told when
it is over; an order whose outcome is unknown is told each time.
"""

from sidecar.clock import Clock
from sidecar.telemetry import events
from sidecar.telemetry.events import Bus
from sidecar.telemetry.news import lifecycle
from sidecar.telemetry.news.calls import CallNews
from sidecar.telemetry.news.channels import ChannelNews
from sidecar.telemetry.news.conditions import ConditionNews
from sidecar.telemetry.news.limits import LimitNews
from sidecar.telemetry.news.operations import operation_changed, unprotected
from sidecar.telemetry.news.orders import OrderNews
from sidecar.telemetry.news.stories import Stories


class NewsLog:
    """Logs what is news.

    `repeat_seconds` is how often at most a condition that goes on, or comes and goes, is summed up.
    """

    def __init__(self, repeat_seconds: float, clock: Clock) -> None:
        self._stories = Stories(repeat_seconds, clock.monotonic)

    def subscribe(self, bus: Bus) -> None:
        """Log what the bus tells from now on."""
        for themes in (CallNews, OrderNews, ConditionNews, LimitNews, ChannelNews):
            themes(self._stories).subscribe(bus)
        bus.subscribe(events.OperationChanged, operation_changed)
        bus.subscribe(events.PositionUnprotected, unprotected)
        bus.subscribe(events.OperationalStateChanged, lifecycle.state_changed)
        bus.subscribe(events.BrokerChecked, lifecycle.checked)
        bus.subscribe(events.SelfChecked, lifecycle.self_checked)
        bus.subscribe(events.Reloaded, lifecycle.reloaded)
        bus.subscribe(events.LastRunTold, lifecycle.last_run)
        bus.subscribe(events.PositionsClosed, lifecycle.positions_closed)
        bus.subscribe(events.Started, lifecycle.started)
        bus.subscribe(events.Stopped, lifecycle.stopped)

    def close(self) -> None:
        """Tell what has been counted and not told yet."""
        for story in self._stories.all():
            story.rest()
