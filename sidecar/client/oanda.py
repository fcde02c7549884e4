"""Points oandapyV20 at the sidecar.

import oandapyV20
from sidecar.client.oanda import through_sidecar

api = oandapyV20.API(access_token=..., environment=through_sidecar("http://127.0.0.1:8787", "oanda"))
"""

from typing import Any, Final

ENVIRONMENT: Final = "sidecar-{broker}"


def through_sidecar(sidecar: str, broker: str) -> str:
    """Register the sidecar as an environment of oandapyV20, for calls and streams; return the environment's name.

    Args:
        sidecar: `http://127.0.0.1:8787`.
        broker: the OANDA broker's name in the sidecar's configuration.
    """
    from oandapyV20.oandapyV20 import TRADING_ENVIRONMENTS  # noqa: PLC0415 - only those who have it call this

    environments: dict[str, Any] = TRADING_ENVIRONMENTS
    base = f"{sidecar.rstrip('/')}/{broker}"
    name = ENVIRONMENT.format(broker=broker)
    environments[name] = {"api": base, "stream": base}
    return name
