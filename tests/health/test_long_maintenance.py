"""Twenty minutes of 503s, with a bot that keeps calling: nobody hammers the broker, nobody's log fills."""

import asyncio
from contextlib import suppress

from structlog.testing import capture_logs

from sidecar.health.prober import Prober
from sidecar.telemetry.events import CallFinished
from sidecar.telemetry.news import NewsLog
from sidecar.words import BrokerState, Outcome, RefusalKind
from tests.calls.scripted import FILLED, READ, Bench, answer, order

AWAY = answer(503, {"code": 1, "msg": "System is under maintenance."})
MINUTES = 20


async def calls_every_second(bench: Bench, seconds: int) -> None:
    for number in range(seconds):
        await bench.gateway.run(order() if number % 2 else READ, deadline_seconds=5)
        await bench.clock.sleep(1)


def test_twenty_minutes_of_503s_are_a_handful_of_requests_and_log_lines_and_end_by_themselves() -> None:
    bench = Bench([AWAY], takes=0.0, maintenance={})
    news = NewsLog(600, bench.clock)
    news.subscribe(bench.gateway._bus)

    async def main() -> None:
        probing = asyncio.create_task(Prober(bench.condition, bench.gateway.look).run())
        await calls_every_second(bench, MINUTES * 60)
        assert bench.condition.state is BrokerState.MAINTENANCE
        assert bench.attempts <= 8
        bench.wire.script = [FILLED]
        await calls_every_second(bench, 900)
        probing.cancel()
        with suppress(asyncio.CancelledError):
            await probing

    with capture_logs() as lines:
        bench.clock.run(main())
    assert bench.condition.state is BrokerState.OK
    assert len(lines) <= 8, [line["event"] for line in lines]
    assert lines[0]["event"].startswith("binance: under maintenance (503); probes pause for ~")
    assert lines[0]["event"].endswith("; 1 in a row")
    refused = [event for event in bench.events(CallFinished) if event.why is RefusalKind.MAINTENANCE]
    assert len(refused) > 1000
    assert {event.outcome for event in refused} == {Outcome.MAINTENANCE}
