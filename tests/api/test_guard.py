from pathlib import Path

import pytest

from sidecar.api.guard import Guard, Hosts
from sidecar.telemetry.events import CallRefused

from .support import EVERYWHERE, House, get, house, post


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:8787", "[::1]", "[::1]:8787"])
async def test_loopback_is_known_by_its_names_with_any_port(at_home: House, host: str) -> None:
    assert (await at_home.ask(get("/binance/x", host=host), "tcp")).status == 200


@pytest.mark.parametrize(
    "host",
    ["evil.test", "127.0.0.1.evil.test", "localhost.", "localhost.evil.test:8787", "", "127.0.0.1:80@evil", EVERYWHERE],
)
async def test_a_name_that_someone_pointed_at_loopback_is_refused(at_home: House, host: str) -> None:
    told = await at_home.ask(post("/binance/x", b"quantity=1", host=host), "tcp")
    assert (told.status, at_home.binance.seen) == (403, [])
    assert at_home.refusals == [CallRefused("binance", "foreign_host", "tcp")]


@pytest.mark.parametrize(
    "header", ["Origin: null", "oRIGIN: http://localhost", "Sec-Fetch-Site: same-origin", "sec-fetch-mode: cors"]
)
@pytest.mark.parametrize("target", ["/binance/x", "/v1/status"])
async def test_a_web_page_is_refused(at_home: House, header: str, target: str) -> None:
    told = await at_home.ask(get(target, header), "tcp")
    assert (told.status, at_home.binance.seen) == (403, [])
    assert [refusal.reason for refusal in at_home.refusals] == ["browser"]


async def test_on_the_unix_socket_which_no_page_can_reach_host_and_origin_say_nothing(at_home: House) -> None:
    assert (await at_home.ask(get("/binance/x", "Origin: a", host="anything"))).status == 200
    assert at_home.binance.seen[0].request.headers == ((b"Origin", b"a"),)


async def test_http_1_0_without_a_host_is_refused_on_tcp(at_home: House) -> None:
    assert (await at_home.ask(b"GET /binance/x HTTP/1.0\r\n\r\n", "tcp")).status == 403


@pytest.mark.parametrize(
    ("bound", "host", "known"),
    [
        ("192.0.2.7", b"192.0.2.7:8787", True),
        ("192.0.2.7", b"192.0.2.8:8787", False),
        ("192.0.2.7", b"sidecar:8787", False),
        ("2001:db8::1", b"[2001:DB8::1]:8787", True),
        (EVERYWHERE, b"192.0.2.8:8787", True),
        (EVERYWHERE, b"sidecar:8787", True),
        ("::", b"[2001:db8::1]", True),
        (EVERYWHERE, b"evil.test:8787", False),
        (EVERYWHERE, b"", False),
    ],
)
def test_a_forced_address_is_known_by_itself_and_never_by_a_name_that_can_be_registered(
    bound: str, host: bytes, known: bool
) -> None:
    assert Hosts(bound).known(host) is known


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text("s3cret-token\n")
    return file


@pytest.mark.parametrize("listener", ["unix", "tcp"])
@pytest.mark.parametrize("header", ["X: 1", "Proxy-Authorization: Bearer wrong", "Authorization: Bearer s3cret-token"])
async def test_a_call_without_the_token_is_refused_in_the_brokers_envelope(
    tmp_path: Path, token_file: Path, listener: str, header: str
) -> None:
    async with house(tmp_path, token_file=token_file) as home:
        told = await home.ask(get("/binance/x", header), listener)
        assert (told.status, told.header(b"proxy-authenticate")) == (407, b'Bearer realm="sidecar"')
        assert told.body.startswith(b'{"code":-1000')
        assert b"s3cret" not in told.head + told.body
        assert (home.binance.seen, [refusal.reason for refusal in home.refusals]) == ([], ["token"])


@pytest.mark.parametrize("listener", ["unix", "tcp"])
async def test_a_call_with_the_token_passes_and_the_token_stays_here(
    tmp_path: Path, token_file: Path, listener: str
) -> None:
    async with house(tmp_path, token_file=token_file) as home:
        headers = ("proxy-authorization: bearer s3cret-token", "Authorization: Bearer brokers")
        assert (await home.ask(get("/binance/x", *headers), listener)).status == 200
        assert home.binance.seen[0].request.headers == ((b"Authorization", b"Bearer brokers"),)


@pytest.mark.parametrize("name", ["Authorization", "Proxy-Authorization"])
async def test_the_control_api_takes_the_token_in_either_header(tmp_path: Path, token_file: Path, name: str) -> None:
    async with house(tmp_path, token_file=token_file) as home:
        assert (await home.ask(get("/v1/status", f"{name}: Bearer s3cret-token"))).status == 200


async def test_the_control_api_challenges_who_shows_no_token(tmp_path: Path, token_file: Path) -> None:
    async with house(tmp_path, token_file=token_file) as home:
        told = await home.ask(post("/v1/breakers/reset", b'{"reason":"x"}', "Authorization: Basic s3cret-token"))
        assert (told.status, told.header(b"www-authenticate")) == (401, b'Bearer realm="sidecar"')
        assert home.binance.resets == []


async def test_the_scrape_listener_needs_no_token(tmp_path: Path, token_file: Path) -> None:
    async with house(tmp_path, token_file=token_file) as home:
        assert (await home.ask(get("/metrics"), "scrape")).status == 200


@pytest.mark.parametrize(("uid", "reason"), [(1000, None), (1001, "peer"), (None, "peer")])
def test_only_the_allowed_users_may_call_through_the_unix_socket(uid: int | None, reason: str | None) -> None:
    denial = Guard(Hosts("127.0.0.1"), token=None, uids=(1000,)).check("unix", uid, {})
    assert (None if denial is None else denial.reason) == reason
