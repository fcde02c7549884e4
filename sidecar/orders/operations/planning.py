"""What is written down before orders are handed in: their names, their client ids, and what undoes them."""

from sidecar.orders.operations.model import UNDO, Leg, Record, Role
from sidecar.orders.operations.moves import Place


def planned(record: Record, move: Place, operation_id: str, now: float) -> list[Leg]:
    """Enter the legs that a move places, the one that is handed in first, and return them."""
    wanted = [(move.role, move.terms), *move.companions]
    legs = []
    for role, terms in wanted:
        name = _new_name(record, role)
        named = terms.model_copy(update={"client_id": f"op-{operation_id}-{name}"})
        legs.append(Leg(name=name, role=role, undo=UNDO[role], planned_at=now, terms=named))
    first, *companions = legs
    first.link = move.link
    for leg in companions:
        leg.comes_with = first.name
    record.legs += legs
    return legs


def spoken(leg: Leg) -> str:
    """What a planned leg is, for people."""
    terms = leg.terms
    if terms is None:
        return leg.name
    at = "" if terms.price is None and terms.stop_price is None else f" at {terms.price or terms.stop_price}"
    along = f", placed by the broker along with {leg.comes_with}" if leg.comes_with else ""
    return f"{terms.side} {terms.quantity} {terms.instrument}, {terms.type}{at}{along}"


def _new_name(record: Record, role: Role) -> str:
    """Never a name that was used before, not even by a leg that was dropped."""
    record.named += 1
    return f"{role}{record.named}"
