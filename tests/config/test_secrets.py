"""A secret in the wrong place, and in the right one, is never told."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from sidecar.config.report import masked
from sidecar.config.secrets import SecretFileError, read_secret
from tests.config.support import BINANCE, problems_of

SECRET = "hunter2hunter2"


@pytest.mark.parametrize(
    "text",
    [
        f"listen: {{token_file: {SECRET}}}",
        f"listen: {{token_file: {SECRET}/{SECRET}}}",
        f"listen: {{token_file: /{SECRET}}}",
        f"listen: {{token: {SECRET}}}",
        f"telemetry: {{otlp: {{endpoint: 'https://user:{SECRET}@collector'}}}}",
        f"telemetry: {{otlp: {{endpoint: 'https://collector/?api={SECRET}'}}}}",
        f"telemetry: {{otlp: {{endpoint: 'user:{SECRET}@collector'}}}}",
        f"scrape: 'https://user:{SECRET}@collector'",
        f"bot: *{SECRET}",
        f"bot: {{{SECRET}",
        f"bot: '{SECRET}",
        SECRET,
    ],
)
def test_a_report_never_shows_a_secret(tmp_path: Path, text: str) -> None:
    found = problems_of(tmp_path, f"{text}\n{BINANCE}")

    assert found
    assert SECRET not in "\n".join(map(str, found))


@pytest.mark.parametrize(
    "environ",
    [
        {"SIDECAR_LISTEN__TOKEN_FILE": SECRET},
        {"SIDECAR_TOKEN": SECRET},
        {"SIDECAR_BROKERS__BINANCE__CREDENTIALS__SECRET": SECRET},
        {"SIDECAR_BROKERS__BINANCE__BASE_URL": f"https://user:{SECRET}@x"},
    ],
)
def test_a_report_never_shows_a_secret_of_the_environment(tmp_path: Path, environ: Mapping[str, str]) -> None:
    found = problems_of(tmp_path, BINANCE, environ)

    assert found
    assert SECRET not in "\n".join(map(str, found))


@pytest.mark.parametrize("key", ["token", "api_key", "apiKey", "secret", "password", "private_pem", "key"])
def test_a_value_whose_key_sounds_secret_is_hidden(key: str) -> None:
    assert masked(("brokers", "x", key), SECRET) == "(hidden)"


def test_the_path_of_a_secrets_file_is_shown_when_it_is_one(tmp_path: Path) -> None:
    assert masked(("listen", "token_file"), f"{tmp_path}/token") == f"{tmp_path}/token"


def test_a_secret_is_read_without_the_space_around_it(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"\n  {SECRET}\n")

    secret = read_secret(tmp_path / "key")

    assert secret.get_secret_value() == SECRET
    assert SECRET not in repr(secret)


def test_a_failure_to_read_a_secret_does_not_repeat_it(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{SECRET}\n{SECRET}")

    with pytest.raises(SecretFileError) as refused:
        read_secret(tmp_path / "key")

    assert SECRET not in str(refused.value)
