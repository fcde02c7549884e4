"""Who is on stage: two simulated brokers, the sidecar, three bots; how they are started and ended."""

import asyncio
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Final

import aiohttp

from sidecar.demo.children import Child, Children, Hear
from sidecar.demo.errors import ChildError, DemoError
from sidecar.demo.place import Place, free_port
from sidecar.demo.stage import BotView

START_SECONDS: Final = 30.0
"""How long the start of one process may take."""
_LOOK_SECONDS: Final = 0.05
_END_SECONDS: Final = 10.0
"""How long the sidecar may take to end; it gives calls in flight 5 seconds."""
_BOT_END_SECONDS: Final = 3.0

SIMULATORS: Final[Mapping[str, int]] = MappingProxyType({"binance": 9001, "oanda": 9002})
"""The simulated brokers, and the port that each would like to have."""


@dataclass(frozen=True, slots=True)
class Bot:
    """A bot and how it reaches the sidecar."""

    name: str
    module: str
    way: str
    """`tcp` or `unix`."""


BOTS: Final = (
    Bot("ccxt", "ccxt_sync", "tcp"),
    Bot("ccxt async", "ccxt_async", "unix"),
    Bot("oandapyV20", "oanda", "tcp"),
)


def bot_views() -> dict[str, BotView]:
    """The bots as they are shown before they act."""
    return {bot.name: BotView(bot.name, bot.way) for bot in BOTS}


class Troupe:
    """Every process of the demo."""

    def __init__(self, place: Place) -> None:
        self.children = Children()
        self.brokers: dict[str, str] = {}
        """The simulated brokers' URLs."""
        self.tcp = f"127.0.0.1:{free_port(8787)}"
        self.scrape = f"127.0.0.1:{free_port(9464)}"
        self._place = place

    async def start_brokers(self) -> None:
        """Start both simulated brokers and wait until they listen."""
        await asyncio.gather(*(self._start_broker(name, wanted) for name, wanted in SIMULATORS.items()))

    async def start_sidecar(self) -> None:
        """Write its configuration, start it, and wait until it is ready."""
        self._place.write(tcp=self.tcp, scrape=self.scrape, **self.brokers)
        arguments = ("sidecar", "run", "--config", str(self._place.config))
        sidecar = await self.children.start("sidecar", arguments, self._place.log("sidecar"), lambda _: None)
        async with aiohttp.ClientSession() as session:
            while not await self._ready(session):
                if not sidecar.running:
                    raise sidecar.failure()
                await asyncio.sleep(_LOOK_SECONDS)

    async def start_bots(self, hear: Callable[[str], Hear]) -> None:
        """Start the bots; `hear` gives each one's listener, by its name."""
        ways = {"tcp": f"http://{self.tcp}", "unix": f"unix:{self._place.socket}"}
        for bot in BOTS:
            arguments = (f"sidecar.demo.bots.{bot.module}", ways[bot.way])
            await self.children.start(bot.name, arguments, self._place.log(bot.module), hear(bot.name))

    async def stop_trading(self) -> None:
        """End the bots, then the sidecar; the brokers stay, for a last look at their books."""
        await self.children.stop(_BOT_END_SECONDS, *(bot.name for bot in BOTS))
        await self.children.stop(_END_SECONDS, "sidecar")

    async def stop(self) -> None:
        """End everything that is still there."""
        await self.stop_trading()
        await self.children.stop(_BOT_END_SECONDS, *SIMULATORS)

    async def _start_broker(self, name: str, wanted: int) -> None:
        told: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def hear(line: str) -> None:
            if not told.done():
                told.set_result(line)

        arguments = ("sidecar", "simulate", name, "--port", str(free_port(wanted)))
        child = await self.children.start(name, arguments, self._place.log(name), hear)
        # Its first line tells where it listens: `binance simulator: http://127.0.0.1:9001  control: …`
        line = await _first(told, child)
        self.brokers[name] = line.split()[2]

    async def _ready(self, session: aiohttp.ClientSession) -> bool:
        with suppress(aiohttp.ClientError, TimeoutError):
            async with session.get(f"http://{self.scrape}/readyz", timeout=aiohttp.ClientTimeout(2)) as answer:
                return answer.status == 200  # noqa: PLR2004 - HTTP's own number
        return False


async def _first(told: asyncio.Future[str], child: Child) -> str:
    deadline = time.monotonic() + START_SECONDS
    while not told.done():
        if not child.running:
            raise child.failure()
        if time.monotonic() > deadline:
            raise ChildError(f"the {child.name} simulator did not start within {START_SECONDS:.0f} s")
        await asyncio.sleep(_LOOK_SECONDS)
    return told.result()


def command() -> str:
    """How the `sidecar` command is called from here."""
    installed = Path(sys.executable).with_name("sidecar")
    found = shutil.which("sidecar")
    if found is not None and Path(found).resolve() == installed.resolve():
        return "sidecar"
    if not installed.exists():
        return "python -m sidecar"
    with suppress(ValueError):
        return str(installed.relative_to(Path.cwd()))
    return str(installed)


def require_clients() -> None:
    """Raise `DemoError` when a library is missing that only the demo needs."""
    missing = [name for name in ("ccxt", "oandapyV20", "rich", "six") if find_spec(name) is None]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise DemoError(
            f"the demo needs {', '.join(missing)}, which {verb} not installed; do: pip install 'broker-sidecar[demo]'"
        )
