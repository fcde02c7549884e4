"""The live screen: brokers, bots and news at a glance, from 80 columns on."""

import math
from typing import Any, Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from sidecar.demo.stage import BotView, Line, Stage, Tone
from sidecar.demo.telling import counted

_TONES: Final = {
    Tone.PLAIN: "",
    Tone.QUIET: "dim",
    Tone.GOOD: "green",
    Tone.BAD: "yellow",
    Tone.CHAPTER: "bold cyan",
    Tone.VERDICT: "bold",
}
_SHOWN_LIMITS: Final = {"binance": ("weight_1m", "orders_10s"), "oanda": ("global", "orders")}
_BAR: Final = 7
_LIMIT_NAME: Final = 11
_WARNING: Final = 0.8
"""Where the sidecar begins to warn."""
_BROKER: Final = 7
_WHO: Final = 11
_FULL: Final = 80
"""Columns from which on everything is shown."""
_LOW: Final = 20
"""Rows below which there is no room for what never changes."""
_ROOMY: Final = 30
"""Rows from which on there is room for more air."""


class ScreenShow:
    """Draws the stage on a terminal, in its alternate screen."""

    def __init__(self, stage: Stage, console: Console) -> None:
        self._stage = stage
        self._console = console
        self._live = Live(console=console, screen=True, auto_refresh=False, vertical_overflow="crop")

    def open(self) -> None:
        """Take the screen."""
        self._live.start()

    def line(self, line: Line) -> None:
        """It is in the stage already."""

    def refresh(self) -> None:
        """Draw anew."""
        if self._live.is_started:
            self._live.update(draw(self._stage, self._console.width, self._console.height), refresh=True)

    def close(self) -> None:
        """Give the screen back, and leave on it what is worth keeping."""
        if self._live.is_started:
            self._live.stop()
            for line in self._stage.told:
                self._console.print(_told(line, self._console.width))


def draw(stage: Stage, width: int, height: int) -> RenderableType:
    """The whole screen."""
    gap = [Text("")] if height >= _ROOMY else []
    announcement = Text(stage.announcement, style="cyan").wrap(Console(width=width), width)
    top: list[Text | Table] = [_title(stage, width), *announcement, Text("")]
    top += [_brokers(stage, width), *gap, _bots(stage, width), Text("")]
    foot = [Text(""), *_foot(stage, width)] if height >= _LOW else []
    taken = len(foot) + sum(part.row_count if isinstance(part, Table) else 1 for part in top)
    return Group(*top, *_news(stage, width, max(1, height - taken)), *foot)


def _title(stage: Stage, width: int) -> Text:
    left = Text.assemble(("broker-sidecar demo", "bold"), "  ", (stage.chapter, "bold cyan"))
    minutes, rest = divmod(int(stage.now()), 60)
    right = f"{counted(stage.calls, 'call')}  {counted(stage.retries, 'retry', 'retries')}  {minutes}:{rest:02d}"
    left.truncate(max(0, width - len(right) - 1))
    left.pad_right(max(0, width - left.cell_len - len(right)))
    return left.append(right, style="dim")


def _grid() -> Table:
    return Table.grid(padding=(0, 2, 0, 0))


def _brokers(stage: Stage, width: int) -> Table:
    grid = _grid()
    bar = max(_BAR, min(3 * _BAR, (width - _FULL) // 2 + _BAR))
    limit_width = bar + _LIMIT_NAME + 5
    shown = 2 if width >= _FULL else 1
    grid.add_column(width=_BROKER, no_wrap=True)
    grid.add_column(width=max(18, width - _BROKER - 2 - shown * (limit_width + 2)), no_wrap=True, overflow="ellipsis")
    for _ in range(shown):
        grid.add_column(width=limit_width, no_wrap=True)
    for broker in stage.brokers:
        wanted = _SHOWN_LIMITS.get(broker["name"], ())
        bars = [_bar(limit, bar) for limit in broker["limits"] if limit["limit"] in wanted]
        grid.add_row(Text(broker["name"], style="bold"), _state(broker, stage.unix_now()), *bars[:shown])
    return grid


def _state(broker: dict[str, Any], now: float) -> Text:
    condition = broker["condition"]
    if condition["state"] == "maintenance":
        return Text(f"● maintenance {_left(condition['next_probe'], now)}", style="red")
    gate = broker["gate"]
    if gate["shut"]:
        return Text(f"● gate shut {_left(gate['until'], now)}", style="yellow")
    unwell = [breaker for breaker in broker["breakers"] if breaker["state"] != "closed"]
    if not unwell:
        return Text("● all closed", style="green")
    breaker = max(unwell, key=lambda breaker: breaker["retry_at"] or 0.0)
    colour = "red" if breaker["state"] == "open" else "yellow"
    state = breaker["state"].replace("_", " ")
    return Text(f"● {breaker['group']} {state} {_left(breaker['retry_at'], now)}", style=colour)


def _left(until: float | None, now: float) -> str:
    return "" if until is None else f"{max(0.0, until - now):.0f} s"


def _bar(limit: dict[str, Any], length: int) -> Text:
    share = min(1.0, limit["used"] / limit["capacity"]) if limit["capacity"] else 0.0
    full = math.ceil(share * length)
    style = "green" if share < _WARNING else "yellow"
    name = f"{limit['limit']:<{_LIMIT_NAME}}"
    return Text.assemble((name, "dim"), ("━" * full, style), ("━" * (length - full), "bright_black"), f" {share:>3.0%}")


def _bots(stage: Stage, width: int) -> Table:
    grid = _grid()
    grid.add_column(width=_WHO, no_wrap=True)
    grid.add_column(width=4, no_wrap=True)
    grid.add_column(width=width - _WHO - 4 - 4, no_wrap=True, overflow="ellipsis")
    for bot in stage.bots.values():
        grid.add_row(Text(bot.name, style="bold"), Text(bot.way, style="dim"), _action(bot))
    return grid


def _action(bot: BotView) -> Text:
    return Text(bot.text, style="yellow" if bot.failed else "")


def _news(stage: Stage, width: int, room: int) -> list[Text]:
    console = Console(width=width)
    lines: list[Text] = []
    for line in reversed(stage.news):
        wrapped = list(_told(line, width).wrap(console, width))
        if len(lines) + len(wrapped) > room:
            # On a very low screen, the beginning of the newest is better than nothing.
            lines = lines or wrapped[:room]
            break
        lines = wrapped + lines
    return lines + [Text("")] * (room - len(lines))


def _told(line: Line, width: int) -> Text:
    stamp = f"{line.at:5.1f} {line.who:<{_WHO}}"
    console = Console(width=width)
    body = Text(line.text, style=_TONES[line.tone]).wrap(console, max(20, width - len(stamp) - 1))
    told = Text("\n").join(
        Text.assemble((stamp if number == 0 else " " * len(stamp), "dim"), " ", part)
        for number, part in enumerate(body)
    )
    told.no_wrap = True
    return told


def _foot(stage: Stage, width: int) -> list[Text]:
    addresses = [Text.assemble((f"{name:<8}", "dim"), address) for name, address in stage.addresses]
    commands = [
        Text.assemble((f"{'try' if number == 0 else '':<8}", "dim"), (command, "cyan"))
        for number, command in enumerate(stage.commands)
    ]
    for text in (*addresses, *commands):
        text.truncate(width, overflow="ellipsis")
    return [*addresses, *commands]
