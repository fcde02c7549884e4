"""A look at the state file without a start: what a start would say of it."""

from pathlib import Path

from sidecar.store.files import inspect, locate, missing
from sidecar.store.lock import holder
from sidecar.store.schema import FOLDER, load


def examine(path: Path) -> str:
    """What a start would find at `path`, in words; changes nothing, and keeps no start from its lock.

    Raises StoreError with what would end that start. One that runs on the file is no fault, and it is left alone.
    """
    real = locate(path)
    if (process := holder(real)) is not None:
        return f"in use by a running sidecar (process {process})"
    if missing(real):
        return "there is none yet; a start makes it"
    inspect(real, load(FOLDER))
    return "in order"
