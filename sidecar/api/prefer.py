"""What a caller prefers (RFC 7240): to wait for the outcome, or not to."""

import re
from typing import Final

from sidecar.wire import Headers

LONGEST_WAIT_SECONDS: Final = 300.0
"""A longer wait is cut to this: who still wants to wait then asks again."""
_WAIT: Final = re.compile(r'wait\s*=\s*"?(\d{1,9}(?:\.\d{1,9})?)"?', re.ASCII)


def preferences(headers: Headers) -> tuple[bool, float]:
    """Whether a `Prefer` asks for an answer before the outcome, and for how many seconds the outcome is waited for."""
    respond_async, wait = False, 0.0
    for name, value in headers:
        if len(name) == len(b"prefer") and name.lower() == b"prefer":
            for part in re.split("[,;]", value.decode("latin-1").lower()):
                respond_async = respond_async or part.strip() == "respond-async"
                if (told := _WAIT.fullmatch(part.strip())) is not None:
                    wait = min(float(told[1]), LONGEST_WAIT_SECONDS)
    return respond_async, wait
