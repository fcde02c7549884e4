"""A gateway to a broker that wants a login, and hands out tokens, in virtual time."""

import asyncio
import base64
import json
from typing import Any

from sidecar.calls.model import Result
from sidecar.calls.session import Session
from sidecar.wire import Answer, Request, header
from tests.calls.scripted import Bench, Step, answer

KEYS = {"user_name": "ada", "key": "api-key-of-ada"}
DAY = 86_400.0
ACCEPTED = answer(200, {"orderId": 9056, "success": True, "errorCode": 0, "errorMessage": None})
EXPIRED = answer(401, "")
WRONG_KEY = answer(200, {"token": None, "success": False, "errorCode": 3, "errorMessage": None})
ACCOUNTS = Request("POST", "/api/Account/search", (), b'{"onlyActiveAccounts":true}')


def order(**fields: Any) -> Request:
    body = {"accountId": 1, "contractId": "CON.F.US.EP.U25", "type": 2, "side": 0, "size": 1} | fields
    return Request("POST", "/api/Order/place", ((b"Authorization", b"Bearer dummy"),), json.dumps(body).encode())


def token(name: str, expires: float | None = None) -> str:
    claims = base64.urlsafe_b64encode(json.dumps({} if expires is None else {"exp": expires}).encode()).decode()
    return f"head.{claims.rstrip('=')}.{name}"


def logged_in(name: str = "first", expires: float | None = None) -> Answer:
    return answer(200, {"token": token(name, expires), "success": True, "errorCode": 0, "errorMessage": None})


class World(Bench):
    """A broker that answers logins by one script and everything else by another."""

    def __init__(self, logins: list[Step], script: list[Step], **settings: Any) -> None:
        super().__init__(script, **{"profile": "projectx", "credentials": KEYS, "retry": {"jitter": 0}, **settings})
        self.logins: list[float] = []
        self._login_script = logins
        calls = self.wire.send

        async def send(request: Request, *, seconds: float, reserved: bool = False) -> Answer:
            if request.path != "/api/Auth/loginKey":
                return await calls(request, seconds=seconds, reserved=reserved)
            self.logins.append(self.clock.monotonic())
            step = self._login_script[min(len(self.logins), len(self._login_script)) - 1]
            await self.clock.sleep(0.2)
            if isinstance(step, Exception):
                raise step
            self.login_request = request
            return step

        self.gateway._transport.send = send  # type: ignore[method-assign] # the seam under test

    @property
    def session(self) -> Session:
        session = self.gateway.questions.asker.session
        assert session is not None
        return session

    @property
    def shown(self) -> list[str]:
        """The names of the tokens that the calls showed, in order."""
        bearers = [header(request.headers, b"authorization") or b"" for request in self.wire.requests]
        return [bearer.decode().rpartition(".")[2] for bearer in bearers]

    def together(self, *requests: Request) -> list[Result]:
        async def main() -> list[Result]:
            return await asyncio.gather(*(self.gateway.run(each, deadline_seconds=30) for each in requests))

        return self.clock.run(main())

    def call_at(self, *times: float, request: Request = ACCOUNTS) -> list[Result]:
        """A call at each time, in seconds since the start."""

        async def main() -> list[Result]:
            results = []
            for at in times:
                await self.clock.sleep(at - self.clock.monotonic())
                results.append(await self.gateway.run(request, deadline_seconds=30))
            await self.clock.sleep(1)
            return results

        return self.clock.run(main())
