"""What hosts and addresses mean, judged without asking the network."""

from collections.abc import Mapping
from ipaddress import ip_address
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from sidecar.config.forms import split_address

OANDA_STREAMS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "api-fxpractice.oanda.com": "https://stream-fxpractice.oanda.com",
        "api-fxtrade.oanda.com": "https://stream-fxtrade.oanda.com",
    }
)
"""Where OANDA's two environments stream, by REST host: its development guide, "Environments"."""

BINANCE_STREAMS: Final = "https://fstream.binance.com/private"
"""Where the futures tell an account what happens to its orders: "Important WebSocket Change Notice", 2026."""

_PORTS: Final = {"http": 80, "https": 443}


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the host."""
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def overlap(one: str, other: str) -> bool:
    """Whether two listeners at these `host:port` addresses would claim the same port of the same interface."""
    (host, port), (other_host, other_port) = split_address(one), split_address(other)
    if port != other_port or port == 0:
        return False
    return _any_interface(host) or _any_interface(other_host) or _name(host) == _name(other_host)


def url_host(url: str) -> str:
    """The host of a base URL, in lower case."""
    return urlsplit(url).hostname or ""


def url_port(url: str) -> int:
    """The port of a base URL, given or implied."""
    parts = urlsplit(url)
    return parts.port or _PORTS[parts.scheme]


def _any_interface(host: str) -> bool:
    try:
        return ip_address(host).is_unspecified
    except ValueError:
        return False


def _name(host: str) -> str:
    return "127.0.0.1" if host.lower() == "localhost" else host.lower()
