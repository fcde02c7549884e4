"""The state file: what the sidecar must still know after a restart."""

from sidecar.store.errors import (
    StoreBusyError,
    StoreClosedError,
    StoreCorruptError,
    StoreError,
    StoreFullError,
    StoreGoneError,
    StoreLockedError,
    StoreMigrationError,
    StoreNewerError,
    StoreUnusableError,
)
from sidecar.store.examine import examine
from sidecar.store.store import Store, StoreReadings

__all__ = [
    "Store",
    "StoreBusyError",
    "StoreClosedError",
    "StoreCorruptError",
    "StoreError",
    "StoreFullError",
    "StoreGoneError",
    "StoreLockedError",
    "StoreMigrationError",
    "StoreNewerError",
    "StoreReadings",
    "StoreUnusableError",
    "examine",
]
