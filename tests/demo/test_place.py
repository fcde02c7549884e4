"""The demo works in a folder of its own, and touches nobody else's."""

import socket
from pathlib import Path

import pytest

from sidecar.config.load import load
from sidecar.demo.errors import DemoError, PlaceError
from sidecar.demo.place import Place, free_port
from sidecar.demo.troupe import require_clients

ADDRESSES = {
    "tcp": "127.0.0.1:8787",
    "scrape": "127.0.0.1:9464",
    "binance": "http://127.0.0.1:9001",
    "oanda": "http://127.0.0.1:9002",
}


def test_the_configuration_that_it_writes_is_valid_wherever_it_lies(tmp_path: Path) -> None:
    place = Place(tmp_path / 'my "demo": #1')
    with place.taken():
        place.write(**ADDRESSES)
        config = load(place.config, {})
    assert (config.listen.unix, config.audit.directory, config.telemetry.file) == (
        place.socket,
        place.audit,
        place.traces,
    )
    assert config.brokers["oanda"].breaker == config.brokers["binance"].breaker
    assert config.brokers["oanda"].breaker.recovery_seconds == 3


def test_what_an_earlier_demo_left_is_removed(tmp_path: Path) -> None:
    place = Place(tmp_path / "demo")
    with place.taken():
        place.write(**ADDRESSES)
        place.audit.mkdir()
        (place.audit / "audit.jsonl").write_text("old")
        place.traces.write_text("old")
        place.log("sidecar").write_text("old")
    with place.taken():
        assert [path.name for path in place.folder.iterdir()] == ["lock"]


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "audit").mkdir()
    (tmp_path / "audit" / "precious").touch()
    with pytest.raises(PlaceError, match="holds something else"), Place(tmp_path).taken():
        pytest.fail("it was taken")
    assert (tmp_path / "audit" / "precious").exists()


def test_a_configuration_that_it_has_not_written_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    (tmp_path / "sidecar.yaml").write_text("bot: mine")
    with pytest.raises(PlaceError, match="not the demo's own"), Place(tmp_path).taken():
        pytest.fail("it was taken")


def test_two_demos_do_not_share_a_folder(tmp_path: Path) -> None:
    with (
        Place(tmp_path / "demo").taken(),
        pytest.raises(PlaceError, match="another demo runs"),
        Place(tmp_path / "demo").taken(),
    ):
        pytest.fail("it was taken twice")


def test_a_port_that_is_taken_is_replaced_by_a_free_one() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port(port) not in {port, 0}


def test_a_missing_client_library_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sidecar.demo.troupe.find_spec", lambda name: None if name in {"ccxt", "six"} else object())
    with pytest.raises(DemoError, match=r"needs ccxt, six, which are not installed; do: pip install '.*\[demo\]'"):
        require_clients()
