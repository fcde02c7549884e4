"""Shows the demo: starts everybody, tells the story, sums up, and ends everybody."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from random import Random
from types import MappingProxyType
from typing import Any, Final

import aiohttp

from sidecar.demo.chronicle import Chronicle, follow
from sidecar.demo.errors import DemoError
from sidecar.demo.narrator import Narrator
from sidecar.demo.options import Options
from sidecar.demo.place import Place
from sidecar.demo.scene import BRISK, Pace, Scene
from sidecar.demo.simulators import Simulator
from sidecar.demo.stage import Tone
from sidecar.demo.story import STORY
from sidecar.demo.summary import summary
from sidecar.demo.troupe import Troupe, command

READER_GONE: Final = 141
"""Exit status when whoever read the output has gone."""
_FRAME_SECONDS: Final = 0.25
_TICK_SECONDS: Final = 1.0
_REPORT_SECONDS: Final = 15.0
_MARKET: Final = MappingProxyType({"BTCUSDT": (60_000.0, 1), "ETHUSDT": (3_000.0, 2)})
"""First prices, and their decimal places."""
_SIGNALS: Final = MappingProxyType(
    {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM", signal.SIGHUP: "the terminal has gone"}
)


class Director:
    """One performance."""

    def __init__(self, options: Options, place: Place, narrator: Callable[[Callable[[], None]], Narrator]) -> None:
        self._options = options
        self._place = place
        self._narrator = narrator(lambda: self._end("the reader has gone"))
        self._troupe = Troupe(place)
        self._chronicle = Chronicle(time.monotonic)
        self._chronicle.listener = self._narrator.sidecar
        self._brokers: dict[str, Simulator] = {}
        self._over = asyncio.Event()
        self._reason = ""
        self._helpers: set[asyncio.Task[None]] = set()
        self._done: asyncio.Queue[asyncio.Task[None]] = asyncio.Queue()

    async def perform(self) -> int:
        """Show everything; returns the exit status, when every process has ended.

        Raises:
            DemoError: when it cannot be shown to its end; every process has ended then, too.
        """
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._signalled, number)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._troupe.stop)
            stack.push_async_callback(self._stop_helpers)
            await self._until_over(self._play(stack))
            await self._sum_up()
        return READER_GONE if self._narrator.deaf else 0

    def _signalled(self, number: signal.Signals) -> None:
        if self._over.is_set():
            # Asked twice: no more patience.
            self._troupe.children.kill()
        self._end(_SIGNALS[number])

    def _end(self, reason: str) -> None:
        if not self._over.is_set():
            self._reason = reason
            self._over.set()

    async def _until_over(self, playing: Coroutine[Any, Any, None]) -> None:
        """Play until the end, or until somebody ends it, or until a helper or a process fails."""
        play = self._help(playing)
        over = self._help(self._wait_for_the_end())
        while not over.done():
            task = await self._done.get()
            failure = task.exception()
            if failure is not None and not self._over.is_set():
                raise await self._explained(failure)
            if task is play:
                self._end("the story is told")
        play.cancel()

    async def _explained(self, failure: BaseException) -> BaseException:
        """When a process has ended, that is why somebody could not reach it."""
        if isinstance(failure, aiohttp.ClientError | OSError):
            await asyncio.sleep(_FRAME_SECONDS)
            return next((child.failure() for child in self._troupe.children.failed()), failure)
        return failure

    async def _wait_for_the_end(self) -> None:
        try:
            async with asyncio.timeout(self._options.seconds):
                await self._over.wait()
        except TimeoutError:
            self._end(f"{self._options.seconds:g} seconds are over")

    def _help(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._helpers.add(task)
        task.add_done_callback(self._done.put_nowait)
        return task

    async def _stop_helpers(self) -> None:
        for task in self._helpers:
            task.cancel()
        await asyncio.gather(*self._helpers, return_exceptions=True)

    # The performance

    async def _play(self, stack: AsyncExitStack) -> None:
        narrator, troupe = self._narrator, self._troupe
        self._help(self._frames())
        self._help(self._watch())
        narrator.say("starting two simulated brokers, the sidecar and three bots")
        await troupe.start_brokers()
        await troupe.start_sidecar()
        session = await stack.enter_async_context(self._place.session())
        world = await stack.enter_async_context(aiohttp.ClientSession())
        self._brokers = {name: Simulator(name, url, world) for name, url in troupe.brokers.items()}
        self._introduce()
        await self._listen(session)
        self._help(self._market())
        self._help(self._poll(session))
        await troupe.start_bots(narrator.bot)
        await self._tell()

    def _introduce(self) -> None:
        stage, place = self._narrator.stage, self._place
        stage.addresses = (
            ("metrics", f"http://{self._troupe.scrape}/metrics"),
            ("files", f"{place.traces} (traces)  {place.audit}/ (audit)  {place.folder}/*.log"),
        )
        name = command()
        stage.commands = (
            f"{name} status --socket {place.socket}",
            f"{name} audit --directory {place.audit} --event order_placed",
            f"curl -s http://{self._troupe.scrape}/metrics | grep 'retries.* [1-9]'",
            f'curl -d \'{{"kind":"reset_after"}}\' {self._troupe.brokers["oanda"]}/_control/faults',
        )
        for what, where in stage.addresses:
            self._narrator.aside(f"{what}: {where}")
        for what in stage.commands:
            self._narrator.aside(f"try in a second terminal: {what}")

    async def _listen(self, session: aiohttp.ClientSession) -> None:
        begun = asyncio.Event()
        self._help(follow(self._chronicle, session, begun.set))
        await begun.wait()

    async def _tell(self) -> None:
        pace = BRISK if self._options.brisk else Pace()
        scene = Scene(
            pace, self._brokers, self._chronicle, self._narrator.promises, self._narrator.say, self._narrator.looked_up
        )
        narrator = self._narrator
        narrator.chapter("Calm", "three bots trade through the sidecar; nothing is wrong.")
        bots = narrator.stage.bots.values()
        await scene.until("a first order of every bot", lambda: all(bot.orders for bot in bots))
        await asyncio.sleep(pace.calm)
        for number, chapter in enumerate(STORY, start=1):
            narrator.chapter(f"{number}/{len(STORY)} {chapter.title}", chapter.announcement)
            for verdict in await chapter.play(scene):
                narrator.say(verdict, Tone.VERDICT)
            await asyncio.sleep(pace.pause)
        if not self._options.once:
            narrator.chapter("Calm again", "the story is told; trading goes on until Ctrl-C. Break something yourself!")
            for line in await self._so_far():
                narrator.say(line, Tone.VERDICT)
            await self._stay_calm()

    async def _stay_calm(self) -> None:
        while True:
            before = self._narrator.stage.calls
            await asyncio.sleep(_REPORT_SECONDS)
            calls = self._narrator.stage.calls - before
            self._narrator.say(f"{calls} calls in the last {_REPORT_SECONDS:.0f} s; Ctrl-C ends the demo", Tone.QUIET)

    async def _so_far(self) -> list[str]:
        # Orders go on being placed: only those count that were known before the books were read.
        promises = self._narrator.promises.so_far()
        book = {order_id: times for order_id, times in (await self._books()).items() if order_id in promises.told}
        return summary(self._narrator.stage, self._chronicle, promises.balance(book))

    async def _books(self) -> dict[str, int]:
        books: dict[str, int] = {}
        for broker in self._brokers.values():
            books |= await broker.book()
        return books

    async def _sum_up(self) -> None:
        narrator = self._narrator
        narrator.chapter("The end", f"ended: {self._reason}")
        narrator.refresh()
        await self._troupe.stop_trading()
        if not self._brokers:
            return
        balance = narrator.promises.balance(await self._books())
        for line in summary(narrator.stage, self._chronicle, balance):
            narrator.say(line, Tone.VERDICT)
        place = self._place
        narrator.say(
            f"left to look into: {place.traces}, {place.audit}/, {place.config}, {place.folder}/*.log", Tone.VERDICT
        )
        if balance.duplicates or balance.wrong:
            raise DemoError("what the bots were told is not what the brokers executed: please report this")

    # What goes on beside it

    async def _frames(self) -> None:
        await _each(_FRAME_SECONDS, self._frame)

    async def _frame(self) -> None:
        self._narrator.refresh()

    async def _poll(self, session: aiohttp.ClientSession) -> None:
        async def look() -> None:
            async with session.get("http://localhost/v1/brokers") as answer:
                self._narrator.stage.brokers = (await answer.json())["brokers"]

        await _each(2 * _FRAME_SECONDS, look)

    async def _market(self) -> None:
        prices = {symbol: price for symbol, (price, _) in _MARKET.items()}
        chance = Random(7)

        async def move() -> None:
            for symbol, (_, places) in _MARKET.items():
                prices[symbol] *= 1 + chance.gauss(0, 0.0003)
                await self._brokers["binance"].set_price(symbol, round(prices[symbol], places))

        await _each(_TICK_SECONDS, move)

    async def _watch(self) -> None:
        raise (await self._troupe.children.first_failure()).failure()


async def _each(seconds: float, act: Callable[[], Awaitable[None]]) -> None:
    while True:
        await act()
        await asyncio.sleep(seconds)
