"""All boards, and the files that they become."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards import alerts, broker, fleet, limits, orders, process

FOLDER: Final = Path(__file__).parent / "json"


def boards() -> Mapping[str, Dashboard]:
    """Every board by the name of its file, in the order in which a person looks."""
    return {
        "fleet.json": fleet.board(),
        "broker.json": broker.board(),
        "limits.json": limits.board(),
        "orders.json": orders.board(),
        "alerts.json": alerts.board(),
        "sidecar.json": process.board(),
    }


def written() -> Mapping[str, str]:
    """The text of each file."""
    encoder = JSONEncoder(indent=2, sort_keys=True)
    return {name: f"{encoder.encode(board)}\n" for name, board in boards().items()}
