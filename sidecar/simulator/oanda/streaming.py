"""Streams: one JSON object a line, for as long as the client listens."""

from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

from aiohttp import web

from sidecar.clock import SystemClock
from sidecar.simulator.faults import is_silent
from sidecar.simulator.oanda.calls import Call, style
from sidecar.simulator.oanda.limits import Limits
from sidecar.simulator.oanda.stamps import Json, dumps

HEARTBEAT_SECONDS = 5.0
"""Both streams send a heartbeat this often (https://developer.oanda.com/rest-live-v20/pricing-ep/)."""


async def deliver(call: Call, limits: Limits, events: AsyncGenerator[Json]) -> web.StreamResponse:
    """Send events until the client goes; `RefusedError` when its address has too many streams already."""
    request = call.request
    headers = {"RequestID": call.request_id, "Content-Type": "application/octet-stream"}
    response = web.StreamResponse(headers=headers)
    with limits.stream(request.remote or ""):
        await response.prepare(request)
        # A client that goes is how streams end.
        with suppress(ConnectionError):
            async with aclosing(events):
                async for event in events:
                    if not is_silent(request, SystemClock()):
                        await response.write(dumps(event, style(request)) + b"\n")
    return response
