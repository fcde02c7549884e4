"""The IETF's `RateLimit` and `RateLimit-Policy` fields (draft-ietf-httpapi-ratelimit-headers).

Two spellings are in use: since draft 08 `"name";r=50;t=30` with the policy `"name";q=100;w=60`, before it
`limit=100, remaining=50, reset=30` with the policy `100;w=60`.
"""

import re
from dataclasses import dataclass

from sidecar.brokers._answers import number

_ITEM = re.compile(r'("[^"]*"|[^",;=\s]+)((?:\s*;\s*[a-z]+=[^;,\s]*)*)\s*(?:,|$)')
_PARAMETER = re.compile(r";\s*([a-z]+)=([^;,]*)")
_OLD_PAIR = re.compile(r"(limit|remaining|reset)\s*=\s*(\d+)")
_LONGEST_FIELD = 1024


@dataclass(frozen=True, slots=True)
class Told:
    """What the fields say about the limit that is nearest; None where they say nothing."""

    capacity: float | None = None
    remaining: float | None = None
    resets_in: float | None = None
    """Seconds."""
    window: float | None = None
    """Seconds."""


def told_by(field: bytes, policy: bytes) -> Told:
    """Reads both fields; of several limits the one with the smallest share left counts."""
    text = field[:_LONGEST_FIELD].decode("latin-1")
    policies = _items(policy[:_LONGEST_FIELD].decode("latin-1"))
    old = dict(_OLD_PAIR.findall(text))
    if old:
        quota, window = _old_policy(policies)
        return Told(
            _positive(old.get("limit")) or quota, _count(old.get("remaining")), _count(old.get("reset")), window
        )
    found = [_with_policy(name, parameters, policies) for name, parameters in _items(text).items()]
    return min(found, key=_share, default=Told())


def _items(text: str) -> dict[str, dict[str, str]]:
    return {name.strip('"'): dict(_PARAMETER.findall(parameters)) for name, parameters in _ITEM.findall(text)}


def _with_policy(name: str, parameters: dict[str, str], policies: dict[str, dict[str, str]]) -> Told:
    policy = policies.get(name, {})
    return Told(
        _positive(policy.get("q")), _count(parameters.get("r")), _count(parameters.get("t")), _positive(policy.get("w"))
    )


def _old_policy(policies: dict[str, dict[str, str]]) -> tuple[float | None, float | None]:
    name, parameters = next(iter(policies.items()), ("", {}))
    return _positive(name), _positive(parameters.get("w"))


def _share(told: Told) -> float:
    return (told.remaining if told.remaining is not None else float("inf")) / (told.capacity or 1.0)


def _count(text: str | None) -> float | None:
    found = None if text is None else number(text)
    return found if found is not None and found >= 0 else None


def _positive(text: str | None) -> float | None:
    return _count(text) or None
