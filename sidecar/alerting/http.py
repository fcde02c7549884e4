"""Alerts on their way to an Alertmanager."""

from typing import Final

import aiohttp
from pydantic import SecretStr

from sidecar.alerting.alertmanager import Post

TIMEOUT_SECONDS: Final = 4.0
_PATH: Final = "/api/v2/alerts"


class Poster:
    """Posts to Alertmanagers; its connections are made on first use."""

    def __init__(self, token: SecretStr | None = None) -> None:
        self.token = token
        self._headers = {"Content-Type": "application/json"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token.get_secret_value()}"
        self._session: aiohttp.ClientSession | None = None

    def to(self, url: str) -> Post:
        """What posts to the Alertmanager at this base URL."""

        async def post(body: bytes) -> str:
            return await self._post(url, body)

        return post

    async def close(self) -> None:
        """Let go of the connections."""
        if self._session is not None:
            await self._session.close()

    async def _post(self, url: str, body: bytes) -> str:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
            self._session = aiohttp.ClientSession(timeout=timeout, headers=self._headers)
        try:
            async with self._session.post(f"{url}{_PATH}", data=body, allow_redirects=False) as answer:
                return "" if answer.status == 200 else f"{url} answered {answer.status}"  # noqa: PLR2004 - HTTP's own number
        except TimeoutError:
            return f"{url} gave no answer within {TIMEOUT_SECONDS:g} s"
        except aiohttp.ClientError as failure:
            return f"{url} cannot be reached ({type(failure).__name__})"
