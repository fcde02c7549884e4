import gzip
from pathlib import Path

import pytest

from .support import House, get, house, post


async def test_metrics_are_told_in_the_form_that_was_asked_for(at_home: House) -> None:
    told = await at_home.ask(get("/metrics?x=1", "Accept: application/openmetrics-text"), "scrape")
    assert (told.status, told.body) == (200, b"# EOF\n")
    assert told.header(b"content-type") == b"application/openmetrics-text; version=1.0.0"
    assert at_home.accepts == ["application/openmetrics-text"]


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [("gzip", True), ("deflate, GZIP;q=0.5", True), ("gzip;q=0", False), ("gzip; q=0.0", False), ("deflate", False)],
)
async def test_a_large_page_is_compressed_for_who_accepts_it(tmp_path: Path, accepted: str, packed: bool) -> None:
    page = b"sidecar_calls_total 1\n" * 1000
    async with house(tmp_path, exposition=page) as home:
        told = await home.ask(get("/metrics", f"Accept-Encoding: {accepted}"), "scrape")
    assert (told.header(b"content-encoding") == b"gzip") is packed
    assert (gzip.decompress(told.body) if packed else told.body) == page


@pytest.mark.parametrize(("started", "status"), [(True, 200), (False, 503)])
async def test_startupz_tells_whether_the_start_is_over(at_home: House, started: bool, status: int) -> None:
    at_home.health.started = started
    assert (await at_home.ask(get("/startupz"), "scrape")).status == status


@pytest.mark.parametrize(("ready", "status"), [(True, 200), (False, 503)])
async def test_readyz_tells_whether_calls_are_welcome_and_why_not(at_home: House, ready: bool, status: int) -> None:
    at_home.health.ready = ready, "because"
    told = await at_home.ask(get("/readyz"), "scrape")
    assert (told.status, told.body) == (status, b"because\n")


async def test_livez_depends_on_nothing(at_home: House) -> None:
    at_home.health.started, at_home.health.ready = False, (False, "broken")
    assert (await at_home.ask(get("/livez"), "scrape")).status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
async def test_it_is_read_only(at_home: House, method: str) -> None:
    told = await at_home.ask(get("/metrics", method=method), "scrape")
    assert (told.status, told.header(b"allow")) == (405, b"GET, HEAD")


@pytest.mark.parametrize("target", ["/binance/x", "/v1/status", "/v1/breakers/reset", "/"])
async def test_nothing_here_reaches_a_broker_or_the_control_api(at_home: House, target: str) -> None:
    assert (await at_home.ask(get(target), "scrape")).status == 404
    assert (await at_home.ask(post(target, b'{"reason":"x"}'), "scrape")).status == 405
    assert (at_home.binance.seen, at_home.binance.resets) == ([], [])


async def test_head_is_answered_without_a_body(at_home: House) -> None:
    client = await at_home.connect("scrape")
    told = await client.ask(get("/livez", "Connection: close", method="HEAD"))
    assert (told.status, await client.rest()) == (200, b"")
    await client.hang_up()
