"""What is wrong with one broker beyond its single keys: held against what its profile knows."""

from collections.abc import Iterator

from sidecar.brokers.limits import BucketSpec, WindowSpec
from sidecar.brokers.profile import Endpoint, Profile
from sidecar.brokers.registry import build
from sidecar.config import keys
from sidecar.config.credentials import credential_errors
from sidecar.config.findings import Finding
from sidecar.config.forms import split_address
from sidecar.config.hosts import OANDA_STREAMS, is_loopback, url_host, url_port
from sidecar.config.model import Breaker, BreakerOverride, Broker, Config, State
from sidecar.config.report import KeyPath, listed
from sidecar.words import Effect


def broker_errors(name: str, broker: Broker, config: Config) -> list[Finding]:
    """What keeps this broker from being served."""
    path: KeyPath = ("brokers", name)
    profile = build(broker)
    return [
        *_names(path, broker, profile),
        *_limits(path, broker, profile),
        *_routes(path, broker),
        *_pauses(path, broker),
        *_streams(path, broker),
        *_itself(path, broker, config),
        *_client_ids(path, broker, config.state),
        *credential_errors(name, broker, config),
    ]


def _client_ids(path: KeyPath, broker: Broker, state: State) -> Iterator[Finding]:
    """Whether what is promised of client ids is kept for so long: those sent directly, and those carried."""
    here, seconds = (*path, "client_id_seconds"), broker.client_id_seconds
    kept = {name: getattr(state, name) for name in ("idempotency_seconds", "order_history_seconds")}
    if seconds and state.path is None:
        yield Finding(here, "without a state file no client id is remembered", "0, or set state.path", (("state",),))
        return
    for name, most in kept.items():
        if seconds > most:
            wrong = f"is longer than state.{name}, {most:g}, after which a client id is forgotten"
            yield Finding(here, wrong, f"{most:g} or less, or a longer state.{name}", (("state", name),))


def _names(path: KeyPath, broker: Broker, profile: Profile) -> Iterator[Finding]:
    endpoints = sorted({endpoint.name for endpoint in profile.endpoints})
    groups = sorted({endpoint.group for endpoint in profile.endpoints})
    for name in broker.retry.endpoints:
        if name not in endpoints:
            yield _unknown((*path, "retry", "endpoints", name), "endpoint", endpoints, path, broker)
    for name in broker.cache.endpoints:
        here = (*path, "cache", "endpoints", name)
        if name not in endpoints:
            yield _unknown(here, "endpoint", endpoints, path, broker)
        elif not all(_can_be_remembered(endpoint) for endpoint in profile.endpoints if endpoint.name == name):
            right = "remove it: only reads whose answer ends can be remembered, and no login"
            yield Finding(here, "is no plain read", right, _profile_keys(path, broker))
    for name in broker.breaker.groups:
        if name not in groups:
            yield _unknown((*path, "breaker", "groups", name), "group", groups, path, broker)
    for name, bucket in broker.limits.buckets.items():
        if bucket.group is not None and bucket.group not in groups:
            yield _unknown((*path, "limits", "buckets", name, "group"), "group", groups, path, broker)


def _can_be_remembered(endpoint: Endpoint) -> bool:
    return endpoint.effect is Effect.READ and not endpoint.stream and endpoint.group != "auth"


def _limits(path: KeyPath, broker: Broker, profile: Profile) -> Iterator[Finding]:
    known = {
        "windows": sorted(spec.name for spec in profile.limits if isinstance(spec, WindowSpec)),
        "buckets": sorted(spec.name for spec in profile.limits if isinstance(spec, BucketSpec)),
    }
    windows, buckets = broker.limits.windows, broker.limits.buckets
    for name, window in windows.items():
        here = (*path, "limits", "windows", name)
        if name in known["buckets"] or name in buckets:
            yield Finding(here, "is a bucket already", "another name, or limits.buckets", _profile_keys(path, broker))
        elif name not in known["windows"] and (window.capacity is None or window.seconds is None):
            yield _unknown(
                here, "window", known["windows"], path, broker, otherwise="a new one needs capacity and seconds"
            )
    for name, bucket in buckets.items():
        here = (*path, "limits", "buckets", name)
        if name in known["windows"]:
            yield Finding(here, "is a window already", "another name, or limits.windows", _profile_keys(path, broker))
        elif name not in known["buckets"] and bucket.rate is None:
            yield _unknown(here, "bucket", known["buckets"], path, broker, otherwise="a new one needs a rate")


def _routes(path: KeyPath, broker: Broker) -> Iterator[Finding]:
    seen: dict[tuple[str, str], str] = {}
    for name, route in broker.generic.endpoints.items() if broker.generic else ():
        first = seen.setdefault((route.method, route.path), name)
        if first != name:
            here = (*path, "generic", "endpoints", name)
            wrong = f"has the method and path of {first}, so that one of them is never used"
            yield Finding(here, wrong, "another path or method", ((*path, "generic", "endpoints", first),))


def _unknown(
    here: KeyPath, kind: str, known: list[str], path: KeyPath, broker: Broker, *, otherwise: str = ""
) -> Finding:
    name = str(here[-1]) if here[-1] != "group" else ""
    guess = keys.nearest(name, known)
    choices = f"one of {listed(known)}" if known else f"none: the profile has no {kind} of its own"
    words = [f"did you mean {guess}?" if guess else "", choices, f"({otherwise})" if otherwise else ""]
    right = " ".join(word for word in words if word)
    return Finding(here, f"the {broker.profile} profile has no such {kind}", right, _profile_keys(path, broker))


def _profile_keys(path: KeyPath, broker: Broker) -> tuple[KeyPath, ...]:
    """What decides which names the profile knows."""
    return ((*path, "profile"), (*path, "generic")) if broker.profile == "generic" else ((*path, "profile"),)


def _pauses(path: KeyPath, broker: Broker) -> Iterator[Finding]:
    breakers: list[tuple[KeyPath, BreakerOverride]] = [((), broker.breaker)]
    breakers += [(("groups", name), override) for name, override in broker.breaker.groups.items()]
    for below, breaker in breakers:
        if not {"recovery_seconds", "recovery_max_seconds"} & breaker.model_fields_set:
            continue
        first = _or_of(broker.breaker, breaker, "recovery_seconds")
        longest = _or_of(broker.breaker, breaker, "recovery_max_seconds")
        if first > longest:
            here = (*path, "breaker", *below, "recovery_seconds")
            yield Finding(
                here,
                f"{first:g} is above recovery_max_seconds, {longest:g}",
                f"at most {longest:g}, or a higher maximum",
            )
    retry = broker.retry
    if retry.base_seconds is not None and retry.max_seconds is not None and retry.base_seconds > retry.max_seconds:
        here = (*path, "retry", "base_seconds")
        yield Finding(
            here, f"is above max_seconds, {retry.max_seconds:g}", f"at most {retry.max_seconds:g}, or a higher maximum"
        )


def _or_of(broker: Breaker, override: BreakerOverride, key: str) -> float:
    own = getattr(override, key)
    return float(getattr(broker, key) if own is None else own)


def _streams(path: KeyPath, broker: Broker) -> Iterator[Finding]:
    wanted = OANDA_STREAMS.get(url_host(broker.base_url))
    given = broker.stream_url and f"https://{url_host(broker.stream_url)}"
    if broker.profile == "oanda" and wanted and given in OANDA_STREAMS.values() and given != wanted:
        wrong = "is of the other environment: practice and live accounts do not know each other"
        yield Finding((*path, "stream_url"), wrong, wanted, ((*path, "base_url"), (*path, "profile")))


def _itself(path: KeyPath, broker: Broker, config: Config) -> Iterator[Finding]:
    if config.listen.tcp is None:
        return
    _, port = split_address(config.listen.tcp)
    for key, url in (("base_url", broker.base_url), ("stream_url", broker.stream_url)):
        if url and is_loopback(url_host(url)) and url_port(url) == port:
            wrong = f"is the sidecar's own address, {config.listen.tcp}: it would call itself"
            yield Finding((*path, key), wrong, "the broker's own URL", (("listen", "tcp"),))
