"""A stream's bytes as lines."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final

from sidecar.calls.transport import MaybeSent

LONGEST_LINE_BYTES: Final = 1024 * 1024
"""No broker's message is so long; more is not kept in memory."""


async def lines(chunks: AsyncIterator[bytes], silence_seconds: float | None) -> AsyncGenerator[list[bytes]]:
    """The lines that each piece completes, without empty ones, until the stream ends.

    Raises TimeoutError after `silence_seconds` without a byte (None for never), TransportError when the stream breaks.
    """
    rest = b""
    while True:
        try:
            async with asyncio.timeout(silence_seconds):
                chunk = await anext(chunks)
        except StopAsyncIteration:
            return
        *whole, rest = (rest + chunk).split(b"\n")
        if len(rest) > LONGEST_LINE_BYTES:
            raise MaybeSent("bad_answer", "LineTooLong")
        yield [line for line in whole if line.strip()]


async def close(chunks: AsyncIterator[bytes]) -> None:
    """Close a stream, and with it its connection."""
    if (aclose := getattr(chunks, "aclose", None)) is not None:
        await aclose()
