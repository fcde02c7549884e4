"""How the server is loaded: without looking for garbage among modules."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """Whatever is imported in here is there for good, and is the server's."""
    # Modules are hardly ever garbage: to look through all of them, again and again as they come, is in vain.
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
