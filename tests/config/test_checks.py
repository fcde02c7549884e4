"""What no single key shows: keys that clash, and what the machine and the profile make of them."""

from pathlib import Path

import pytest

from sidecar.config.load import load
from sidecar.config.report import ConfigError
from tests.config.support import BINANCE, accepted, problems_of, written

GENERIC = "brokers:\n  x:\n    profile: generic\n    base_url: https://api.example.com\n"
OANDA = "brokers:\n  o:\n    profile: oanda\n    base_url: https://api-fxpractice.oanda.com\n"


def test_a_tcp_listener_that_is_not_loopback_is_refused(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path, f"listen:\n  tcp: 0.0.0.0:8787\n{BINANCE}")

    assert (problem.line, problem.key, problem.value) == (2, "listen.tcp", "0.0.0.0:8787")
    assert problem.wrong == "is not a loopback address: whoever reaches it could trade"
    assert "allow_orders_from_the_network: true" in problem.right


@pytest.mark.parametrize("tcp", ["127.0.0.1:1", "localhost:1", "127.8.8.8:1", "'[::1]:1'"])
def test_a_loopback_listener_is_accepted(tmp_path: Path, tcp: str) -> None:
    assert accepted(tmp_path, f"listen: {{tcp: {tcp}}}\n{BINANCE}").warnings == ()


def test_the_dangerous_key_lets_it_through_with_a_warning(tmp_path: Path) -> None:
    text = f"listen: {{tcp: '0.0.0.0:8787', allow_orders_from_the_network: true}}\n{BINANCE}"

    (warning,) = accepted(tmp_path, text).warnings

    assert warning.wrong == "whoever reaches this address can trade without a token"


@pytest.mark.parametrize("tcp", ["127.0.0.1:9464", "localhost:9464", "'[::1]:9464'"])
def test_two_listeners_cannot_share_a_port(tmp_path: Path, tcp: str) -> None:
    (problem,) = problems_of(tmp_path, f"listen: {{tcp: {tcp}}}\n{BINANCE}")

    tcp = tcp.strip("'")
    assert (problem.key, problem.wrong) == ("scrape.address", f"collides with listen.tcp, {tcp}")


@pytest.mark.parametrize(
    ("tcp", "scrape"), [("127.0.0.1:1", "127.0.0.2:1"), ("127.0.0.1:0", "127.0.0.1:0"), ("127.0.0.1:1", "0.0.0.0:2")]
)
def test_listeners_that_do_not_meet_are_accepted(tmp_path: Path, tcp: str, scrape: str) -> None:
    text = f"listen: {{tcp: '{tcp}'}}\nscrape: {{address: '{scrape}'}}\n{BINANCE}"

    assert accepted(tmp_path, text).config.scrape.address == scrape


def test_without_any_listener_bots_could_not_call(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path, f"listen: {{tcp: null}}\n{BINANCE}")

    assert (problem.key, problem.value) == ("listen.tcp", "null")
    assert problem.wrong == "no listener is left: bots could not reach the sidecar"


def test_a_refused_unix_path_does_not_count_as_no_listener(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path, f"listen: {{tcp: null, unix: 5}}\n{BINANCE}")

    assert problem.key == "listen.unix"


def test_a_socket_path_must_fit_the_kernels_108_bytes(tmp_path: Path) -> None:
    fits = tmp_path / ("s" * (107 - len(str(tmp_path)) - 1))

    assert accepted(tmp_path, f"listen: {{unix: {fits}}}\n{BINANCE}").config.listen.unix == fits
    (problem,) = problems_of(tmp_path, f"listen: {{unix: {fits}s}}\n{BINANCE}")
    assert problem.wrong == "is 108 bytes long"
    assert "at most 107 bytes" in problem.right


def test_a_sockets_folder_must_exist(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path, f"listen: {{unix: {tmp_path}/run/s}}\n{BINANCE}")

    assert problem.wrong == "lies in a folder that does not exist"
    assert problem.right == f"an existing folder, or: mkdir -p {tmp_path}/run"


def test_a_socket_never_takes_the_place_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    (problem,) = problems_of(tmp_path, f"listen: {{unix: {tmp_path}/file}}\n{BINANCE}")

    assert problem.wrong == "exists and is no socket"


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        (None, "names a file that does not exist"),
        (b"", "names an empty file"),
        (b" \n", "names an empty file"),
        (b"\xff", "names a file that is not text in UTF-8"),
        (b"one\ntwo", "names a file with more than one line, or with characters that no header can carry"),
        (b"x" * 65537, "names a file of more than 65536 bytes"),
    ],
)
def test_a_token_file_must_hold_a_token(tmp_path: Path, content: bytes | None, wrong: str) -> None:
    if content is not None:
        (tmp_path / "token").write_bytes(content)

    (problem,) = problems_of(tmp_path, f"listen: {{token_file: {tmp_path}/token}}\n{BINANCE}")

    assert (problem.key, problem.value, problem.wrong) == ("listen.token_file", f"{tmp_path}/token", wrong)


def test_a_token_file_cannot_be_a_folder(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path, f"listen: {{token_file: {tmp_path}}}\n{BINANCE}")

    assert problem.wrong == "names a folder"


def test_a_token_file_that_everybody_can_read_is_a_warning(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("made-up")
    text = f"listen: {{token_file: {token}}}\n{BINANCE}"

    token.chmod(0o600)
    assert accepted(tmp_path, text).warnings == ()
    token.chmod(0o644)
    (warning,) = accepted(tmp_path, text).warnings
    assert (warning.wrong, warning.right) == ("every user of this machine can read the token", f"chmod 600 {token}")


def test_a_socket_that_everybody_can_write_is_a_warning(tmp_path: Path) -> None:
    (warning,) = accepted(tmp_path, f'listen: {{unix: {tmp_path}/s, unix_mode: "0666"}}\n{BINANCE}').warnings

    assert (warning.key, warning.wrong) == ("listen.unix_mode", "every user of this machine can trade")


def test_the_audit_log_needs_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert accepted(tmp_path, f"audit: {{directory: {tmp_path}/new/folder}}\n{BINANCE}").warnings == ()
    (problem,) = problems_of(tmp_path, f"audit: {{directory: {tmp_path}/file/folder}}\n{BINANCE}")
    assert (problem.key, problem.wrong) == ("audit.directory", "is, or lies below, something that is no folder")


@pytest.mark.parametrize(
    ("profile", "endpoint"), [("binance-usdm", "place_order"), ("oanda", "stream_pricing"), ("projectx", "log_in")]
)
def test_only_plain_reads_can_be_remembered(tmp_path: Path, profile: str, endpoint: str) -> None:
    broker = (
        f"brokers:\n  one: {{profile: {profile}, base_url: 'https://x', cache: {{endpoints: {{{endpoint}: {{}}}}}}}}"
    )

    (problem,) = problems_of(tmp_path, broker)

    assert (problem.key, problem.wrong) == (f"brokers.one.cache.endpoints.{endpoint}", "is no plain read")


@pytest.mark.parametrize(
    ("text", "key", "wrong", "right"),
    [
        (
            "retry: {endpoints: {place_ordr: {}}}",
            "retry.endpoints.place_ordr",
            "no such endpoint",
            "did you mean place_order?",
        ),
        (
            "cache: {endpoints: {get_tickr: {}}}",
            "cache.endpoints.get_tickr",
            "no such endpoint",
            "did you mean get_ticker?",
        ),
        ("breaker: {groups: {order: {}}}", "breaker.groups.order", "no such group", "did you mean orders?"),
        (
            "limits: {windows: {weight_1: {capacity: 5}}}",
            "limits.windows.weight_1",
            "no such window",
            "did you mean weight_1m?",
        ),
        ("limits: {buckets: {mine: {burst: 5}}}", "limits.buckets.mine", "no such bucket", "a new one needs a rate"),
        (
            "limits: {buckets: {b: {rate: 1, group: order}}}",
            "limits.buckets.b.group",
            "no such group",
            "one of accounts,",
        ),
    ],
)
def test_names_that_the_profile_does_not_know_are_refused(
    tmp_path: Path, text: str, key: str, wrong: str, right: str
) -> None:
    (problem,) = problems_of(tmp_path, f"{BINANCE}    {text}\n")

    assert (problem.line, problem.key) == (5, f"brokers.binance.{key}")
    assert problem.wrong == f"the binance-usdm profile has {wrong}"
    assert right in problem.right


@pytest.mark.parametrize(
    "text",
    [
        "limits: {windows: {mine: {capacity: 5, seconds: 1}}, buckets: {other: {rate: 1, group: orders}}}",
        "limits: {windows: {weight_1m: {capacity: 5}}}",
        "retry: {endpoints: {place_order: {attempts: 1}}}",
        "breaker: {groups: {orders: {failures: 1}}}",
    ],
)
def test_names_that_the_profile_knows_or_that_are_new_and_whole_are_accepted(tmp_path: Path, text: str) -> None:
    assert accepted(tmp_path, f"{BINANCE}    {text}\n").warnings == ()


def test_a_limit_is_a_window_or_a_bucket_but_not_both(tmp_path: Path) -> None:
    found = problems_of(tmp_path, f"{BINANCE}    limits: {{buckets: {{weight_1m: {{rate: 1}}}}}}\n")
    assert [problem.wrong for problem in found] == ["is a window already"]

    limits = "{windows: {a: {capacity: 1, seconds: 1}}, buckets: {a: {rate: 1}}}"
    found = problems_of(tmp_path, f"{BINANCE}    limits: {limits}\n")
    assert [problem.wrong for problem in found] == ["is a bucket already"]


def test_names_are_not_held_against_a_profile_that_was_itself_refused(tmp_path: Path) -> None:
    text = BINANCE.replace("binance-usdm", "binance") + "    retry: {endpoints: {place_order: {}}}\n"

    (problem,) = problems_of(tmp_path, text)

    assert problem.key == "brokers.binance.profile"


def test_a_generic_broker_knows_the_endpoints_that_it_was_told(tmp_path: Path) -> None:
    told = "    generic: {endpoints: {buy: {path: /buy}}}\n"

    assert accepted(tmp_path, f"{GENERIC}{told}    retry: {{endpoints: {{buy: {{}}}}}}\n").warnings == ()
    (problem,) = problems_of(tmp_path, f"{GENERIC}{told}    retry: {{endpoints: {{buys: {{}}}}}}\n")
    assert problem.right == "did you mean buy? one of buy, other or other_read"


def test_two_endpoints_cannot_share_a_method_and_path(tmp_path: Path) -> None:
    routes = "{a: {path: /x}, b: {path: /x}, c: {path: /x, method: POST}}"

    (problem,) = problems_of(tmp_path, f"{GENERIC}    generic: {{endpoints: {routes}}}\n")

    assert problem.key == "brokers.x.generic.endpoints.b"
    assert problem.wrong == "has the method and path of a, so that one of them is never used"


@pytest.mark.parametrize(
    ("text", "key", "wrong"),
    [
        ("breaker: {recovery_seconds: 1000}", "breaker.recovery_seconds", "1000 is above recovery_max_seconds, 900"),
        ("breaker: {recovery_max_seconds: 30}", "breaker.recovery_seconds", "60 is above recovery_max_seconds, 30"),
        (
            "breaker: {groups: {orders: {recovery_seconds: 901}}}",
            "breaker.groups.orders.recovery_seconds",
            "901 is above recovery_max_seconds, 900",
        ),
        ("retry: {base_seconds: 5, max_seconds: 4}", "retry.base_seconds", "is above max_seconds, 4"),
    ],
)
def test_a_first_pause_cannot_be_above_the_longest(tmp_path: Path, text: str, key: str, wrong: str) -> None:
    (problem,) = problems_of(tmp_path, f"{BINANCE}    {text}\n")

    assert (problem.key, problem.wrong) == (f"brokers.binance.{key}", wrong)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8787", "http://localhost:8787/x"])
def test_the_sidecar_does_not_call_itself(tmp_path: Path, url: str) -> None:
    (problem,) = problems_of(tmp_path, BINANCE.replace("https://fapi.binance.com", url))

    assert problem.wrong == "is the sidecar's own address, 127.0.0.1:8787: it would call itself"


def test_oanda_practice_and_live_do_not_mix(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path, f"{OANDA}    stream_url: https://stream-fxtrade.oanda.com\n")

    assert (problem.key, problem.right) == ("brokers.o.stream_url", "https://stream-fxpractice.oanda.com")


WARNINGS = [
    (OANDA, "stream_url", "this key is missing: calls for streams would go to base_url, where OANDA has none"),
    (
        f"{BINANCE.replace('binance-usdm', 'binance-spot')}    stream_url: https://x\n",
        "stream_url",
        "the binance-spot profile knows of no streams",
    ),
    (
        f"{BINANCE}    stream_url: https://fstream.binance.com\n",
        "stream_url",
        "the streams of accounts are not there",
    ),
    (BINANCE.replace("https", "http"), "base_url", "keys and orders would cross the network in clear text"),
    (f"{BINANCE}    retry: {{base_seconds: 9}}\n", "retry.base_seconds", "the first retry would come after"),
    (f"{BINANCE}    breaker: {{mode: shadow}}\n", "breaker.mode", "failures are measured, but no call is refused"),
    (
        f"{BINANCE}    breaker: {{groups: {{orders: {{mode: forced_open}}}}}}\n",
        "breaker.groups.orders.mode",
        "every call but cancels and reduce-only orders is refused",
    ),
]


@pytest.mark.parametrize(("text", "key", "wrong"), WARNINGS)
def test_what_is_probably_not_meant_is_a_warning(tmp_path: Path, text: str, key: str, wrong: str) -> None:
    (warning,) = accepted(tmp_path, text).warnings

    assert warning.key.endswith(f".{key}")
    assert warning.wrong.startswith(wrong)
    assert warning.line is not None


@pytest.mark.parametrize("url", ["http://127.0.0.1:9001", "http://localhost", "http://[::1]:1", "HTTPS://api.x.com"])
def test_clear_text_on_this_machine_is_no_warning(tmp_path: Path, url: str) -> None:
    assert accepted(tmp_path, BINANCE.replace("https://fapi.binance.com", f'"{url}"')).warnings == ()


def test_load_returns_what_read_does(tmp_path: Path) -> None:
    assert load(written(tmp_path, BINANCE), {}) == accepted(tmp_path, BINANCE).config


def test_the_error_counts_its_problems(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        load(written(tmp_path, f"bot: 1\nlog: 1\n{BINANCE}"), {})

    assert str(refused.value).splitlines()[0] == f"{tmp_path}/sidecar.yaml: 2 problems"


@pytest.mark.parametrize(
    ("name", "wrong"), [("", "is a folder"), ("none/state.db", "lies in a folder that does not exist")]
)
def test_a_state_file_needs_a_folder_to_lie_in(tmp_path: Path, name: str, wrong: str) -> None:
    (problem,) = problems_of(tmp_path, f"state: {{path: '{tmp_path / name}'}}\n{BINANCE}")

    assert (problem.key, problem.wrong) == ("state.path", wrong)


def test_a_state_file_that_is_not_there_yet_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "state.db"

    assert accepted(tmp_path, f"state: {{path: '{path}'}}\n{BINANCE}").config.state.path == path


@pytest.mark.parametrize(
    ("text", "name", "wrong"),
    [
        (BINANCE, "binanse", "there is no broker binanse"),
        (BINANCE, "binance", "the sidecar has no keys of binance that it signs with, and can neither ask nor close"),
        (GENERIC, "x", "x cannot be asked for its positions: the generic profile knows of none"),
    ],
)
def test_a_stop_cannot_close_what_the_sidecar_cannot_ask_for(tmp_path: Path, text: str, name: str, wrong: str) -> None:
    (problem,) = problems_of(tmp_path, f"state: {{path: {tmp_path}/s.db}}\nstop: {{close_positions: [{name}]}}\n{text}")

    assert (problem.key, problem.wrong) == ("stop.close_positions[0]", wrong)


def secrets(folder: Path) -> str:
    """Binance with keys that the sidecar signs with."""
    for name in ("key", "secret"):
        (folder / name).write_text("x")
        (folder / name).chmod(0o600)
    listen = f"listen: {{tcp: null, unix: {folder}/socket}}\n"
    return f"{listen}{BINANCE}    credentials: {{key_file: {folder}/key, secret_file: {folder}/secret}}\n"


def test_a_stop_closes_nothing_without_a_state_file(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path, f"stop: {{close_positions: [binance]}}\n{secrets(tmp_path)}")

    assert problem.wrong.endswith("written down before it is sent, and there is no state file")


def test_that_every_stop_closes_positions_is_pointed_out(tmp_path: Path) -> None:
    text = f"state: {{path: {tmp_path}/s.db}}\nstop: {{close_positions: [binance]}}\n{secrets(tmp_path)}"

    (warning,) = accepted(tmp_path, text).warnings

    assert warning.wrong.startswith("every stop closes all positions at binance")


def test_client_ids_cannot_be_remembered_without_a_state_file(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path, f"{BINANCE}    client_id_seconds: 60\n")

    assert problem.key == "brokers.binance.client_id_seconds"
    assert (problem.wrong, problem.right) == (
        "without a state file no client id is remembered",
        "0, or set state.path",
    )


@pytest.mark.parametrize("key", ["idempotency_seconds", "order_history_seconds"])
def test_client_ids_cannot_be_remembered_for_longer_than_what_they_belong_to(tmp_path: Path, key: str) -> None:
    text = f"state:\n  path: {tmp_path}/state.db\n  {key}: 600\n{BINANCE}    client_id_seconds: 601\n"

    (problem,) = problems_of(tmp_path, text)

    assert problem.wrong == f"is longer than state.{key}, 600, after which a client id is forgotten"
    assert problem.right == f"600 or less, or a longer state.{key}"


def test_client_ids_may_be_remembered_for_as_long_as_what_they_belong_to(tmp_path: Path) -> None:
    text = f"state:\n  path: {tmp_path}/state.db\n  idempotency_seconds: 600\n{BINANCE}    client_id_seconds: 600\n"

    assert accepted(tmp_path, text).warnings == ()
