"""Keys that the sidecar uses itself: what goes together, what is missing, and that none is ever shown."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from sidecar.config.credentials import keys_of
from tests.config.support import BINANCE, accepted, problems_of

SECRET = "hunter2hunter2"
NO_TCP = "listen: {tcp: null, unix: %s/s}\n"
OANDA = "brokers:\n  oanda:\n    profile: oanda\n    base_url: https://api-fxtrade.oanda.com\n    stream_url: https://stream-fxtrade.oanda.com\n"
ENVIRONMENT = {
    "SIDECAR_BROKERS__BINANCE__CREDENTIALS__KEY": "0123456789",
    "SIDECAR_BROKERS__BINANCE__CREDENTIALS__SECRET": SECRET,
}


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    made = {name: tmp_path / name for name in ("key", "secret", "pem", "token")}
    private = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for name, path in made.items():
        path.touch(0o600)
        path.write_bytes(private if name == "pem" else f"{name}-{SECRET}\n".encode())
    return made


def test_files_hold_the_keys(tmp_path: Path, files: dict[str, Path]) -> None:
    section = f"    credentials: {{key_file: {files['key']}, private_key_file: {files['pem']}}}\n"
    loaded = accepted(tmp_path, NO_TCP % tmp_path + BINANCE + section)
    keys = keys_of(loaded.config.brokers["binance"].credentials)
    assert keys is not None
    assert keys.key == f"key-{SECRET}"
    assert keys.private_key.startswith("-----BEGIN PRIVATE KEY-----")
    assert loaded.warnings == ()


def test_the_environment_may_hold_them_too_and_nothing_shows_them(tmp_path: Path) -> None:
    loaded = accepted(tmp_path, NO_TCP % tmp_path + BINANCE, ENVIRONMENT)
    keys = keys_of(loaded.config.brokers["binance"].credentials)
    assert keys is not None
    assert (keys.key, keys.secret) == ("0123456789", SECRET)
    assert SECRET not in repr(loaded.config) + repr(keys) + loaded.config.model_dump_json()


def test_a_secret_in_the_file_itself_is_refused_and_not_shown(tmp_path: Path) -> None:
    section = f"    credentials: {{key: {SECRET}, secret: {SECRET}, use: lookup}}\n"
    problems = problems_of(tmp_path, BINANCE + section)
    assert [problem.key for problem in problems] == [
        "brokers.binance.credentials.key",
        "brokers.binance.credentials.secret",
    ]
    assert SECRET not in str(problems)


def test_a_sidecar_that_signs_demands_a_token_on_tcp(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path, BINANCE, ENVIRONMENT)
    assert problem.key == "listen.token_file"
    assert "could trade" in problem.wrong


def test_a_look_up_key_demands_none(tmp_path: Path) -> None:
    accepted(tmp_path, BINANCE + "    credentials: {use: lookup}\n", ENVIRONMENT)


@pytest.mark.parametrize(
    ("section", "key", "wrong"),
    [
        ("key_file: {key}", "", "nothing to sign with"),
        ("secret_file: {secret}", "", "API key is missing"),
        ("key_file: {key}, secret_file: {secret}, private_key_file: {pem}", "private_key_file", "Ed25519 or HMAC"),
        ("key_file: {key}, private_key_file: {secret}", "private_key_file", "no unencrypted Ed25519 private key"),
        ("key_file: {key}, secret_file: {key}/x", "secret_file", "cannot be read"),
        ("token_file: {token}", "token_file", "says nothing to the binance-usdm profile"),
        ("use: lookup", "use", "no keys to look anything up with"),
    ],
)
def test_what_does_not_go_together_is_told(
    tmp_path: Path, files: dict[str, Path], section: str, key: str, wrong: str
) -> None:
    text = section.format(**files)
    problems = problems_of(tmp_path, f"{NO_TCP % tmp_path}{BINANCE}    credentials: {{{text}}}\n")
    assert [problem.key for problem in problems] == [".".join(filter(None, ("brokers.binance.credentials", key)))]
    assert wrong in problems[0].wrong
    assert SECRET not in str(problems)


PROJECTX = "brokers:\n  topstep:\n    profile: projectx\n    base_url: https://api.topstepx.com\n"


def test_a_projectx_user_may_stand_in_the_file_and_his_key_beside_it(tmp_path: Path, files: dict[str, Path]) -> None:
    section = f"    credentials: {{user_name: ada, key_file: {files['key']}}}\n"
    keys = keys_of(accepted(tmp_path, NO_TCP % tmp_path + PROJECTX + section).config.brokers["topstep"].credentials)
    assert keys is not None
    assert (keys.user_name, keys.key) == ("ada", f"key-{SECRET}")


@pytest.mark.parametrize(
    ("section", "key", "wrong"),
    [
        ("user_name: ada", "", "API key is missing"),
        ("key_file: {key}", "", "user's name is missing"),
        ("user_name: ada, user_name_file: {token}, key_file: {key}", "user_name_file", "beside user_name"),
        ("user_name: ada, key_file: {key}, secret_file: {secret}", "secret_file", "says nothing to the projectx"),
    ],
)
def test_a_projectx_login_takes_a_name_and_a_key(
    tmp_path: Path, files: dict[str, Path], section: str, key: str, wrong: str
) -> None:
    text = section.format(**files)
    (problem,) = problems_of(tmp_path, f"{NO_TCP % tmp_path}{PROJECTX}    credentials: {{{text}}}\n")
    assert problem.key == ".".join(filter(None, ("brokers.topstep.credentials", key)))
    assert wrong in problem.wrong


def test_an_empty_file_is_told(tmp_path: Path, files: dict[str, Path]) -> None:
    files["token"].write_text("\n")
    section = f"    credentials: {{token_file: {files['token']}}}\n"
    (problem,) = problems_of(tmp_path, NO_TCP % tmp_path + OANDA + section)
    assert "an empty file" in problem.wrong


def test_a_profile_that_cannot_sign_says_so(tmp_path: Path, files: dict[str, Path]) -> None:
    text = BINANCE.replace("binance-usdm", "generic") + f"    credentials: {{key_file: {files['key']}}}\n"
    (problem,) = problems_of(tmp_path, text)
    assert "does not know how to sign" in problem.wrong


def test_a_file_that_everybody_can_read_is_a_warning(tmp_path: Path, files: dict[str, Path]) -> None:
    files["token"].chmod(0o644)
    section = f"    credentials: {{token_file: {files['token']}}}\n"
    (warning,) = accepted(tmp_path, NO_TCP % tmp_path + OANDA + section).warnings
    assert (warning.key, warning.right) == ("brokers.oanda.credentials.token_file", f"chmod 600 {files['token']}")


def test_a_value_that_no_header_can_carry_is_refused(tmp_path: Path) -> None:
    environment = ENVIRONMENT | {"SIDECAR_BROKERS__BINANCE__CREDENTIALS__KEY": f"{SECRET}\nX-Other: 1"}
    (problem,) = problems_of(tmp_path, NO_TCP % tmp_path + BINANCE, environment)
    assert "no header can carry" in problem.wrong
    assert SECRET not in str(problem)
