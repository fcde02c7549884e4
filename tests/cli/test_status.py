"""`sidecar status` asks a running sidecar, and says clearly when there is none."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sidecar.cli import main
from tests.api.support import House, house
from tests.config.support import BINANCE, written

TOKEN = "made-up-token"


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as made:
        yield made


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[House]:
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "token").chmod(0o600)
    async with house(tmp_path, token_file=tmp_path / "token") as made:
        yield made


async def status(*arguments: str) -> int:
    return await asyncio.to_thread(main, ["status", *arguments])


def url(running: House) -> str:
    host, port = running.api.tcp_address or ("", 0)
    return f"http://{host}:{port}"


async def test_over_the_unix_socket(running: House, capsys: pytest.CaptureFixture[str]) -> None:
    assert await status("--socket", str(running.socket)) == 0

    shown = capsys.readouterr().out
    assert shown.startswith("tester: ready; up 0 s; 6 calls in flight; version ")
    assert "no: rate limited" in shown


async def test_over_tcp(running: House, capsys: pytest.CaptureFixture[str]) -> None:
    assert await status("--url", url(running)) == 0
    assert capsys.readouterr().out.startswith("tester: ready")


async def test_at_the_place_that_a_configuration_names(
    running: House, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    by_socket = written(tmp_path, f"listen: {{unix: {running.socket}}}\n{BINANCE}")
    assert await status("--config", str(by_socket)) == 0

    by_tcp = written(tmp_path, f"listen: {{tcp: '{url(running).removeprefix('http://')}'}}\n{BINANCE}")
    assert await status("--config", str(by_tcp)) == 0

    assert capsys.readouterr().out.count("tester: ready") == 2


async def test_as_json(running: House, capsys: pytest.CaptureFixture[str]) -> None:
    assert await status("--socket", str(running.socket), "--json") == 0

    told = json.loads(capsys.readouterr().out)
    assert (told["bot"], told["state"]) == ("tester", "ready")
    assert [broker["name"] for broker in told["brokers"]] == ["binance", "oanda"]
    assert told["brokers"][0]["gate"] == {"shut": True, "outcome": "rate_limited", "until": 9.0}


async def test_one_that_is_not_ready_is_status_3(running: House, capsys: pytest.CaptureFixture[str]) -> None:
    running.health.ready = (False, "reconciling")

    assert await status("--socket", str(running.socket)) == 3
    assert capsys.readouterr().out.startswith("tester: not ready (reconciling)")


async def test_a_token_is_shown_where_it_is_wanted(
    guarded: House, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path, f"listen: {{unix: {guarded.socket}, token_file: {tmp_path}/token}}\n{BINANCE}")

    assert await status("--config", str(file)) == 0
    assert await status("--socket", str(guarded.socket), "--token-file", str(tmp_path / "token")) == 0
    shown = capsys.readouterr()
    assert TOKEN not in shown.out + shown.err


async def test_a_missing_token_is_told(guarded: House, capsys: pytest.CaptureFixture[str]) -> None:
    assert await status("--socket", str(guarded.socket)) == 1

    assert capsys.readouterr().err == (
        f"sidecar status: {guarded.socket} wants its token; give --config, or --token-file FILE\n"
    )


async def test_a_token_file_that_cannot_be_read_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await status("--token-file", str(tmp_path / "none")) == 2
    assert capsys.readouterr().err == "--token-file names a file that does not exist\n"


async def test_where_nothing_listens_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await status("--socket", str(tmp_path / "none")) == 1

    told = capsys.readouterr().err
    assert told.startswith(f"sidecar status: nothing listens at {tmp_path}/none; start it with sidecar run")
    assert "--socket or --url" in told


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "answered 404 to /v1/status; is it a sidecar's"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "answered something that no sidecar of this version says"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", "answered something that no sidecar"),
        (b"220 mail.example.com\r\n", "it does not speak HTTP"),
        (b"", "it does not speak HTTP"),
    ],
)
async def test_something_else_that_listens_there_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], answer: bytes, told: str
) -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_unix_server(speak, tmp_path / "s"):
        assert await status("--socket", str(tmp_path / "s")) == 1

    error = capsys.readouterr().err
    assert error.startswith("sidecar status: ")
    assert told in error


def test_a_wrong_configuration_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path, "bot: a\n")

    assert main(["status", "--config", str(file)]) == 2
    assert f"{file}:1: brokers" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["127.0.0.1:8787", "ftp://x", "http://user:hunter2@x"])
def test_a_url_that_cannot_be_one_is_refused(capsys: pytest.CaptureFixture[str], text: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["status", "--url", text])

    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert "give one such as http://127.0.0.1:8787" in told
    assert "hunter2" not in told
