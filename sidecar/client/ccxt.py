"""Points a ccxt exchange at the sidecar, all hosts of it, and keeps its exception classes right.

import ccxt
from sidecar.client.ccxt import through_sidecar

exchange = ccxt.binanceusdm({"apiKey": ..., "secret": ...})
through_sidecar(exchange, "http://127.0.0.1:8787", {"fapi.binance.com": "binance"})
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import aiohttp

_CURRENCIES_HOST = "api.binance.com"
_KINDS = {"binanceusdm": "linear", "binancecoinm": "inverse"}


def through_sidecar(exchange: Any, sidecar: str, brokers: Mapping[str, str]) -> None:
    """Send every call of a ccxt exchange (sync or async) through the sidecar.

    Args:
        exchange: the ccxt exchange object.
        sidecar: `http://127.0.0.1:8787`, or `unix:/path/to/socket` for an async exchange (then call this inside the
            event loop; `exchange.close()` closes the connection).
        brokers: the broker configured in the sidecar for each of the exchange's hosts, such as
            `{"fapi.binance.com": "binance"}`. A call to a host that is not named here does not leak past the sidecar:
            it is sent there too, and answered with 404 and the host's name.

    Raises:
        ValueError: when no host of the exchange is named in `brokers`: the mapping is for another exchange.
    """
    hosts = _hosts(exchange.urls["api"])
    if hosts.isdisjoint(brokers):
        raise ValueError(f"{exchange.id} calls {', '.join(sorted(hosts))}; name at least one of them in `brokers`")
    base = sidecar.rstrip("/")
    if sidecar.startswith("unix:"):
        base = "http://localhost"
        exchange.session = aiohttp.ClientSession(connector=aiohttp.UnixConnector(sidecar.removeprefix("unix:")))
    exchange.urls["api"] = _rewritten(exchange.urls["api"], base, brokers)
    if _CURRENCIES_HOST in hosts and _CURRENCIES_HOST not in brokers:
        # With keys, load_markets() also asks this host for currencies; without a broker for it, it would never succeed.
        exchange.options["fetchCurrencies"] = False
    # ccxt picks exception classes by the real host's name; behind another base URL it would raise the generic
    # ExchangeError where InsufficientFunds was meant.
    kind = _KINDS.get(exchange.id, "spot")
    exchange.exceptions["exact"] |= exchange.exceptions.get(kind, {}).get("exact", {})


def _hosts(urls: Any) -> set[str]:
    if isinstance(urls, str):
        return {urlsplit(urls).netloc}
    return set().union(*(_hosts(url) for url in urls.values()))


def _rewritten(urls: Any, base: str, brokers: Mapping[str, str]) -> Any:
    if isinstance(urls, str):
        parts = urlsplit(urls)
        return f"{base}/{brokers.get(parts.netloc, parts.netloc)}{parts.path}"
    return {key: _rewritten(url, base, brokers) for key, url in urls.items()}
