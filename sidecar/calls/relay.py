"""A stream on its way to the bot: passed on as it comes, counted, and its end told with the reason."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable

from sidecar.calls.transport import TransportError
from sidecar.clock import Clock
from sidecar.telemetry.events import Bus, StreamClosed, StreamMessages, StreamOpened


async def relay(
    chunks: AsyncIterator[bytes], *, broker: str, stream: str, bus: Bus, clock: Clock, stopping: Callable[[], bool]
) -> AsyncGenerator[bytes, None]:
    """Pass the broker's bytes on; a message is a line. `stopping` tells whether the sidecar is about to end.

    A stream that the broker breaks off ends for the bot as well: the reason is in `StreamClosed`.
    """
    bus.emit(StreamOpened(broker, stream))
    reason = "broker_closed"
    try:
        async for chunk in chunks:
            if lines := chunk.count(b"\n"):
                bus.emit(StreamMessages(broker, stream, lines, clock.now()))
            yield chunk
    except TransportError:
        reason = "lost"
        raise
    except BaseException:  # the generator is closed, or its task cancelled: nobody reads on
        reason = "shutdown" if stopping() else "bot_left"
        raise
    finally:
        if isinstance(chunks, AsyncGenerator):
            await chunks.aclose()
        bus.emit(StreamClosed(broker, stream, reason))
