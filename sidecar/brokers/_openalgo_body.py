"""OpenAlgo's request bodies: JSON objects in which the API key travels among the order's own fields.

[doc] "Authentication": POST takes `apikey` in the JSON body, GET in the query. Nothing that is kept may hold it.
"""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

from sidecar.brokers._answers import parsed
from sidecar.brokers._essence import joined
from sidecar.wire import Headers, Request, header

KEY: Final = "apikey"
JSON: Final[Headers] = ((b"Content-Type", b"application/json"),)

Fields = Mapping[str, object]


def fields_of(request: Request) -> Fields:
    """The fields of the body; empty when it is no JSON object."""
    said = parsed(request.body) if request.body else None
    return said if isinstance(said, dict) else {}


def key_of(request: Request) -> str:
    """The API key that the bot shows; empty when it shows none."""
    told = fields_of(request).get(KEY)
    if isinstance(told, str):
        return told
    shown = (pair.partition("=")[2] for pair in request.query.split("&") if _is_key(pair.partition("=")[0]))
    return next(shown, "")


def keyless(fields: Fields) -> dict[str, object]:
    """The fields without the key, in whichever casing a bot wrote its name."""
    return {name: value for name, value in fields.items() if not _is_key(name)}


def without_key(query: str) -> str:
    """A query without the key, every other byte as it was."""
    return "&".join(pair for pair in query.split("&") if not _is_key(pair.partition("=")[0]))


def target(path: str, query: str) -> str:
    """A request's target."""
    return f"{path}?{query}" if query else path


def written(fields: Fields) -> bytes:
    """The fields as JSON.

    A number may be written otherwise than the bot wrote it, never with another value: OpenAlgo, too, reads each into
    the nearest double.
    """
    return json.dumps(fields, separators=(",", ":")).encode()


def request(path: str, fields: Fields) -> Request:
    """A request with these fields."""
    return Request("POST", path, JSON, written(fields))


def unsigned(request: Request) -> Request:
    """The request without the key. A body in which one could not be found by its name is left out."""
    kept = tuple(pair for pair in request.headers if pair[0].lower() == b"content-type")
    fields = fields_of(request)
    return Request(
        request.method,
        target(request.path, without_key(request.query)),
        kept,
        written(keyless(fields)) if fields else b"",
    )


def essence(request: Request) -> bytes:
    """What is asked for, and a digest of the key, which names the account."""
    fields = fields_of(request)
    asked = json.dumps(keyless(fields), sort_keys=True).encode() if fields else sha256(request.body).digest()
    shown = key_of(request).encode("utf-8", "surrogatepass") or header(request.headers, b"x-api-key") or b""
    return joined(
        request.method.encode(),
        request.path.removesuffix("/").encode("utf-8", "surrogateescape"),
        without_key(request.query).encode("utf-8", "surrogateescape"),
        asked,
        sha256(shown).digest() if shown else b"",
    )


def _is_key(name: str) -> bool:
    return name.lower() == KEY
