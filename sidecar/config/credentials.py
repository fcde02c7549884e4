"""The keys that the sidecar itself uses at a broker: which ones a profile needs, and reading them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from sidecar.brokers.profile import Keys
from sidecar.brokers.registry import build
from sidecar.config.document import Document
from sidecar.config.findings import Finding
from sidecar.config.model import SECRET_KEYS, Broker, Config, Credentials
from sidecar.config.report import KeyPath, Problem, listed
from sidecar.config.secrets import SecretFileError, read_pem, read_secret

_SECRETS: Final = ("key", "secret", "token")
_PAIRS: Final = (*_SECRETS, "user_name")
_BINANCE: Final = frozenset({"key", "key_file", "secret", "secret_file", "private_key_file"})
_OANDA: Final = frozenset({"token", "token_file"})
_PROJECTX: Final = frozenset({"user_name", "user_name_file", "key", "key_file"})
_OPENALGO: Final = frozenset({"key", "key_file"})
_NEEDED: Final = {
    "binance-usdm": _BINANCE,
    "binance-spot": _BINANCE,
    "oanda": _OANDA,
    "projectx": _PROJECTX,
    "openalgo": _OPENALGO,
}
_LOOSE: Final = 0o007


def keys_of(credentials: Credentials) -> Keys | None:
    """The keys that a configuration without errors names; None when it names none. Raises `SecretFileError`."""
    if not credentials.given:
        return None
    private = credentials.private_key_file
    return Keys(
        **{name: _value(credentials, name) for name in _PAIRS},
        private_key="" if private is None else read_pem(private).get_secret_value(),
    )


def _value(credentials: Credentials, name: str) -> str:
    value: SecretStr | None = getattr(credentials, name)
    file: Path | None = getattr(credentials, f"{name}_file")
    if value is None and file is not None:
        value = read_secret(file)
    return "" if value is None else value.get_secret_value()


def written_secrets(document: Document) -> Iterator[Problem]:
    """Secrets that stand in the configuration file itself, where backups and version control find them."""
    brokers = document.data.get("brokers")
    for name, broker in brokers.items() if isinstance(brokers, dict) else ():
        section = broker.get("credentials") if isinstance(broker, dict) else None
        given = section if isinstance(section, dict) else {}
        for key in _SECRETS:
            path: KeyPath = ("brokers", name, "credentials", key)
            if given.get(key) is not None and path not in document.variables:
                wrong = "a secret does not belong in this file"
                yield document.problem(path, wrong, f"{key}_file with the path of a file that holds it")


def credential_errors(name: str, broker: Broker, config: Config) -> list[Finding]:
    """What keeps these credentials from being used."""
    path: KeyPath = ("brokers", name, "credentials")
    given = broker.credentials.given
    if not given:
        return [*_unused(path, broker.credentials)]
    known = _NEEDED.get(broker.profile)
    if known is None:
        right = "remove the section: bots sign for themselves there"
        return [Finding(path, f"the {broker.profile} profile does not know how to sign", right, _profile(path))]
    foreign = [key for key in SECRET_KEYS if key in given - known]
    if foreign:
        wrong = f"says nothing to the {broker.profile} profile"
        return [Finding((*path, key), wrong, f"one of {listed(sorted(known))}", _profile(path)) for key in foreign]
    found = [*_twice(path, given), *_missing(path, broker, given), *_files(path, broker)]
    return found + ([] if found else [*_unguarded(path, broker, config)])


def _unused(path: KeyPath, credentials: Credentials) -> Iterator[Finding]:
    if credentials.use == "lookup":
        yield Finding(
            (*path, "use"), "there are no keys to look anything up with", "key_file and secret_file beside it"
        )


def _profile(path: KeyPath) -> tuple[KeyPath, ...]:
    return ((*path[:-1], "profile"),)


def _twice(path: KeyPath, given: frozenset[str]) -> Iterator[Finding]:
    for key in _PAIRS:
        if {key, f"{key}_file"} <= given:
            yield Finding((*path, f"{key}_file"), f"is given beside {key}", "one of the two", ((*path, key),))
    if "private_key_file" in given and given & {"secret", "secret_file"}:
        wrong = "is given beside a secret: a request has one signature, Ed25519 or HMAC"
        yield Finding((*path, "private_key_file"), wrong, "one of the two, as the key was made at the broker")


def _missing(path: KeyPath, broker: Broker, given: frozenset[str]) -> Iterator[Finding]:
    if broker.profile in {"oanda", "openalgo"}:  # each needs one secret, and one is given
        return
    if not given & {"key", "key_file"}:
        yield Finding(path, "the API key is missing", "key_file with the path of a file that holds it")
    if broker.profile == "projectx":
        if not given & {"user_name", "user_name_file"}:
            yield Finding(path, "the user's name is missing", "user_name, as the user signs in to the platform")
        return
    if not given & {"secret", "secret_file", "private_key_file"}:
        right = "secret_file for a key with HMAC signatures, or private_key_file for one of Ed25519"
        yield Finding(path, "there is nothing to sign with", right)


def _files(path: KeyPath, broker: Broker) -> Iterator[Finding]:
    credentials = broker.credentials
    for name in _PAIRS:
        value: SecretStr | None = getattr(credentials, name)
        if value is not None and not _fits_a_header(value.get_secret_value()):
            yield Finding((*path, name), "is empty, or holds characters that no header can carry", f"the {name} alone")
        file: Path | None = getattr(credentials, f"{name}_file")
        if file is not None:
            try:
                read_secret(file)
            except SecretFileError as error:
                right = f"the path of a file that holds the {name} and nothing else"
                yield Finding((*path, f"{name}_file"), str(error), right)
    if credentials.private_key_file is not None:
        yield from _private_key((*path, "private_key_file"), credentials.private_key_file, broker)


def _fits_a_header(text: str) -> bool:
    return bool(text) and text.isascii() and text.isprintable() and text == text.strip()


def _private_key(path: KeyPath, file: Path, broker: Broker) -> Iterator[Finding]:
    right = "the path of an Ed25519 private key: openssl genpkey -algorithm ed25519 -out FILE"
    try:
        build(broker).signer(Keys(key="-", private_key=read_pem(file).get_secret_value()))
    except SecretFileError as error:
        yield Finding(path, str(error), right)
    except ValueError as error:
        yield Finding(path, f"names a file that {error}", right)


def _unguarded(path: KeyPath, broker: Broker, config: Config) -> Iterator[Finding]:
    listen = config.listen
    if broker.credentials.signs and listen.tcp is not None and listen.token_file is None:
        wrong = "is missing: whatever runs on this machine could trade with the keys of " + ".".join(map(str, path))
        right = "the path of a file with a token that bots must carry; or listen.tcp: null and listen.unix"
        yield Finding(("listen", "token_file"), wrong, right, (path, ("listen", "tcp")))


def credential_warnings(name: str, broker: Broker) -> Iterator[Finding]:
    """Files of secrets that are open to everybody."""
    credentials = broker.credentials
    for key in SECRET_KEYS:
        file = getattr(credentials, key) if key.endswith("_file") else None
        if isinstance(file, Path) and file.stat().st_mode & _LOOSE:
            path: KeyPath = ("brokers", name, "credentials", key)
            yield Finding(path, "every user of this machine can read the file", f"chmod 600 {file}")
