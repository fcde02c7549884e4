"""What is news about what should flow by itself: a broker's streams, and the notifications to people."""

import structlog

from sidecar.telemetry import events
from sidecar.telemetry.events import Bus
from sidecar.telemetry.news.stories import Stories

_log = structlog.get_logger("sidecar")

_LOST = {
    "lost": "the stream was lost",
    "broker_closed": "the broker closed the stream",
    "unopened": "the stream could not be opened",
}


class ChannelNews:
    """Logs streams that are lost and notifications that do not arrive."""

    def __init__(self, stories: Stories) -> None:
        self._stories = stories

    def subscribe(self, bus: Bus) -> None:
        """Log what the bus tells from now on."""
        bus.subscribe(events.StreamClosed, self._stream_closed)
        bus.subscribe(events.StreamOpened, self._stream_opened)
        bus.subscribe(events.NotificationSent, self._notification)

    def _stream_closed(self, event: events.StreamClosed) -> None:
        if event.reason not in _LOST:
            return
        story = self._stories.get(
            ("stream", event.broker, event.stream),
            (event.reason,),
            subject=f"{event.broker} {event.stream}",
            again="the stream does not stay open",
            over="the stream is open again",
            unit="interruption",
            fields={"broker": event.broker, "stream": event.stream, "reason": event.reason},
            say=_log.warning,
        )
        story.happened(_LOST[event.reason])

    def _stream_opened(self, event: events.StreamOpened) -> None:
        self._stories.end("stream", event.broker, event.stream)

    def _notification(self, event: events.NotificationSent) -> None:
        where = ("notification", event.channel)
        if event.result == "sent":
            self._stories.end(*where)
        if event.result != "failed":
            return
        story = self._stories.get(
            where,
            (),
            subject=event.channel,
            again="notifications cannot be delivered",
            over="notifications are delivered again",
            unit="failure",
            fields={"channel": event.channel},
            say=_log.error,
        )
        story.happened(f"a notification could not be delivered: {event.detail}")
