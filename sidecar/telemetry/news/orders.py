"""What is news about carried orders: those that do not arrive."""

import structlog

from sidecar.telemetry import events
from sidecar.telemetry.events import Bus
from sidecar.telemetry.news.stories import Stories
from sidecar.words import OrderState

_log = structlog.get_logger("sidecar")

_ARRIVED = {OrderState.WORKING, OrderState.FILLED}


class OrderNews:
    """Logs orders that are given up, expire or are not taken."""

    def __init__(self, stories: Stories) -> None:
        self._stories = stories

    def subscribe(self, bus: Bus) -> None:
        """Log what the bus tells from now on."""
        bus.subscribe(events.OrderStateChanged, self._order)
        bus.subscribe(events.OrderRefused, self._order_refused)
        bus.subscribe(events.OrdersRecovering, _recovering)

    def _order(self, event: events.OrderStateChanged) -> None:
        if event.to_state is OrderState.DEAD:
            _dead(event)
        elif event.to_state is OrderState.EXPIRED:
            self._order_lost(event.broker, "orders expired before they could be sent", event.reason, order=event.order)
        elif event.to_state in _ARRIVED:
            self._stories.end("orders", event.broker)

    def _order_refused(self, event: events.OrderRefused) -> None:
        self._order_lost(
            event.broker, f"orders are not taken: {event.reason}", f"an order was not taken: {event.reason}"
        )

    def _order_lost(self, broker: str, again: str, sentence: str, **details: str) -> None:
        story = self._stories.get(
            ("orders", broker),
            (again,),
            subject=f"{broker} orders",
            again=again,
            over="orders go through again",
            unit="order",
            fields={"broker": broker},
            say=_log.warning,
        )
        story.happened(sentence, **details)


def _dead(event: events.OrderStateChanged) -> None:
    _log.error(
        f"{event.broker}: {event.kind} {event.order} is given up: {event.reason}",
        broker=event.broker,
        order=event.order,
        client_id=event.client_id,
        instrument=event.instrument,
        may_have_been_executed=event.may_have_been_executed,
    )


def _recovering(event: events.OrdersRecovering) -> None:
    done = event.total - event.left
    what = f"{done} of {event.total} orders that the last run left in doubt have been looked up"
    (_log.info if event.left == 0 else _log.warning)(
        f"{event.broker}: {what}", broker=event.broker, left=event.left, total=event.total
    )
