"""What the tests of the profiles share."""

import json
from urllib.parse import urlencode

from sidecar.brokers.profile import Endpoint, Intent
from sidecar.wire import Answer, Headers, Request
from sidecar.words import Effect, Priority

STAMP = 1_700_000_000_000
SIGNATURE = "5f2d8c0a" * 8
API_KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
JSON: Headers = ((b"Content-Type", b"application/json"),)


def signed(**parameters: object) -> str:
    return urlencode({**parameters, "timestamp": STAMP, "signature": SIGNATURE})


def query(method: str, path: str, **parameters: object) -> Request:
    return Request(method, f"{path}?{signed(**parameters)}", ((b"X-MBX-APIKEY", API_KEY.encode()),))


def form(method: str, path: str, **parameters: object) -> Request:
    return Request(method, path, ((b"X-MBX-APIKEY", API_KEY.encode()),), signed(**parameters).encode())


def body(method: str, path: str, payload: object) -> Request:
    return Request(method, path, JSON, json.dumps(payload).encode())


def answer(status: int, payload: object, *headers: tuple[bytes, bytes]) -> Answer:
    text = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return Answer(status, (*JSON, *headers), text)


def error(status: int, code: int, msg: str = "…", *headers: tuple[bytes, bytes]) -> Answer:
    return answer(status, {"code": code, "msg": msg}, *headers)


def intent(effect: Effect, name: str = "place_order") -> Intent:
    priority = Priority.ACCOUNT if effect is Effect.READ else Priority.ORDER
    return Intent(Endpoint(name, "orders", effect, priority), effect, priority)


ORDER = intent(Effect.OPENS_RISK)
READ = intent(Effect.READ, "get_account")
