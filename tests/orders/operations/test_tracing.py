"""An operation is one trace, whatever it takes: its orders, its cancels, its restarts."""

from pathlib import Path
from typing import Any

from sidecar.orders.draft import OrderDraft
from sidecar.orders.operations.draft import OperationDraft
from sidecar.telemetry.context import parse_traceparent
from sidecar.telemetry.events import CallFinished, OperationTraced
from sidecar.words import Effect
from tests.orders.operations.floor import BRACKET, Floor

BOTS = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def watched(tmp_path: Path) -> tuple[Floor, list[OperationTraced], list[CallFinished]]:
    floor = Floor(tmp_path)
    parts: list[OperationTraced] = []
    calls: list[CallFinished] = []
    made = floor._bench

    def bench() -> Any:
        found = made()
        found.gateway._bus.subscribe(OperationTraced, parts.append)
        found.gateway._bus.subscribe(CallFinished, calls.append)
        return found

    floor._bench = bench  # type: ignore[method-assign] # to hear of every life
    return floor, parts, calls


def test_all_calls_of_an_operation_hang_from_its_beginning_also_after_a_restart(tmp_path: Path) -> None:
    floor, parts, calls = watched(tmp_path)

    async def first() -> str:
        operation, _ = await floor.engine.begin(OperationDraft.model_validate(BRACKET).root, BOTS)
        await floor.in_place(operation)
        return operation.id

    async def second() -> None:
        await floor.engine.roll_back(operation, "enough")
        await floor.engine.wait(operation, 100, final=True)

    operation = floor.live(first, crash=True)
    floor.live(second)
    bots = parse_traceparent(BOTS)
    assert [part.part for part in parts] == ["begun", "resumed", "ended"]
    assert parts[0].trace == bots
    traces = [call.trace for call in calls if call.effect is not Effect.READ]
    assert len(traces) == 6  # entry, stop, target, flatten, and two cancels
    assert {(trace.trace_id, trace.parent_id) for trace in traces} == {(bots.trace_id, parts[0].span_id)}
    assert {(part.trace.trace_id, part.trace.parent_id) for part in parts[1:]} == {(bots.trace_id, parts[0].span_id)}


def test_without_a_trace_of_the_bots_it_has_one_of_its_own(tmp_path: Path) -> None:
    floor, parts, calls = watched(tmp_path)

    async def life() -> None:
        await floor.in_place(await floor.ask(BRACKET))

    floor.live(life)
    assert parts[0].trace.parent_id == 0
    traces = {call.trace.trace_id for call in calls if call.effect is not Effect.READ}
    assert traces == {parts[0].trace.trace_id}


def test_a_cancel_in_another_trace_is_linked_to_the_call_by_which_its_order_came(tmp_path: Path) -> None:
    floor, _, calls = watched(tmp_path)

    async def life() -> None:
        terms = {"broker": "binance", "instrument": "BTCUSDT", "side": "buy", "quantity": "1", "type": "limit"}
        taken = await floor.desk.place(OrderDraft.model_validate(terms | {"price": "80"}), BOTS)
        await floor.settled(taken)
        cancel = await floor.desk.cancel(taken.order.id)
        await floor.desk.wait(cancel.id, 100, final=True)

    floor.live(life)
    (cancel,) = (call for call in calls if call.endpoint.startswith("cancel"))
    bots = parse_traceparent(BOTS)
    assert cancel.trace.links == ((bots.trace_id, bots.parent_id),)
    assert cancel.trace.trace_id != bots.trace_id
