"""Metrics of the streams that are relayed, and of the sidecar's own."""

from collections.abc import Sequence
from itertools import product

from sidecar.telemetry.events import STREAM_ENDS, Bus, StreamClosed, StreamMessages, StreamOpened
from sidecar.telemetry.metrics.families import AnyFamily, Family, Labels, counter
from sidecar.telemetry.state import BrokerReading, BrokerShape


class StreamMetrics:
    """Streams by broker and name. A stream that opens again after it ended is a reconnect, for the end's reason."""

    def __init__(self, shapes: Sequence[BrokerShape]) -> None:
        by = ("broker", "stream")
        streams = [(shape.name, stream) for shape in shapes for stream in shape.streams]
        self._ended: dict[Labels, str] = {}
        self._open = Family("sidecar_streams_open", "Streams that are relayed or followed now.", by).born(streams)
        self._messages = counter("sidecar_stream_messages_total", "Messages that came.", by).born(streams)
        self._reconnects = counter(
            "sidecar_stream_reconnects_total", "Streams opened again, by why the one before ended.", (*by, "reason")
        ).born((*stream, reason) for stream, reason in product(streams, STREAM_ENDS))
        self._closed = counter(
            "sidecar_stream_closures_total", "Streams that ended or did not come about, by reason.", (*by, "reason")
        ).born((*stream, reason) for stream, reason in product(streams, STREAM_ENDS))
        self._newest = Family("sidecar_stream_last_message_timestamp_seconds", "When the newest message came.", by)

    @property
    def families(self) -> tuple[AnyFamily, ...]:
        """In the order in which they are shown."""
        return self._open, self._messages, self._reconnects, self._closed, self._newest

    def subscribe(self, bus: Bus) -> None:
        """Listen to the streams."""
        bus.subscribe(StreamOpened, self._on_opened)
        bus.subscribe(StreamMessages, self._on_messages)
        bus.subscribe(StreamClosed, self._on_closed)

    def refresh(self, reading: BrokerReading) -> None:
        """Nothing to read: the events tell all."""

    def _on_opened(self, event: StreamOpened) -> None:
        key = (event.broker, event.stream)
        self._open[key].value += 1
        reason = self._ended.pop(key, None)
        if reason is not None:
            self._reconnects[(*key, reason)].value += 1

    def _on_messages(self, event: StreamMessages) -> None:
        key = (event.broker, event.stream)
        self._messages[key].value += event.count
        self._newest[key].value = event.at

    def _on_closed(self, event: StreamClosed) -> None:
        key = (event.broker, event.stream)
        if event.was_open:
            self._open[key].value -= 1
            self._ended[key] = event.reason
        self._closed[(*key, event.reason)].value += 1
