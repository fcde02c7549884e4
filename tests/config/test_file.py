"""A file that cannot be read, or is no YAML, is told kindly and with its line."""

from pathlib import Path

import pytest

from sidecar.config.load import load
from sidecar.config.report import ConfigError
from tests.config.support import BINANCE, accepted, problems_of

BROKEN = [
    ("", None, "the file is empty", "begin with one broker:"),
    ("# nothing but a comment\n", None, "the file is empty", "begin with one broker:"),
    ("just words", 1, "the file does not hold keys and values", "begin with one broker:"),
    ("\n- a\n- b\n", 2, "the file does not hold keys and values", "begin with one broker:"),
    ("bot:\n\tname: x\n", 2, "a tab stands where spaces belong, at column 1", "spaces for indentation"),
    ("bot: @x\n", 1, "a value begins with a character that YAML keeps for itself, at column 6", "quote the text"),
    ("bot: a: b\n", 1, "a colon where none can be, or a line that is indented too far, at column 7", "quotes around"),
    ("bot: a\n  log: b\n", 2, "a colon where none can be, or a line that is indented too far, at column 6", "one key"),
    ("a:\n  b: 1\n c: 2\n", 3, "a line whose indentation fits no line above it, at column 2", "the same indentation"),
    ("bot: *secret\n", 1, "an alias (*) without its anchor, at column 6", "quotes around text"),
    ("a: 1\nbot: 'x\ny: 1\n", 2, "a quotation mark that is never closed, at column 6", "the closing quotation mark"),
    ("a: 1\nbot: [1,\ny: 1\n", 2, "a bracket that is never closed, at column 6", "the closing bracket"),
    ('bot: "\\q"\n', 1, "a backslash before a letter that it does not go with, at column 8", "single quotes"),
    ("a: 1\n---\nb: 1\n", 2, "a second document (---), at column 1", "one document a file"),
    ("a: &x 1\nb: &x 1\n", 2, "an anchor (&) that stands twice, at column 4", "another name"),
    ("bot: ]\n", 1, "this is no YAML, at column 6", "look at the indentation"),
    ('bot: "\\UFFFFFFFF"\n', None, "the file holds characters that YAML does not allow", "plain text in UTF-8"),
    ("bot: \x01\n", None, "the file holds characters that YAML does not allow", "plain text in UTF-8"),
    ("[" * 5000, None, "values are nested far too deep", "keys indented"),
    (b"a: 1\nbot: \xff\n", 2, "the file is not in UTF-8", "the file saved as UTF-8"),
    (b"#" * (1024 * 1024 + 1), None, "the file has more than 1048576 bytes", "a configuration file"),
]


@pytest.mark.parametrize(("text", "line", "wrong", "right"), BROKEN)
def test_what_is_no_configuration_is_told_as_one_problem(
    tmp_path: Path, text: str | bytes, line: int | None, wrong: str, right: str
) -> None:
    (problem,) = problems_of(tmp_path, text)

    assert (problem.source, problem.line) == (f"{tmp_path}/sidecar.yaml", line)
    assert problem.wrong == wrong
    assert right in problem.right


def test_a_parsers_complaint_repeats_nothing_of_the_text(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path, "bot: *hunter2\n")

    assert "hunter2" not in str(problem)


def test_the_environment_is_judged_although_the_file_cannot_be(tmp_path: Path) -> None:
    found = problems_of(tmp_path, "", {"SIDECAR_BOTT": "x"})

    assert [problem.source for problem in found] == [f"{tmp_path}/sidecar.yaml", "environment variable SIDECAR_BOTT"]


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("missing.yaml", "there is no such file"),
        ("", "this is a folder"),
        ("nul\0", "the file cannot be read (no such name is possible)"),
        ("x" * 300, "the file cannot be read (File name too long)"),
    ],
)
def test_a_file_that_cannot_be_opened_is_told(tmp_path: Path, name: str, wrong: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(tmp_path / name, {})

    (problem,) = refused.value.problems
    assert (problem.line, problem.wrong) == (None, wrong)


def test_a_file_without_permission_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Root, whom tests often run as, may read everything: the refusal is staged.
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)

    with pytest.raises(ConfigError, match="this user may not read the file"):
        load(tmp_path / "sidecar.yaml", {})


def test_a_key_that_stands_twice_is_an_error_with_both_lines(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path, f"bot: a\nlog: {{}}\nbot: b\n{BINANCE}")

    assert (problem.line, problem.key, problem.wrong) == (3, "bot", "stands twice: line 1 has it too")


def test_two_brokers_of_one_name_are_an_error(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path, BINANCE + BINANCE.removeprefix("brokers:\n"))

    assert (problem.line, problem.key, problem.wrong) == (5, "brokers.binance", "stands twice: line 2 has it too")


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("bot: !!python/name:os.system x", 'the tag "tag:yaml.org,2002:python/name:os.system" has no meaning here'),
        ("bot: !mine x", 'the tag "!mine" has no meaning here'),
        ("audit: !!set {a}", 'the tag "tag:yaml.org,2002:set" has no meaning here'),
        ("audit: {retention_days: !!int soon}", "cannot be read as int"),
        (f"audit: {{retention_days: {'9' * 5000}}}", "cannot be read as int"),
        ('bot: "a\\u0007"', "the text holds a character that cannot be seen"),
        ('"bo\\0t": a', "the text holds a character that cannot be seen"),
        ('bot: "\\ud800"', "the text holds a character that cannot be seen"),
        ("[a, b]: c", "a key is a list or a mapping"),
        ("audit: &a {directory: *a}", "this alias contains itself"),
        ("audit: &a {<<: *a}", "this alias contains itself"),
        ("audit: {<<: 5}", "merges something that has no keys"),
    ],
)
def test_yaml_that_means_more_than_values_is_refused(tmp_path: Path, text: str, wrong: str) -> None:
    (problem,) = problems_of(tmp_path, f"\n{text}\n{BINANCE}")

    assert (problem.line, problem.wrong) == (2, wrong)


def test_aliases_that_multiply_end_quickly(tmp_path: Path) -> None:
    levels = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}]" for n in range(1, 40)]

    (problem,) = problems_of(tmp_path, "\n".join(levels))

    assert problem.wrong == "aliases multiply into far too many values"


def test_a_section_can_be_shared_and_changed_by_merging(tmp_path: Path) -> None:
    text = (
        "brokers:\n"
        "  one: &base {profile: binance-usdm, base_url: https://fapi.binance.com, deadline_seconds: 3}\n"
        "  two: {<<: *base, deadline_seconds: 4}\n"
    )

    brokers = accepted(tmp_path, text).config.brokers

    assert [brokers[name].deadline_seconds for name in ("one", "two")] == [3, 4]
    assert brokers["two"].base_url == "https://fapi.binance.com"


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path: Path) -> None:
    text = "\ufeff" + f"bot: a\n{BINANCE}".replace("\n", "\r\n")

    assert accepted(tmp_path, text).config.bot == "a"


def test_a_date_is_text(tmp_path: Path) -> None:
    assert accepted(tmp_path, f"bot: 2026-11-22\n{BINANCE}").config.bot == "2026-11-22"
