"""The sidecar's own answers, as oandapyV20 hands them to a bot."""

import json
from typing import Any

import oandapyV20
import pytest
import requests
from oandapyV20.endpoints import accounts
from oandapyV20.exceptions import V20Error

from sidecar.brokers.oanda import Oanda
from sidecar.brokers.profile import Refusal
from sidecar.words import RefusalKind


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (RefusalKind.RATE_LIMITED, 429),
        (RefusalKind.BREAKER_OPEN, 503),
        (RefusalKind.UNREACHABLE, 503),
        (RefusalKind.DEADLINE, 503),
        (RefusalKind.BAD_ANSWER, 502),
        (RefusalKind.UNKNOWN, 504),
    ],
)
def test_a_refusal_reaches_the_bot_with_its_status_and_its_words(
    kind: RefusalKind, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = Oanda().refuse(Refusal(kind, "it rained"))
    response = requests.Response()
    response.status_code = refused.status
    response._content = refused.body

    def get(*_: Any, **__: Any) -> requests.Response:
        return response

    with oandapyV20.API(access_token="token") as client:
        monkeypatch.setattr(client.client, "get", get)
        with pytest.raises(V20Error) as caught:
            client.request(accounts.AccountList())

    assert caught.value.code == status
    assert "it rained" in json.loads(caught.value.msg)["errorMessage"]
