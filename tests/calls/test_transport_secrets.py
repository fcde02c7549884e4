"""Nothing that a failure says, and nothing that is logged about it, holds a piece of the request."""

import asyncio
import gc
import logging

import pytest

from sidecar.wire import Request
from tests.calls.rawserver import Connection, RawServer, Script, answering, ending, ok, opened, silent
from tests.calls.secretive import SECRETS, assert_tells_nothing, failing


async def hanging_up(connection: Connection) -> None:
    await connection.head()
    await connection.reset()


async def echoing(connection: Connection) -> None:
    raw = await connection.request()
    await connection.write(b"HTTP/1.1 2x0 " + raw)
    await connection.gone()


LEAKS: dict[str, Script] = {
    "reset": ending(b"", reset=True),
    "closed": ending(b"", reset=False),
    "half": ending(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", reset=True),
    "echo": echoing,
    "silent": silent,
    "hangs up": hanging_up,
}


@pytest.mark.parametrize("script", LEAKS.values(), ids=LEAKS)
async def test_a_failure_after_sending_tells_nothing_of_the_request(
    script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with RawServer(script) as server, opened(server) as transport:
        assert_tells_nothing(await failing(transport, seconds=0.2))
    gc.collect()  # futures and tasks whose failure nobody asked for are logged when they go
    await asyncio.sleep(0)
    assert not [secret for secret in SECRETS if secret in caplog.text]


async def test_a_failure_before_sending_tells_nothing_of_the_request() -> None:
    async with RawServer(silent) as server:
        pass
    for url in ("http://not-a-host.invalid", f"http://127.0.0.1:{server.port}"):
        async with opened(url) as transport:
            assert_tells_nothing(await failing(transport))


async def test_a_request_that_http_cannot_carry_is_not_told_of_either() -> None:
    request = Request("POST", "/PATH-1122\r\nSIGNATURE-1f2e", ((b"X-MBX-APIKEY", b"KEY-3d4c"),), b"BODY-5b6a")
    not_utf8 = Request("POST", "/PATH-1122", ((b"X-MBX-APIKEY", b"KEY-3d4c\xff"),), b"BODY-5b6a")
    async with RawServer(answering(ok())) as server, opened(server) as transport:
        assert_tells_nothing(await failing(transport, request))
        assert_tells_nothing(await failing(transport, not_utf8))
