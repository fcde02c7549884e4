"""A value that is refused is told with its line, its key, what was given, what is wrong, and what would be right."""

from pathlib import Path

import pytest

from tests.config.support import BINANCE, problems_of

URL = "an http:// or https:// URL without credentials or query, such as https://fapi.binance.com"
ADDRESS = "host:port, such as 127.0.0.1:8787 or [::1]:8787"

Row = tuple[str, str, str, str, str]
"""What the file says, then what is told: key, value, what is wrong, and the beginning or the gist of what is right."""

TOP: list[Row] = [
    ("bot: no", "bot", "no", "YAML reads this as false", 'put it in quotes: "no"'),
    ("bot: 7", "bot", "7", "is a number", 'put it in quotes: "7"'),
    ("bot: my bot", "bot", "my bot", "does not have the right form", "1 to 63 letters, digits, dots, dashes or"),
    ("bot:", "bot", "", "is empty", "1 to 63 letters"),
    ("scrape: 9464", "scrape", "9464", "is a number", "keys indented below it: address"),
    ("audit: {retention_days: 0}", "audit.retention_days", "0", "is too small", "a whole number of days of at least 1"),
    ("audit: {retention_days: 1.5}", "audit.retention_days", "1.5", "is not a whole number", "a whole number of days"),
    ('audit: {directory: ""}', "audit.directory", '""', "is empty", "a path"),
    ("audit: {directory: ~/a}", "audit.directory", "~/a", "begins with ~, which is not expanded", "a path"),
    ("listen: {unix_mode: 0660}", "listen.unix_mode", "0660", "is a number", 'put it in quotes: "0660"'),
    ("listen: {tcp: 8787}", "listen.tcp", "8787", "is a number", f"{ADDRESS}, or null"),
    ("listen: {tcp: localhost}", "listen.tcp", "localhost", "is not host:port", ADDRESS),
    ("listen: {tcp: 'a:70000'}", "listen.tcp", '"a:70000"', "has a port above 65535", ADDRESS),
    ("listen: {tcp: 'a:b'}", "listen.tcp", '"a:b"', "has a port that is not a number", ADDRESS),
    ("listen: {tcp: '::1:8787'}", "listen.tcp", '"::1:8787"', "has an IPv6 host without brackets", ADDRESS),
    ("listen: {tcp: 'a b:1'}", "listen.tcp", '"a b:1"', "has a host that cannot be one", ADDRESS),
    (
        "listen: {allowed_uids: 7}",
        "listen.allowed_uids",
        "7",
        "is a number",
        "a list, each item a whole number of at least 0",
    ),
    ("listen: {allowed_uids: [1, x]}", "listen.allowed_uids[1]", "x", "is text", "a whole number of at least 0"),
    ("log: {level: warn}", "log.level", "warn", "is none of the choices", "did you mean warning?"),
    ("log: {repeat_seconds: .inf}", "log.repeat_seconds", ".inf", "is no finite number", "a number of seconds above 0"),
    ("telemetry: {sample_ratio: 2}", "telemetry.sample_ratio", "2", "is too large", "a number from 0 to 1"),
    ("telemetry: {sample_ratio: 1e-1}", "telemetry.sample_ratio", "1e-1", "is text", "in full: 0.1"),
]

BROKER: list[Row] = [
    ("deadline_seconds: 5s", "deadline_seconds", "5s", "is text", "a number of seconds above 0; the number alone"),
    ("deadline_seconds: 0", "deadline_seconds", "0", "is too small", "a number of seconds above 0"),
    ('connections: "5"', "connections", '"5"', "is text", "written without quotes and in full: 5"),
    ("retry: {attempts: 21}", "retry.attempts", "21", "is too large", "a whole number from 1 to 20, or null"),
    ("retry: {preset: standart}", "retry.preset", "standart", "is none of the choices", "did you mean standard?"),
    ('limits: {learn: "yes"}', "limits.learn", '"yes"', "is text", "true or false, without quotes"),
    ("limits: {warn_at: 0.95}", "limits.warn_at", "0.95", "is above wait_at, 0.9", "a number from 0 to 0.9"),
    ("generic: {}", "generic", "", "says nothing to the binance-usdm profile", "remove it, or use profile: generic"),
    ("stream_url: ftp://x", "stream_url", "ftp://x", "does not begin with http:// or https://", URL),
    ("stream_url: 'http://:80'", "stream_url", '"http://:80"', "has no host", URL),
    ("stream_url: 'http://h:x'", "stream_url", '"http://h:x"', "has a host or port that cannot be one", URL),
    ("stream_url: 'http://h h'", "stream_url", '"http://h h"', "holds spaces or characters outside ASCII", URL),
    (
        "retry:\n      endpoints: {Place: {}}",
        "retry.endpoints.Place",
        "",
        "this name cannot be used",
        "1 to 41 lower-case",
    ),
]


@pytest.mark.parametrize("row", TOP)
def test_a_wrong_value_is_told_in_full(tmp_path: Path, row: Row) -> None:
    text, key, value, wrong, right = row
    (problem,) = problems_of(tmp_path, f"# a comment\n{text}\n{BINANCE}")

    assert (problem.place, problem.key) == (f"{tmp_path}/sidecar.yaml:2", key)
    assert (problem.value, problem.wrong) == (value, wrong)
    assert right in problem.right


@pytest.mark.parametrize("row", BROKER)
def test_a_wrong_value_of_a_broker_is_told_in_full(tmp_path: Path, row: Row) -> None:
    text, key, value, wrong, right = row
    (problem,) = problems_of(tmp_path, f"{BINANCE}    {text}\n")

    assert problem.key == f"brokers.binance.{key}"
    assert problem.line == 5 + text.count("\n")
    assert (problem.value, problem.wrong) == (value, wrong)
    assert right in problem.right


def test_a_missing_key_is_told_where_its_section_begins(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path, "bot: a\nbrokers:\n  x:\n    profile: oanda\n")

    assert (problem.line, problem.key, problem.wrong) == (3, "brokers.x.base_url", "this key is missing")
    assert problem.right == URL


@pytest.mark.parametrize("text", ["brokers: {}\n", "bot: a\nbrokers: {}\n"])
def test_without_a_broker_there_is_nothing_to_run(tmp_path: Path, text: str) -> None:
    (problem,) = problems_of(tmp_path, text)

    assert (problem.key, problem.wrong, problem.right) == ("brokers", "there is no broker", "at least one broker")


def test_the_only_broker_being_no_section_is_one_problem(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path, "brokers:\n  x: 5\n")

    assert (problem.key, problem.value, problem.wrong) == ("brokers.x", "5", "is a number")


def test_a_broker_cannot_take_the_control_apis_path(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path, BINANCE.replace("binance:", "v1:"))

    assert (problem.line, problem.key, problem.wrong) == (2, "brokers.v1", "is the path of the control API")


@pytest.mark.parametrize(
    ("text", "key", "right"),
    [
        ("lisen: {}", "lisen", "did you mean listen?"),
        ("listen: {tpc: null}", "listen.tpc", "did you mean tcp?"),
        ("attempts: 3", "attempts", "it belongs elsewhere: operations.attempts or brokers.<name>.retry.attempts"),
        ("log: {colour: true}", "log.colour", "the keys here are level, format and repeat_seconds"),
    ],
)
def test_an_unknown_key_is_refused_with_the_one_that_was_meant(tmp_path: Path, text: str, key: str, right: str) -> None:
    (problem,) = problems_of(tmp_path, f"{text}\n{BINANCE}")

    assert (problem.line, problem.key, problem.value, problem.wrong) == (1, key, "", "there is no such key")
    assert right in problem.right


def test_all_problems_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = (
        "bot: 1\n"
        "scrape: {adress: x}\n"
        "listen:\n"
        "  unix: /no/such/folder/s.sock\n"
        "  allowed_uids: [-1, -2]\n"
        "brokers:\n"
        "  one: {profile: oanda, base_url: 5, retry: {attempts: 0}}\n"
        "  two:\n"
        "    profile: binance-usdm\n"
        "    base_url: https://fapi.binance.com\n"
        "    limits: {warn_at: 1}\n"
        "    retry: {endpoints: {place_ordr: {}}}\n"
        "  Three: {profile: nope}\n"
    )

    found = problems_of(tmp_path, text, {"SIDECAR_LOG__LEVEL": "loud", "SIDECAR_LOGG": "1"})

    assert [(problem.line, problem.key) for problem in found] == [
        (1, "bot"),
        (2, "scrape.adress"),
        (4, "listen.unix"),
        (5, "listen.allowed_uids[0]"),
        (5, "listen.allowed_uids[1]"),
        (7, "brokers.one.base_url"),
        (7, "brokers.one.retry.attempts"),
        (11, "brokers.two.limits.warn_at"),
        (12, "brokers.two.retry.endpoints.place_ordr"),
        (13, "brokers.Three"),
        (13, "brokers.Three.profile"),
        (13, "brokers.Three.base_url"),
        (None, ""),
        (None, "log.level"),
    ]


def test_a_problem_reads_as_place_key_value_wrong_and_right(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path, f"{BINANCE}    retry: {{attempts: 0}}\n")

    assert str(problem) == (
        f"{tmp_path}/sidecar.yaml:5: brokers.binance.retry.attempts: 0\n"
        "    wrong: is too small\n"
        "    right: a whole number from 1 to 20, or null"
    )
