"""The yardstick: the least that an aiohttp proxy can do and still pass bytes on untouched.

It reads each body whole, as the sidecar must, and decides nothing. `python -m bench.passthrough PORT UPSTREAM`.
"""

import asyncio
import sys

import aiohttp
import uvloop
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

_OWN = frozenset({b"host", b"connection", b"content-length", b"transfer-encoding"})


async def serve(port: int, upstream: str) -> None:
    """Pass on every request until cancelled."""
    connector = aiohttp.TCPConnector(limit=100)
    async with aiohttp.ClientSession(
        connector=connector, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
    ) as session:

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            body = await request.read() if request.body_exists else None
            headers = _passed_on(request.raw_headers)
            url = URL(upstream + request.raw_path, encoded=True)
            async with session.request(
                request.method, url, headers=headers, data=body, allow_redirects=False
            ) as answer:
                content = await answer.read()
                return web.Response(status=answer.status, headers=_passed_on(answer.raw_headers), body=content)

        server = web.Server(handle, access_log=None, auto_decompress=False)
        listening = await asyncio.get_running_loop().create_server(server, "127.0.0.1", port, backlog=1024)
        async with listening:
            await listening.serve_forever()


def _passed_on(raw: tuple[tuple[bytes, bytes], ...]) -> CIMultiDict[str]:
    return CIMultiDict((name.decode(), value.decode()) for name, value in raw if name.lower() not in _OWN)


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), sys.argv[2]))
