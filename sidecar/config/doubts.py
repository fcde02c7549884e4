"""What can be run with one broker, and is dangerous or probably not meant."""

from collections.abc import Iterator, Mapping

from sidecar.brokers.registry import build
from sidecar.brokers.streams import TellsOfOrders
from sidecar.config.credentials import credential_warnings
from sidecar.config.findings import Finding
from sidecar.config.hosts import BINANCE_STREAMS, OANDA_STREAMS, is_loopback, url_host
from sidecar.config.model import Broker
from sidecar.config.report import KeyPath
from sidecar.words import BreakerMode


def broker_warnings(name: str, broker: Broker) -> list[Finding]:
    """What is dangerous, or probably not meant."""
    path: KeyPath = ("brokers", name)
    return [
        *_clear_text(path, broker),
        *_unused_streams(path, broker),
        *_hopeless_retry(path, broker),
        *_by_hand(path, broker),
        *credential_warnings(name, broker),
    ]


def _clear_text(path: KeyPath, broker: Broker) -> Iterator[Finding]:
    for key, url in (("base_url", broker.base_url), ("stream_url", broker.stream_url)):
        if url and url.startswith("http://") and not is_loopback(url_host(url)):
            yield Finding(
                (*path, key), "keys and orders would cross the network in clear text", url.replace("http", "https", 1)
            )


def _unused_streams(path: KeyPath, broker: Broker) -> Iterator[Finding]:
    wanted = OANDA_STREAMS.get(url_host(broker.base_url))
    if broker.profile == "oanda" and broker.stream_url is None and wanted:
        wrong = "this key is missing: calls for streams would go to base_url, where OANDA has none"
        yield Finding((*path, "stream_url"), wrong, wanted)
    if broker.stream_url and url_host(broker.stream_url) == url_host(BINANCE_STREAMS) and not _is_private(broker):
        yield Finding((*path, "stream_url"), "the streams of accounts are not there", BINANCE_STREAMS)
    profile = build(broker)
    useful = isinstance(profile, TellsOfOrders) or any(endpoint.stream for endpoint in profile.endpoints)
    if broker.stream_url is not None and not useful:
        wrong = f"the {broker.profile} profile knows of no streams, so that nothing uses it"
        yield Finding((*path, "stream_url"), wrong, "remove it")


def _is_private(broker: Broker) -> bool:
    return (broker.stream_url or "").rstrip("/") == BINANCE_STREAMS


def _hopeless_retry(path: KeyPath, broker: Broker) -> Iterator[Finding]:
    delay = broker.retry.base_seconds
    if delay is not None and delay >= broker.deadline_seconds:
        wrong = f"the first retry would come after deadline_seconds, {broker.deadline_seconds:g}, so that there is none"
        yield Finding((*path, "retry", "base_seconds"), wrong, f"less than {broker.deadline_seconds:g}")


_MODES: Mapping[BreakerMode, str] = {
    BreakerMode.FORCED_OPEN: "every call but cancels and reduce-only orders is refused",
    BreakerMode.FORCED_CLOSED: "nothing protects the broker from calls that fail",
    BreakerMode.SHADOW: "failures are measured, but no call is refused",
}


def _by_hand(path: KeyPath, broker: Broker) -> Iterator[Finding]:
    modes: list[tuple[KeyPath, BreakerMode | None]] = [((), broker.breaker.mode)]
    modes += [(("groups", name), override.mode) for name, override in broker.breaker.groups.items()]
    for below, mode in modes:
        if mode is not None and mode in _MODES:
            yield Finding((*path, "breaker", *below, "mode"), _MODES[mode], "auto, unless this is meant")
