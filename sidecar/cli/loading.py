"""How the server is loaded: without what would only take time and memory."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """Whatever is imported in here is there for good, and is the server's."""
    # Modules are hardly ever garbage: to look through all of them, again and again as they come, is in vain.
    gc.disable()
    # structlog loads rich wherever it is installed (3 MB), for tracebacks that the sidecar's log does not draw.
    hidden = "rich" not in sys.modules
    if hidden:
        sys.modules["rich"] = None  # type: ignore[assignment] # what importlib takes for "there is none"
    try:
        yield
    finally:
        if hidden:
            del sys.modules["rich"]
        gc.freeze()
        gc.enable()
