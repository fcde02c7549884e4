"""`sidecar orders` shows what a sidecar carries, follows an order to its end, and takes one back."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from sidecar.api.order_views import ChangeView, Orders, OrderView
from sidecar.cli import main
from sidecar.words import OrderState

ID = "7dea13a6ea606fed3923"
LONG = "sent once, outcome unknown, and in 3 looks within 6 s the broker did not find it; look at the account first"


def an_order(state: OrderState = OrderState.FILLED, **details: Any) -> OrderView:
    told: dict[str, Any] = {
        "id": ID,
        "broker": "binance",
        "kind": "order",
        "client_id": "entry-42",
        "account": "",
        "instrument": "BTCUSDT",
        "state": state,
        "settled": not state.open,
        "final": state.final,
        "reason": "FILLED 0.010 of 0.010",
        "may_have_been_executed": False,
        "created_at": 1_795_327_261.3,
        "updated_at": 1_795_327_262.8,
        "expires_at": 1_795_327_561.3,
        "attempts": 1,
        "broker_order_id": "4000000001",
        "answer": None,
    }
    return OrderView.model_validate(told | details)


def history(*states: OrderState) -> list[ChangeView]:
    return [ChangeView(at=1_795_327_261.0 + n, state=state, reason=f"step {n}") for n, state in enumerate(states)]


class Sidecar:
    """Answers every request with the same bytes, and remembers what it was asked."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.asked: list[str] = []
        self.head = "200 OK\r\nContent-Type: application/json"
        self.body = b""

    def tells(self, *orders: OrderView) -> None:
        self.body = Orders(orders=list(orders)).model_dump_json(exclude_none=True).encode()

    def tells_one(self, order: OrderView) -> None:
        self.body = order.model_dump_json(exclude_none=True).encode()

    def streams(self, *orders: OrderView) -> None:
        self.head = "200 OK\r\nContent-Type: text/event-stream"
        events = [f"event: {order.state}\ndata: {order.model_dump_json()}\n\n: still here\n\n" for order in orders]
        self.body = "".join(events).encode()

    def refuses(self, status: str, detail: str) -> None:
        self.head = f"{status}\r\nContent-Type: application/problem+json"
        self.body = json.dumps({"detail": detail}).encode()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.asked.append(head.decode().partition(" HTTP")[0])
        writer.write(f"HTTP/1.1 {self.head}\r\nContent-Length: {len(self.body)}\r\n\r\n".encode() + self.body)
        writer.close()
        await writer.wait_closed()


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Sidecar]:
    async with serving(tmp_path / "s") as sidecar:
        yield sidecar


@asynccontextmanager
async def serving(socket: Path) -> AsyncIterator[Sidecar]:
    sidecar = Sidecar(socket)
    async with await asyncio.start_unix_server(sidecar.serve, socket):
        yield sidecar


async def orders(sidecar: Sidecar, *arguments: str) -> int:
    return await asyncio.to_thread(main, ["orders", "--socket", str(sidecar.socket), *arguments])


async def test_the_newest_orders_take_two_lines_each(running: Sidecar, capsys: pytest.CaptureFixture[str]) -> None:
    running.tells(an_order(), an_order(OrderState.IN_DOUBT, kind="cancel", reason="unknown; attempts=1"))

    assert await orders(running) == 0

    assert running.asked == ["GET /v1/orders?limit=20"]
    assert capsys.readouterr().out.splitlines() == [
        "CHANGED          STATE     BROKER   WHAT            ID",
        f"11-22 06:01:02Z  filled    binance  BTCUSDT         {ID}",
        "  entry-42: FILLED 0.010 of 0.010",
        f"11-22 06:01:02Z  in doubt  binance  cancel BTCUSDT  {ID}",
        "  entry-42: unknown; attempts=1",
    ]


async def test_filters_are_asked_of_the_sidecar(running: Sidecar, capsys: pytest.CaptureFixture[str]) -> None:
    running.tells()
    filters = ["--broker", "a", "--broker", "b", "--state", "dead", "--client-id", "x/1 2", "--limit", "5"]

    assert await orders(running, *filters) == 0

    assert running.asked == ["GET /v1/orders?broker=a&broker=b&state=dead&client_id=x%2F1+2&limit=5"]
    assert capsys.readouterr().out == "no such orders\n"


async def test_that_there_may_be_more_is_told(running: Sidecar, capsys: pytest.CaptureFixture[str]) -> None:
    running.tells(an_order())

    assert await orders(running, "--limit", "1") == 0
    assert capsys.readouterr().err == "The newest 1; --limit shows more.\n"


@pytest.mark.parametrize("one", [True, False])
async def test_nothing_is_wider_than_80_columns_or_commands_the_terminal(
    running: Sidecar, capsys: pytest.CaptureFixture[str], *, one: bool
) -> None:
    wide = {"broker": "b" * 40, "instrument": "I" * 60, "client_id": "c" * 64, "reason": f"\x1b[2J {LONG * 3}"}
    order = an_order(OrderState.DEAD, **wide, changes=history(OrderState.DEAD))
    running.tells_one(order) if one else running.tells(order)

    await orders(running, *([ID] if one else []))

    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    assert "\x1b" not in shown


async def test_one_order_is_shown_with_its_history(running: Sidecar, capsys: pytest.CaptureFixture[str]) -> None:
    steps = history(OrderState.ACCEPTED, OrderState.QUEUED, OrderState.SENDING, OrderState.FILLED)
    running.tells_one(an_order(changes=steps))

    assert await orders(running, ID) == 0

    assert running.asked == [f"GET /v1/orders/{ID}"]
    shown = capsys.readouterr().out
    assert shown.startswith(f"order {ID}: filled\n  broker       binance, its order 4000000001\n")
    assert "ATTENTION" not in shown
    assert shown.splitlines()[-4:] == [
        "11-22 06:01:01Z  accepted   step 0",
        "11-22 06:01:02Z  queued     step 1",
        "11-22 06:01:03Z  sending    step 2",
        "11-22 06:01:04Z  filled     step 3",
    ]


async def test_a_dead_order_is_status_4_and_says_what_to_do(
    running: Sidecar, capsys: pytest.CaptureFixture[str]
) -> None:
    running.tells_one(an_order(OrderState.DEAD, reason=LONG, may_have_been_executed=True))

    assert await orders(running, ID) == 4
    assert "look at the account before it is sent again" in " ".join(capsys.readouterr().out.split())


async def test_a_cancel_asks_for_it_and_shows_what_carries_it_out(
    running: Sidecar, capsys: pytest.CaptureFixture[str]
) -> None:
    running.head = "202 Accepted\r\nContent-Type: application/json"
    running.tells_one(an_order(OrderState.QUEUED, kind="cancel", reason="waits for its turn"))

    assert await orders(running, "--cancel", ID) == 0

    assert running.asked == [f"DELETE /v1/orders/{ID}"]
    assert capsys.readouterr().out.startswith(f"cancel {ID}: queued\n")


async def test_following_shows_each_step_once_and_ends_with_the_order(
    running: Sidecar, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = (OrderState.ACCEPTED, OrderState.QUEUED), (OrderState.SENDING, OrderState.FILLED)
    running.streams(an_order(OrderState.QUEUED, changes=history(*first)), an_order(changes=history(*first, *second)))

    assert await orders(running, "--follow", ID) == 0

    assert running.asked == [f"GET /v1/orders/{ID}/events"]
    assert capsys.readouterr().out.splitlines() == [
        "11-22 06:01:01Z  accepted   step 0",
        "11-22 06:01:02Z  queued     step 1",
        "11-22 06:01:03Z  sending    step 2",
        "11-22 06:01:04Z  filled     step 3",
        f"order {ID}: filled",
    ]


async def test_a_sidecar_that_goes_away_before_the_end_is_told(
    running: Sidecar, capsys: pytest.CaptureFixture[str]
) -> None:
    running.streams(an_order(OrderState.QUEUED, changes=history(OrderState.QUEUED)))

    assert await orders(running, "--follow", ID) == 1
    assert "went away before the order's end" in capsys.readouterr().err


async def test_json_is_the_sidecars_own(running: Sidecar, capsys: pytest.CaptureFixture[str]) -> None:
    running.tells(an_order())
    assert await orders(running, "--json") == 0
    assert json.loads(capsys.readouterr().out)["orders"][0]["id"] == ID

    running.streams(an_order(OrderState.QUEUED), an_order())
    assert await orders(running, "--follow", ID, "--json") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["state"] for line in lines] == ["queued", "filled"]


async def test_a_no_of_the_sidecar_is_status_3_in_its_own_words(
    running: Sidecar, capsys: pytest.CaptureFixture[str]
) -> None:
    running.refuses("409 Conflict", f"order {ID} is filled: there is nothing to cancel")

    assert await orders(running, "--cancel", ID) == 3
    assert (
        capsys.readouterr().err
        == f"sidecar orders: {running.socket} refused: order {ID} is filled: there is nothing to cancel\n"
    )


async def test_an_id_cannot_lead_elsewhere(running: Sidecar) -> None:
    running.refuses("404 Not Found", "no such order")

    assert await orders(running, "--cancel", "../brokers?x=1") == 3
    assert running.asked == ["DELETE /v1/orders/..%2Fbrokers%3Fx%3D1"]


@pytest.mark.parametrize("answer", [b"{}", b"[", b'{"orders": [{"id": 1}]}'])
async def test_what_no_sidecar_says_is_told(
    running: Sidecar, capsys: pytest.CaptureFixture[str], answer: bytes
) -> None:
    running.body = answer

    assert await orders(running) == 1
    assert "something that no sidecar of this version says" in capsys.readouterr().err


def test_where_nothing_listens_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["orders", "--socket", str(tmp_path / "none")]) == 1
    assert capsys.readouterr().err.startswith(f"sidecar orders: nothing listens at {tmp_path}/none")


@pytest.mark.parametrize("arguments", [["--limit", "0"], ["--state", "lost"], ["--cancel", "a", "--follow", "b"]])
def test_a_question_that_makes_no_sense_is_status_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["orders", *arguments])

    assert ended.value.code == 2
