"""A request full of secrets, and how it fails."""

import traceback
from collections.abc import Iterator
from typing import Final

import pytest

from sidecar.calls.transport import Transport, TransportError
from sidecar.wire import Request

SECONDS: Final = 5.0
SECRETS: Final = ("SIGNATURE-1f2e", "KEY-3d4c", "BODY-5b6a", "QUERY-7988", "PATH-1122", "not-a-host")
ORDER: Final = Request(
    "POST", "/PATH-1122?q=QUERY-7988&signature=SIGNATURE-1f2e", ((b"X-MBX-APIKEY", b"KEY-3d4c"),), b"BODY-5b6a"
)


async def failing(transport: Transport, request: Request = ORDER, seconds: float = SECONDS) -> TransportError:
    """The failure of a call that must fail."""
    with pytest.raises(TransportError) as caught:
        await transport.send(request, seconds=seconds)
    return caught.value


def assert_tells_nothing(failure: TransportError) -> None:
    """No words, attribute, cause, context or traceback of a failure may hold a piece of the request."""
    assert list(_chain(failure)) == [failure]
    told = "".join([str(failure), repr(failure), repr(failure.args), repr(vars(failure))])
    told += "".join(traceback.format_exception(failure))
    assert not [secret for secret in SECRETS if secret in told]


def _chain(failure: BaseException | None) -> Iterator[BaseException]:
    while failure is not None:
        yield failure
        failure = failure.__cause__ or failure.__context__
