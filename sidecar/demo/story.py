"""The story: five things that brokers do to bots, and what the sidecar makes of each."""

import asyncio
from collections.abc import Mapping
from typing import Final

from sidecar.demo import telling
from sidecar.demo.chronicle import Happening
from sidecar.demo.scene import Chapter, Scene

_ORDERS: Final = {"binance": "/fapi/v1/order", "oanda": "/v3/accounts"}
_FOREVER: Final = None


async def _rate_limit(scene: Scene) -> list[str]:
    with scene.chronicle.recorded() as record:
        await scene.brokers["binance"].plan({"kind": "rate_limited", "seconds": 3})

        def opened() -> list[Happening]:
            return record.of("GateOpened", "binance")

        await scene.until("a gate that shuts and opens", lambda: bool(opened()))
        await scene.settled(lambda: opened()[-1].at)
        return [telling.rate_limit(record, "binance")]


async def _maintenance(scene: Scene) -> list[str]:
    oanda = scene.brokers["oanda"]
    with scene.chronicle.recorded() as record:

        def calls() -> list[Happening]:
            return record.of("CallFinished", "oanda")

        await oanda.plan({"kind": "maintenance", "times": _FOREVER})
        await asyncio.sleep(scene.pace.maintenance)
        await scene.until("a bot to hear `not sent`", lambda: any(call.refused for call in calls()))
        await oanda.clear()
        scene.say("oanda's maintenance is over; nobody tells the sidecar, it has to find out")

        def turns(state: str) -> list[Happening]:
            return record.of("BrokerStateChanged", "oanda", to_state=state)

        await scene.until("the broker to be found well", lambda: bool(turns("ok")))
        await scene.settled(lambda: turns("ok")[-1].at)
        return [telling.outage(record, "oanda", await oanda.fired("maintenance"))]


async def _ambiguous(scene: Scene) -> list[str]:
    verdicts = []
    for executed in (True, False):
        fault = {"kind": "unavailable_unknown", "executed": executed}
        verdicts.append(await _doubt(scene, "binance", fault))
    return verdicts


async def _reset(scene: Scene) -> list[str]:
    oanda = scene.brokers["oanda"]
    with scene.chronicle.recorded() as record:
        await oanda.plan({"kind": "reset_after", "method": "POST", "path": _ORDERS["oanda"]})

        def found() -> list[Happening]:
            return record.of("CallFinished", "oanda", endpoint="place_order", reconciled=True)

        await scene.until("an order that the sidecar looked up", lambda: bool(found()))
        book = await oanda.book()
        return [telling.found_out(call, book[call.order_id]) for call in found()]


async def _doubt(scene: Scene, broker: str, fault: Mapping[str, object]) -> str:
    with scene.chronicle.recorded() as record:
        await scene.brokers[broker].plan({**fault, "method": "POST", "path": _ORDERS[broker]})
        call = await scene.doubtful_order(record, broker)
        book = await scene.brokers[broker].book()
    return telling.doubt(call, scene.looked_up[call.order_id], book[call.order_id])


async def _definite(scene: Scene) -> list[str]:
    binance = scene.brokers["binance"]
    fault = {"kind": "unavailable_definite", "method": "POST", "path": _ORDERS["binance"], "times": 2}
    with scene.chronicle.recorded() as record:
        await binance.plan(fault)

        def failed() -> list[Happening]:
            return record.of("AttemptFinished", "binance", outcome="transient")

        def resent() -> list[Happening]:
            calls = record.of("CallFinished", "binance", endpoint="place_order")
            return [call for call in calls if call.facts["attempts"] > 1]

        def retries() -> int:
            return sum(int(call.facts["attempts"]) - 1 for call in resent())

        await scene.until("two failures and their retries", lambda: len(failed()) > 1 and retries() >= len(failed()))
        book = await binance.book()
        return [telling.persistence(call, book[call.order_id]) for call in resent()]


STORY: Final = (
    Chapter("A rate limit", "binance answers a call with 429, too many requests, and Retry-After: 3.", _rate_limit),
    Chapter(
        "Maintenance",
        'oanda answers every call with 503 "System under maintenance, please try again later."',
        _maintenance,
    ),
    Chapter(
        "An ambiguous 503",
        'binance answers two orders with 503 "Unknown error, please check your request or try again later.": the first '
        "it has executed, the second it has not, and both answers look the same.",
        _ambiguous,
    ),
    Chapter("A reset", "oanda executes an order, and resets the connection instead of answering.", _reset),
    Chapter(
        "A definite failure",
        'binance answers the next two orders with 503 "Service Unavailable.": these were surely not executed.',
        _definite,
    ),
)
"""The chapters in their order."""
