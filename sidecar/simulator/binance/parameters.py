"""The parameters of one request, read from query and form body alike."""

import re
from collections.abc import Mapping
from decimal import Decimal
from urllib.parse import parse_qsl

from sidecar.simulator.binance.errors import illegal, missing

NUMBER = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"
"""What Binance calls the legal range of a decimal parameter."""

INTEGER = r"^[0-9]{1,20}$"
"""What Binance calls the legal range of a whole number."""


class Parameters:
    """Parameters by name, with Binance's answer to those that are absent or malformed."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = {name: value for name, value in values.items() if value != ""}

    @classmethod
    def parse(cls, *encoded: str) -> "Parameters":
        """The parameters of url-encoded strings; of a name that comes twice the first counts."""
        values: dict[str, str] = {}
        for part in encoded:
            for name, value in parse_qsl(part, keep_blank_values=True):
                values.setdefault(name, value)
        return cls(values)

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str) -> str:
        """A mandatory parameter."""
        if name not in self._values:
            raise missing(name)
        return self._values[name]

    def optional(self, name: str, default: str = "") -> str:
        """A parameter that may be absent."""
        return self._values.get(name, default)

    def folded(self, name: str) -> str:
        """A parameter that may be absent and whose name clients write in several cases."""
        return next((value for key, value in self._values.items() if key.lower() == name.lower()), "")

    def choice(self, name: str, *legal: str, default: str = "") -> str:
        """A parameter with few legal values; mandatory unless it has a default."""
        value = self._values.get(name, default)
        if not value:
            raise missing(name)
        if value not in legal:
            raise illegal(name, "|".join(legal))
        return value

    def decimal(self, name: str) -> Decimal:
        """A mandatory number, 0 or more."""
        text = self.text(name)
        if not re.fullmatch(NUMBER, text, re.ASCII):
            raise illegal(name, NUMBER)
        return Decimal(text)

    def integer(self, name: str, default: int | None = None) -> int:
        """A whole number; mandatory unless it has a default."""
        if name not in self._values and default is not None:
            return default
        value = self.text(name)
        if not re.fullmatch(INTEGER, value, re.ASCII):
            raise illegal(name, INTEGER)
        return int(value)

    def flag(self, name: str) -> bool:
        """`true` or `false`; absent means false."""
        return self.choice(name, "true", "false", "TRUE", "FALSE", "True", "False", default="false").lower() == "true"
