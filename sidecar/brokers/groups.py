"""Orders that a broker takes in one request, all or none: what a profile has besides when its broker is atomic there.

The first of them is what the order queue carries: it bears the request, is found again by its client id, and taken back
by it. The others are its companions. The broker places them; they are never sent, only looked up and cancelled.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Protocol, runtime_checkable

from sidecar.brokers.profile import OrderTerms
from sidecar.wire import Answer, Request


class Link(StrEnum):
    """How the companions depend on the first order. Among each other, the first that trades ends the rest."""

    ON_FILL = "on_fill"
    """They begin to work when it has filled: a bracket."""
    OCO = "oco"
    """They work at once, and it is one of those of which the first that trades ends the rest."""


@dataclass(frozen=True, slots=True)
class Group:
    """Orders of one account and instrument that one request places."""

    first: OrderTerms
    companions: tuple[OrderTerms, ...]
    """Each with a client id of its own. Those of a bracket are its stop and, where there is one, its target."""
    link: Link


@runtime_checkable
class TakesGroups(Protocol):
    """What a profile has besides when its broker takes orders that belong together in one request.

    `progress`, `look` and `cancellation` tell of the first order where they are given such a request. A companion that
    the broker itself has ended, because another one has traded or what it was for is gone, is `expired`; one that
    somebody has cancelled is `cancelled`. One that does not work yet is not `working`: a look at it settles nothing.
    """

    covers_parts: bool
    """Whether the companions protect what the first order has traded before it has traded all."""
    locks_exits: bool
    """Whether a waiting order locks what it would trade and none is reduce-only, as on a spot market: then only a group
    can hold a stop and a target at once."""

    def express_group(self, group: Group) -> Request:
        """The unsigned request that places them all, or none. Raises Inexpressible."""

    def companion(self, request: Request, terms: OrderTerms, broker_order_id: str) -> Request:
        """What stands for the companion that `request` places by these terms; `broker_order_id` is the first order's.

        It is never sent: `understand`, `look`, `progress`, `cancellation` and `lane` take it as they take the request
        of an order of its own. The same client id gives the same bytes, whatever the quantity.
        """

    def booked(self, answer: Answer) -> Decimal | None:
        """How much a companion is for by what a look at it has told; None where that is what was asked for.

        A broker may make it what the first order has brought, after its fee.
        """
