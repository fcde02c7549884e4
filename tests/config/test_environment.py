"""The environment sets any key, wins over the file, and its mistakes are told by the variable's name."""

from pathlib import Path

import pytest

from sidecar.config.model import Config
from tests.config.support import BINANCE, accepted, problems_of

TWO = BINANCE + "  binance-test:\n    profile: binance-usdm\n    base_url: https://testnet.binancefuture.com\n"


def config(folder: Path, environ: dict[str, str], text: str = BINANCE) -> Config:
    return accepted(folder, text, environ).config


def test_a_variable_wins_over_the_file(tmp_path: Path) -> None:
    text = f"{BINANCE}    retry: {{attempts: 2}}\n"

    settings = config(tmp_path, {"SIDECAR_BROKERS__BINANCE__RETRY__ATTEMPTS": "3"}, text)

    assert settings.brokers["binance"].retry.attempts == 3


def test_a_variable_sets_what_the_file_does_not_mention(tmp_path: Path) -> None:
    environ = {"SIDECAR_LOG__LEVEL": "debug", "SIDECAR_BROKERS__BINANCE__LIMITS__WINDOWS__WEIGHT_1M__CAPACITY": "1200"}

    settings = config(tmp_path, environ)

    assert settings.log.level == "debug"
    assert settings.brokers["binance"].limits.windows["weight_1m"].capacity == 1200


def test_a_brokers_dashes_are_underscores(tmp_path: Path) -> None:
    environ = {"SIDECAR_BROKERS__BINANCE_TEST__DEADLINE_SECONDS": "4"}

    brokers = config(tmp_path, environ, TWO).brokers

    assert (brokers["binance"].deadline_seconds, brokers["binance-test"].deadline_seconds) == (9, 4)


def test_a_whole_broker_can_come_from_the_environment(tmp_path: Path) -> None:
    environ = {
        "SIDECAR_BROKERS__OANDA_LIVE__PROFILE": "oanda",
        "SIDECAR_BROKERS__OANDA_LIVE__BASE_URL": "https://api-fxtrade.oanda.com",
    }

    assert config(tmp_path, environ).brokers["oanda-live"].profile == "oanda"


@pytest.mark.parametrize(
    ("variable", "text", "key", "value"),
    [
        ("BOT", "0660", "bot", "0660"),
        ("BOT", "'quoted'", "bot", "quoted"),
        ("BOT", "no", "bot", "no"),
        ("LISTEN__UNIX_MODE", "0600", "unix_mode", "0600"),
        ("LISTEN__TCP", "null", "tcp", None),
        ("LISTEN__ALLOWED_UIDS", "[1000, 1001]", "allowed_uids", (1000, 1001)),
        ("LISTEN__MAX_REQUEST_BYTES", "10_000", "max_request_bytes", 10_000),
    ],
)
def test_a_value_is_read_as_yaml_unless_text_is_wanted(
    tmp_path: Path, variable: str, text: str, key: str, value: object
) -> None:
    environ = {f"SIDECAR_{variable}": text, "SIDECAR_LISTEN__UNIX": str(tmp_path / "s.sock")}

    settings = config(tmp_path, environ)

    assert getattr(settings if key == "bot" else settings.listen, key) == value


@pytest.mark.parametrize(
    ("variable", "value", "wrong", "right"),
    [
        ("SIDECAR_BOTT", "x", "sets no key that exists", "SIDECAR_BOT; or unset it"),
        ("SIDECAR_", "x", "sets no key that exists", "SIDECAR_BOT, SIDECAR_LISTEN__..., SIDECAR_SCRAPE__..."),
        ("SIDECAR_LISTEN__TPC", "x", "sets no key that exists", "SIDECAR_LISTEN__TCP; or unset it"),
        ("SIDECAR_BOT__X", "x", "bot is a value and has no keys", "SIDECAR_BOT"),
        ("SIDECAR_LOG", "x", "log is a section, not a value", "one variable a key, such as SIDECAR_LOG__LEVEL"),
        ("SIDECAR_BROKERS__BINANCE", "x", "brokers.binance is a section", "such as SIDECAR_BROKERS__BINANCE__PROFILE"),
        ("SIDECAR_bot", "x", "is not in capitals", "SIDECAR_BOT"),
        (
            "SIDECAR_AUDIT__RETENTION_DAYS",
            "{a: 1}",
            "the value is neither a value nor a list of values",
            "a whole number",
        ),
        ("SIDECAR_AUDIT__RETENTION_DAYS", "[", "the value is no YAML value", "a whole number of days of at least 1"),
        ("SIDECAR_BOT", "a\udcffb", "the value holds a character that cannot be seen", "1 to 63 letters"),
    ],
)
def test_a_variable_that_sets_nothing_is_an_error_that_names_it(
    tmp_path: Path, variable: str, value: str, wrong: str, right: str
) -> None:
    (problem,) = problems_of(tmp_path, BINANCE, {variable: value})

    assert (problem.place, problem.key, problem.value) == (f"environment variable {variable}", "", "")
    assert problem.wrong.startswith(wrong)
    assert right in problem.right


def test_a_wrong_value_is_told_with_the_variable_and_the_key(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path, BINANCE, {"SIDECAR_BROKERS__BINANCE__RETRY__ATTEMPTS": "0"})

    assert str(problem).splitlines()[0] == (
        "environment variable SIDECAR_BROKERS__BINANCE__RETRY__ATTEMPTS: brokers.binance.retry.attempts: 0"
    )


def test_an_empty_value_is_null(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path, BINANCE, {"SIDECAR_AUDIT__RETENTION_DAYS": ""})

    assert (problem.key, problem.wrong) == ("audit.retention_days", "is empty")


def test_a_variable_mends_what_is_wrong_in_the_file(tmp_path: Path) -> None:
    assert config(tmp_path, {"SIDECAR_BOT": "good"}, f"bot: no\n{BINANCE}").bot == "good"


@pytest.mark.parametrize(
    "variable",
    [
        "SIDECAR_SERVICE_HOST",
        "SIDECAR_SERVICE_PORT",
        "SIDECAR_SERVICE_PORT_METRICS",
        "SIDECAR_PORT",
        "SIDECAR_PORT_9464_TCP",
        "SIDECAR_PORT_9464_TCP_ADDR",
        "SIDECAR_METRICS_SERVICE_HOST",
        "SIDECAR_METRICS_PORT_9464_TCP_PROTO",
    ],
)
def test_what_kubernetes_sets_for_a_service_of_that_name_is_left_alone(tmp_path: Path, variable: str) -> None:
    assert config(tmp_path, {variable: "tcp://10.0.0.1:9464", "PATH": "/bin"}).bot == "bot"
