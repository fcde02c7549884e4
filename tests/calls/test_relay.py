"""A stream is passed on as it comes, and its end is told with the reason."""

from collections.abc import AsyncIterator

import pytest

from sidecar.calls.relay import relay
from sidecar.calls.transport import MaybeSent
from sidecar.clock import SystemClock
from sidecar.telemetry.events import Bus, StreamClosed, StreamMessages, StreamOpened


class Stream:
    """Two chunks with three lines, then an end of choice."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.closed = False

    async def chunks(self) -> AsyncIterator[bytes]:
        try:
            yield b'{"a":1}\n{"b":'
            yield b"2}\n\n"
            if self.failure is not None:
                raise self.failure
        finally:
            self.closed = True


class Listening:
    def __init__(self) -> None:
        self.opened: list[StreamOpened] = []
        self.messages: list[StreamMessages] = []
        self.closed: list[StreamClosed] = []
        self.bus = Bus(SystemClock())
        self.bus.subscribe(StreamOpened, self.opened.append)
        self.bus.subscribe(StreamMessages, self.messages.append)
        self.bus.subscribe(StreamClosed, self.closed.append)
        self.stopping = False

    def relay(self, stream: Stream) -> AsyncIterator[bytes]:
        return relay(
            stream.chunks(),
            broker="oanda",
            stream="prices",
            bus=self.bus,
            clock=SystemClock(),
            stopping=lambda: self.stopping,
        )


async def test_bytes_pass_untouched_and_lines_are_counted() -> None:
    listening = Listening()
    passed = [chunk async for chunk in listening.relay(Stream())]
    assert passed == [b'{"a":1}\n{"b":', b"2}\n\n"]
    assert sum(message.count for message in listening.messages) == 3
    assert [closed.reason for closed in listening.closed] == ["broker_closed"]


async def test_a_stream_that_breaks_is_told_as_lost() -> None:
    listening = Listening()
    with pytest.raises(MaybeSent):
        _ = [chunk async for chunk in listening.relay(Stream(MaybeSent("timeout", "SocketTimeoutError")))]
    assert [closed.reason for closed in listening.closed] == ["lost"]


@pytest.mark.parametrize(("stopping", "reason"), [(False, "bot_left"), (True, "shutdown")])
async def test_when_nobody_reads_on_the_brokers_stream_is_closed(stopping: bool, reason: str) -> None:
    listening, stream = Listening(), Stream()
    listening.stopping = stopping
    relayed = listening.relay(stream)
    await anext(relayed)
    await relayed.aclose()  # type: ignore[attr-defined] # it is an async generator
    assert stream.closed
    assert [closed.reason for closed in listening.closed] == [reason]
    assert len(listening.opened) == 1
