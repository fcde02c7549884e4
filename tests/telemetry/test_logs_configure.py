import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from sidecar.telemetry.logs import configure


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, own = list(root.handlers), root.level, logging.getLogger("sidecar").level
    yield
    structlog.reset_defaults()
    root.handlers, root.level = handlers, level
    logging.getLogger("sidecar").setLevel(own)


Captured = pytest.CaptureFixture[str]


def lines(capsys: Captured) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_without_a_terminal_a_line_is_json(capsys: Captured) -> None:
    configure("info", "auto")
    structlog.get_logger("sidecar").warning("The breaker opened", broker="binance", count=3)
    (line,) = lines(capsys)
    assert line.pop("ts").endswith("Z")
    assert line == {
        "event": "The breaker opened",
        "level": "warning",
        "logger": "sidecar",
        "broker": "binance",
        "count": 3,
    }


def test_on_a_terminal_a_line_is_for_a_person(capsys: Captured) -> None:
    configure("info", "console")
    structlog.get_logger("sidecar.audit").warning("Ready", broker="binance")
    text = capsys.readouterr().err
    assert "Ready" in text
    assert "broker=binance" in text
    assert not text.startswith("{")


def test_lines_below_the_level_are_left_out(capsys: Captured) -> None:
    configure("warning", "json")
    structlog.get_logger("sidecar").info("quiet")
    structlog.get_logger("sidecar.audit").error("loud")
    assert [line["event"] for line in lines(capsys)] == ["loud"]


def test_libraries_are_heard_from_warning_on_and_in_the_same_form(capsys: Captured) -> None:
    configure("debug", "json")
    logging.getLogger("aiohttp.access").info("GET /")
    logging.getLogger("grpc").warning("Export of %d spans failed", 3)
    (line,) = lines(capsys)
    assert (line["event"], line["level"], line["logger"]) == ("Export of 3 spans failed", "warning", "grpc")


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_query_and_no_secret_of_a_library_gets_through(capsys: Captured, form: Any) -> None:
    configure("info", form)
    log = logging.getLogger("aiohttp.server")
    url, key = "https://host/fapi/v1/order?symbol=BTC&signature=hunter2", "hunter3"
    failure = ValueError(f"cannot connect to {url}\nX-API-Key: {key}")
    log.error("Error handling /x?a=hunter4 with %s", {"X-MBX-APIKEY": "hunter5"}, exc_info=failure)
    structlog.get_logger("sidecar").warning("x", url="/y?z=hunter6", token="hunter7", deep={"secret": "hunter8"})
    text = capsys.readouterr().err
    assert "ValueError" in text
    assert "/fapi/v1/order" in text
    assert "hunter" not in text


def test_a_long_text_is_kept_up_to_a_thousand_characters(capsys: Captured) -> None:
    configure("info", "json")
    structlog.get_logger("sidecar").warning("word " * 100, detail="x" * 5000)
    (line,) = lines(capsys)
    assert line["event"] == "word " * 100
    assert len(line["detail"]) == 1024


def test_a_line_cannot_steer_the_terminal(capsys: Captured) -> None:
    configure("info", "console")
    structlog.get_logger("sidecar").warning("broker says \x1b[2J\nfake line", why="\x9b\r")
    text = capsys.readouterr().err
    assert len(text.splitlines()) == 1
    assert "\x1b" not in text


def test_configuring_again_does_not_double_the_lines(capsys: Captured) -> None:
    configure("info", "json")
    configure("info", "json")
    structlog.get_logger("sidecar").warning("once")
    assert len(lines(capsys)) == 1
