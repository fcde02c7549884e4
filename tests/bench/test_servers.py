"""The yardstick passes bytes on, the sidecar's configuration is valid, and the policy's cost can be told."""

import asyncio
from pathlib import Path

import aiohttp
from aiohttp import web
from yarl import URL

from bench import passthrough, policy
from bench.contest import Ports, sidecar_settings
from bench.process import free_port
from sidecar.config.model import Config

TARGET = "/fapi/v1/order?a=%2F%3A&b=x+y"


async def connectable(port: int) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0)
            else:
                writer.close()
                return await writer.wait_closed()


async def test_the_bare_pass_through_touches_neither_target_nor_body() -> None:
    seen: list[tuple[str, bytes]] = []

    async def broker(request: web.BaseRequest) -> web.StreamResponse:
        seen.append((request.raw_path, await request.read()))
        return web.Response(body=b"fine", headers={"X-MBX-USED-WEIGHT-1M": "12"})

    upstream, port = free_port(), free_port()
    server = web.Server(broker)
    listening = await asyncio.get_running_loop().create_server(server, "127.0.0.1", upstream)
    serving = asyncio.create_task(passthrough.serve(port, f"http://127.0.0.1:{upstream}"))
    try:
        await connectable(port)
        url = URL(f"http://127.0.0.1:{port}{TARGET}", encoded=True)
        async with aiohttp.ClientSession() as bot, bot.post(url, data=b"side=BUY") as answer:
            assert (await answer.read(), answer.headers["X-MBX-USED-WEIGHT-1M"]) == (b"fine", "12")
    finally:
        serving.cancel()
        await asyncio.wait([serving])
        listening.close()
        await server.shutdown(0)
    assert seen == [(TARGET, b"side=BUY")]


def test_the_measured_sidecar_is_configured_with_everything_on(tmp_path: Path) -> None:
    config = Config.model_validate(sidecar_settings(tmp_path, "traced", Ports(1, 2, 3), 1.0))
    assert config.telemetry.otlp.endpoint
    assert config.telemetry.sample_ratio == 1
    assert config.listen.unix
    assert config.listen.tcp


def test_every_part_of_the_policy_has_its_cost(tmp_path: Path) -> None:
    read, order = policy.costs(tmp_path, calls=2)
    assert {"understand", "breaker", "limiter", "classify", "readings", "settle", *policy.LISTENERS} <= set(read.parts)
    assert "order facts" in order.parts
    assert min(read.whole, order.whole) > 0
