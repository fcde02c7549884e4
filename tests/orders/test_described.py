"""What the description of the control API says of orders is what handing them in and taking them back answers."""

from pathlib import Path

import pytest

from sidecar.api.openapi import describe
from sidecar.api.orders import order_routes
from sidecar.api.routes import Asked
from sidecar.orders.draft import OrderDraft
from sidecar.wire import Answer
from tests.orders.carrying import Shop, away, back

DRAFT = OrderDraft.model_validate(
    {"broker": "binance", "instrument": "X", "side": "buy", "quantity": "1", "type": "limit", "price": "9"}
)


@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/orders"), ("DELETE", "/v1/orders/{order}")])
def test_every_status_of_an_answer_is_described(tmp_path: Path, method: str, path: str) -> None:
    shop = Shop(tmp_path)
    shop.broker.fills = False

    async def ask(asked: Asked) -> int:
        route = next(route for route in order_routes(shop.desk) if (route.method, route.path) == (method, path))
        answering = route.handler(asked)
        return (answering if isinstance(answering, Answer) else await answering).status

    async def life() -> set[int]:
        await away(shop)
        waits = (await shop.place("c1")).order.id
        if method == "POST":
            body = DRAFT.model_copy(update={"client_id": "c2"})
            return {await ask(Asked({}, {}, body)) for _ in range(2)}
        statuses = {await ask(Asked({"order": waits}, {}))}
        await back(shop)
        works = (await shop.settled(await shop.place("c3", type="limit", price="9"))).order.id
        return statuses | {await ask(Asked({"order": works}, {}))}

    described = describe(order_routes(None))["paths"][path][method.lower()]["responses"]
    assert {str(status) for status in shop.run(life)} | {"default"} == set(described)
