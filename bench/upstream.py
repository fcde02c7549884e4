"""The broker's stand-in: fast enough not to matter, with a broker's headers; it swallows traces too."""

from pathlib import Path
from typing import Final

from bench.process import Cores, Running, free_port, program

READ: Final = "/fapi/v1/ticker/price?symbol=BTCUSDT"
ORDER: Final = "/fapi/v1/order"
PRICE: Final = '{"symbol":"BTCUSDT","price":"67012.30","time":1750000000123}'
ACCEPTED: Final = (
    '{"orderId":283194212,"symbol":"BTCUSDT","status":"NEW","clientOrderId":"bench-1","price":"67000.00",'
    '"avgPrice":"0.00","origQty":"0.010","executedQty":"0.000","cumQty":"0.000","cumQuote":"0.00000",'
    '"timeInForce":"GTC","type":"LIMIT","reduceOnly":false,"closePosition":false,"side":"BUY","positionSide":"BOTH",'
    '"stopPrice":"0.00","workingType":"CONTRACTPRICE","priceProtect":false,"origType":"LIMIT",'
    '"updateTime":1750000000123}'
)
FOUND: Final = (
    '{"orderId":283194213,"symbol":"BTCUSDT","status":"FILLED","clientOrderId":"$arg_origClientOrderId",'
    '"avgPrice":"67000.00","origQty":"0.010","executedQty":"0.010","type":"MARKET","side":"BUY","time":1750000000123,'
    '"updateTime":1750000000123}'
)
"""Whichever order is asked for has been filled."""
CHECKED: Final = {"/fapi/v1/ping": "{}", "/fapi/v3/balance": "[]"}
"""What a sidecar with keys asks before it says that it is ready."""
LONG_AGO: Final = 1_750_000_000.0
"""Unix seconds; just before that."""
FOREGROUND: Final = "daemon off; master_process off; worker_processes 1; error_log stderr error;"
ENDLESS: Final = "keepalive_requests 1000000000; keepalive_timeout 300s;"
"""nginx closes a connection after a thousand requests by default; a reset is not what is measured here."""


def start(folder: Path, cores: Cores) -> tuple[Running, int]:
    """Start it on the core of the load; returns it and its port."""
    port = free_port()
    path = folder / "upstream.conf"
    path.write_text(configuration(port, folder))
    upstream = Running("upstream", [program("nginx"), "-c", str(path), "-p", str(folder)], folder, cores.load)
    upstream.wait_for(port)
    return upstream, port


def configuration(port: int, folder: Path) -> str:
    """An nginx that answers from memory."""
    checked = "\n    ".join(f"location = {path} {{ return 200 '{body}'; }}" for path, body in CHECKED.items())
    return f"""
{FOREGROUND}
pid {folder}/upstream.pid;
events {{ worker_connections 2048; }}
http {{
  access_log off;
  default_type application/json;
  client_body_temp_path {folder}/upstream-body;
  {ENDLESS}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    add_header X-MBX-USED-WEIGHT-1M 12;
    location = {READ.partition("?")[0]} {{ return 200 '{PRICE}'; }}
    {checked}
    location = {ORDER} {{
      add_header X-MBX-USED-WEIGHT-1M 12;
      add_header X-MBX-ORDER-COUNT-10S 3;
      add_header X-MBX-ORDER-COUNT-1M 7;
      if ($request_method = GET) {{ return 200 '{FOUND}'; }}
      return 200 '{ACCEPTED}';
    }}
    location = /v1/traces {{ default_type application/x-protobuf; client_max_body_size 64m; return 200 ''; }}
  }}
}}
"""
