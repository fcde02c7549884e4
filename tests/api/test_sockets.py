import fcntl
import os
import socket
import stat
from pathlib import Path

import pytest

from sidecar.api.errors import ListenError, NotLoopbackError, SocketInUseError, TokenError
from sidecar.api.sockets import bind_tcp, bind_unix, require_loopback, split_address
from sidecar.telemetry.events import CallRefused

from .support import EVERYWHERE, HandClock, get, house


@pytest.mark.parametrize("mode", ["0600", "0660", "0666"])
async def test_the_socket_file_has_exactly_the_configured_mode(tmp_path: Path, mode: str) -> None:
    async with house(tmp_path, unix_mode=mode) as home:
        assert stat.S_IMODE(home.socket.stat().st_mode) == int(mode, 8)


async def test_the_socket_file_is_gone_after_the_stop(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        pass
    assert not home.socket.exists()


async def test_a_dead_processs_socket_file_is_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "s"))
        dead.listen()
    assert (tmp_path / "s").exists()
    async with house(tmp_path) as home:
        assert (await home.ask(get("/binance/x"))).status == 200


async def test_a_living_processs_socket_is_left_alone(tmp_path: Path) -> None:
    async with house(tmp_path) as first:
        with pytest.raises(SocketInUseError, match="already listens"):
            await bind_unix(first.socket, 0o660, HandClock())
        assert (await first.ask(get("/binance/x"))).status == 200


async def test_a_living_processs_socket_with_a_full_queue_counts_as_living(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as waiting:
        busy.bind(str(path))
        busy.listen(0)
        waiting.connect(str(path))
        with pytest.raises(SocketInUseError):
            await bind_unix(path, 0o660, HandClock())


async def test_a_file_that_is_no_socket_is_never_removed(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("precious")
    with pytest.raises(ListenError, match="is not a socket"):
        await bind_unix(tmp_path / "s", 0o660, HandClock())
    assert (tmp_path / "s").read_text() == "precious"


async def test_a_socket_that_another_process_has_put_there_since_is_not_removed(tmp_path: Path) -> None:
    mine = await bind_unix(tmp_path / "s", 0o660, HandClock())
    (tmp_path / "s").rename(tmp_path / "moved")
    theirs = await bind_unix(tmp_path / "s", 0o660, HandClock())
    mine.remove()
    assert (tmp_path / "s").exists()
    theirs.remove()
    assert not (tmp_path / "s").exists()
    mine.socket.close()
    theirs.socket.close()


@pytest.mark.parametrize(
    ("path", "words"), [("missing/s", "no such file or directory"), ("x" * 120, "at most 107 bytes")]
)
async def test_an_unusable_path_is_named_with_the_reason(tmp_path: Path, path: str, words: str) -> None:
    with pytest.raises(ListenError, match=words):
        await bind_unix(tmp_path / path, 0o660, HandClock())


async def test_a_directory_that_stays_locked_is_reported_instead_of_waited_for(tmp_path: Path) -> None:
    handle = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(ListenError, match="locked"):
            await bind_unix(tmp_path / "s", 0o660, HandClock())
    finally:
        os.close(handle)


async def test_the_user_at_the_other_end_is_read_from_the_system(tmp_path: Path) -> None:
    async with house(tmp_path, allowed_uids=(os.getuid(),)) as home:
        assert (await home.ask(get("/binance/x"))).status == 200


async def test_a_user_who_is_not_allowed_is_refused_on_the_socket(tmp_path: Path) -> None:
    async with house(tmp_path, allowed_uids=(os.getuid() + 1,)) as home:
        told = await home.ask(get("/binance/x"))
        assert (told.status, home.binance.seen) == (403, [])
        assert home.refusals == [CallRefused("binance", "peer", "unix")]
        assert (await home.ask(get("/v1/status"))).status == 403


@pytest.mark.parametrize("host", [EVERYWHERE, "192.0.2.1", "::", "2001:db8::1"])
def test_an_address_that_others_can_reach_needs_the_loudly_named_key(host: str) -> None:
    with pytest.raises(NotLoopbackError, match=r"listen\.allow_orders_from_the_network"):
        require_loopback(host, forced=False)
    require_loopback(host, forced=True)


@pytest.mark.parametrize(
    ("address", "host"), [("127.0.0.1:1", "127.0.0.1"), ("[::1]:1", "::1"), ("localhost:1", "127.0.0.1")]
)
def test_loopback_addresses_need_nothing(address: str, host: str) -> None:
    assert split_address(address, key="listen.tcp") == (host, 1)
    require_loopback(host, forced=False)


async def test_nothing_stays_open_when_a_listener_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(NotLoopbackError):
        async with house(tmp_path, tcp=f"{EVERYWHERE}:0"):
            pass
    with bind_tcp("127.0.0.1", 0, key="test") as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ListenError, match=f"listen.tcp: cannot listen on 127.0.0.1 port {port}: address already"):
            async with house(tmp_path, tcp=f"127.0.0.1:{port}"):
                pass
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("content", [b"", b" \n", b"two words"])
async def test_a_token_file_without_a_usable_token_stops_the_start(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "token").write_bytes(content)
    with pytest.raises(TokenError, match="one token"):
        async with house(tmp_path, token_file=tmp_path / "token"):
            pass


async def test_a_missing_token_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TokenError, match=r"missing: no such file"):
        async with house(tmp_path, token_file=tmp_path / "missing"):
            pass


async def test_both_listeners_are_optional(tmp_path: Path) -> None:
    async with house(tmp_path, unix=None, tcp=None) as home:
        assert home.api.tcp_address is None
        assert (await home.ask(get("/livez"), "scrape")).status == 200
