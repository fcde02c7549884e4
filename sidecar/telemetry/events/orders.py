"""What happened to the orders that the sidecar carries."""

from dataclasses import dataclass

from sidecar.words import OrderState


@dataclass(frozen=True, slots=True)
class OrderStateChanged:
    """An order that the sidecar carries came one step further."""

    broker: str
    order: str
    """The sidecar's own id of it."""
    client_id: str
    kind: str
    """`order` or `cancel`."""
    instrument: str
    from_state: OrderState | None
    """None when it has just been accepted."""
    to_state: OrderState
    reason: str
    """A few words for a person; not a closed set."""
    age: float
    """Seconds since its acceptance."""
    may_have_been_executed: bool = False
    """Whether it is not known if the broker executed it."""


@dataclass(frozen=True, slots=True)
class OrderRefused:
    """An order was not accepted into the queue: nothing is kept of it and nothing will be sent."""

    broker: str
    reason: str
    """One of `ORDER_REFUSALS`."""


ORDER_REFUSALS = ("full", "disk", "conflict", "unsupported", "stopping")
"""`full`: too many wait. `disk`: it could not be written down. `conflict`: its client id belongs to another order.
`unsupported`: this broker cannot take such an order, or bots sign for it. `stopping`: the sidecar is being stopped."""


@dataclass(frozen=True, slots=True)
class OrdersRecovering:
    """A start goes on with the orders that the last run left: how many of those in doubt are still to be looked up."""

    broker: str
    left: int
    total: int
