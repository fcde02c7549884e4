"""Who is on stage: two simulated brokers, the sidecar, three bots; how they are started and ended."""

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import aiohttp

from sidecar.demo.children import Child, Children, Hear
from sidecar.demo.errors import ChildError, DemoError
from sidecar.demo.place import Place, free_port
from sidecar.demo.stage import BotView

START_SECONDS: Final = 30.0
"""How long the start of one process may take."""
_LOOK_SECONDS: Final = 0.05
_TAKEN: Final = "address already in use"
_END_SECONDS: Final = 10.0
"""How long the sidecar may take to end; it gives calls in flight 5 seconds."""
_BOT_END_SECONDS: Final = 3.0

SIMULATORS: Final = ("binance", "oanda")
"""The simulated brokers."""
_PORTS: Final = (8787, 9464)
"""The ports that a sidecar has by default, for bots and for metrics."""
_STARTS: Final = 3
"""How often the sidecar is started when somebody else takes its ports in the meantime."""


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
        self.tcp = self.scrape = ""
        self._place = place

    async def start_brokers(self) -> None:
        """Start both simulated brokers and wait until they listen."""
        await asyncio.gather(*map(self._start_broker, SIMULATORS))

    async def start_sidecar(self) -> None:
        """Write its configuration, start it, and wait until it is ready."""
        for number in range(_STARTS):
            self.tcp, self.scrape = (f"127.0.0.1:{free_port(*() if number else (port,))}" for port in _PORTS)
            self._place.write(tcp=self.tcp, scrape=self.scrape, **self.brokers)
            arguments = ("sidecar", "run", "--config", str(self._place.config))
            sidecar = await self.children.start("sidecar", arguments, self._place.log("sidecar"), lambda _: None)
            if await self._ready(sidecar):
                return
            if not any(_TAKEN in line for line in sidecar.last_words):
                break
        raise sidecar.failure()

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

    async def _start_broker(self, name: str) -> None:
        told: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def hear(line: str) -> None:
            if not told.done():
                told.set_result(line)

        # Without a wanted port, simulators never share one.
        child = await self.children.start(name, ("sidecar", "simulate", name), self._place.log(name), hear)
        async with _in_time(child):
            line = await told
        # Its first line tells where it listens: `binance simulator: http://127.0.0.1:40231  control: …`
        self.brokers[name] = line.split()[2]

    async def _ready(self, sidecar: Child) -> bool:
        """Wait until it is ready; False when it ends instead, as it does when somebody else has taken its port."""
        sidecar.may_end = True
        async with _in_time(sidecar), self._place.session() as session:
            while not await _says_ready(session):
                if not sidecar.running:
                    return False
                await asyncio.sleep(_LOOK_SECONDS)
        sidecar.may_end = False
        return True


async def _says_ready(session: aiohttp.ClientSession) -> bool:
    with suppress(aiohttp.ClientError):
        async with session.get("http://localhost/v1/status") as answer:
            status = await answer.json()
            return bool(status["state"] == "ready")
    return False


@asynccontextmanager
async def _in_time(child: Child) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(START_SECONDS):
            yield
    except TimeoutError:
        raise ChildError(f"{child.name} did not start within {START_SECONDS:.0f} s") from None


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
    missing = [name for name in ("ccxt", "oandapyV20", "six") if find_spec(name) is None]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise DemoError(
            f"the demo needs {', '.join(missing)}, which {verb} not installed; do: pip install 'broker-sidecar[demo]'"
        )
