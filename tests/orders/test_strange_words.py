"""Whatever a broker says and a bot sends: no text stops a lane or hides an order."""

from pathlib import Path

import pytest

from sidecar.api.order_views import view
from sidecar.wire import Answer
from tests.orders.carrying import Shop


@pytest.mark.parametrize("text", [b'{"a":"\\ud800"}', b"[" * 100_000, b"\xff\xfe", b'{"a":NaN}', b"9" * 10_000])
def test_an_order_can_be_told_whatever_its_broker_answered(tmp_path: Path, text: bytes) -> None:
    order = Shop(tmp_path).outcome().order
    order.answer = Answer(200, (), text)
    assert b'"filled"' in view(order).model_dump_json().encode()


def test_words_that_unicode_cannot_carry_are_written_down_all_the_same(tmp_path: Path) -> None:
    shop = Shop(tmp_path)

    async def life() -> str:
        order = (await shop.settled(await shop.place())).order
        order.reason = "looked up: \ud800"
        await shop.queue._ledger.change(order)
        return (await shop.desk.account(order.id)).order.reason

    assert shop.run(life) == "looked up: ?"
