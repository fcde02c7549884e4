"""Finished days: compressed in small steps, so that the writer never pauses for long."""

import gzip
import os
from collections.abc import Iterator

from sidecar.telemetry.audit.chain import Link, unseal
from sidecar.telemetry.audit.files import DAMAGE, MODE, DayFile, day_files, sync_directory, zipped_path

_STEP = 256 * 1024


def compress(file: DayFile) -> Iterator[None]:
    """Compress a finished day, one piece at each `next`.

    At every moment either the plain file or the whole compressed one is there: a crash between only means that the
    work starts anew. An abandoned iterator leaves the plain file as it was. Raises OSError.
    """
    directory, target = file.path.parent, zipped_path(file.path.parent, file.day)
    temporary = target.with_name(target.name + ".tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, MODE)
    with (
        os.fdopen(descriptor, "wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=6) as zipped,
        file.path.open("rb") as plain,
    ):
        while piece := plain.read(_STEP):
            zipped.write(piece)
            yield
        zipped.close()
        raw.flush()
        os.fsync(raw.fileno())
    temporary.replace(target)
    sync_directory(directory)
    file.path.unlink()
    sync_directory(directory)


def end_of(file: DayFile, newest: Link) -> Link | None:
    """The last link of a day as its successor tells it, which is quicker to read than the day itself.

    `newest` is the end of the chain, for the newest day. None when the successor cannot be read.
    """
    for later in day_files(file.path.parent):
        if later.day > file.day:
            try:
                first = next(later.lines(), b"")
            except DAMAGE:
                return None
            if first:
                sealed = unseal(first)
                return Link(sealed.link.seq - 1, sealed.prev) if sealed else None
    return newest
