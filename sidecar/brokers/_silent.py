"""What the profiles have in common whose brokers tell nothing by themselves: neither limits nor their time."""

from collections.abc import Sequence
from decimal import Decimal

from sidecar.brokers.limits import LimitSpec, Reading
from sidecar.brokers.profile import Fit, Intent, OrderTerms
from sidecar.wire import Answer, Headers, Request


class Silent:
    """The answers of a profile that has nothing to say; a profile replaces those of which it knows more."""

    retry_preset: str = "standard"
    clock_request: Request | None = None
    lookups_need_keys: bool = False

    def readings(self, headers: Headers) -> Sequence[Reading]:  # noqa: ARG002 - the protocol's signature
        """Nothing: no header tells what is used."""
        return ()

    def learn(self, intent: Intent, answer: Answer) -> Sequence[LimitSpec]:  # noqa: ARG002 - the protocol's signature
        """Nothing: no limits are announced."""
        return ()

    def told_time(self, intent: Intent, answer: Answer) -> float | None:  # noqa: ARG002 - the protocol's signature
        """Nothing: there is no endpoint for the broker's time."""
        return None

    def named(self, request: Request) -> Sequence[str]:  # noqa: ARG002 - the protocol's signature
        """Nothing: cancels and changes name orders by the broker's own ids, which one that still waits has not got."""
        return ()

    def fit(self, request: Request) -> Fit | None:  # noqa: ARG002 - the protocol's signature
        """Nothing has to be asked before an order is sent."""
        return None

    def price_request(self, terms: OrderTerms) -> Request | None:  # noqa: ARG002 - the protocol's signature
        """None: prices cannot be asked for."""
        return None

    def told_price(self, terms: OrderTerms, answer: Answer) -> Decimal | None:  # noqa: ARG002 - the protocol's signature
        """Nothing: it cannot be asked."""
        return None
