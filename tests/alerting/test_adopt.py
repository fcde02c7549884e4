"""Channels change while the sidecar runs: what waits to be told is told, wherever it is told now."""

import pytest

from sidecar.alerting.errors import ChannelError
from sidecar.alerting.types import ErrorType
from sidecar.clock import VirtualClock
from sidecar.config.model import Alerting as Settings
from tests.alerting.support import URLS, Phone, room

AUTH = (ErrorType.AUTH_FAILED, "binance", "orders")


def settings(**channels: dict[str, object]) -> Settings:
    return Settings.model_validate({"channels": channels})


def test_a_new_channel_hears_of_what_lasts_and_one_that_was_taken_out_of_nothing_more() -> None:
    clock = VirtualClock()

    async def main() -> tuple[Phone, Phone]:
        async with room(clock, phones={"chat": Phone(clock)}) as made:
            made.registry.happened(*AUTH, {})
            await clock.sleep(120)
            made.phones["pager"] = Phone(clock)
            await made.alerting.adopt(settings(pager={"url": URLS["pager"]}))
            assert made.alerting.registry.lasting()
            await clock.sleep(120)
            made.registry.happened(ErrorType.BANNED, "binance", "", {})
            await clock.sleep(120)
            return made.chat, made.pager

    chat, pager = clock.run(main())
    assert len(chat.messages) == 1
    assert len(pager.messages) == 2


def test_a_channel_with_another_address_tells_there_what_it_had_not_told_yet() -> None:
    clock = VirtualClock()

    async def main() -> tuple[Phone, Phone]:
        before, after = Phone(clock), Phone(clock)
        async with room(clock, phones={"chat": before}) as made:
            made.registry.happened(*AUTH, {})
            made.phones["chat"] = after
            await made.alerting.adopt(settings(chat={"url": URLS["chat"]}))
            await clock.sleep(120)
        return before, after

    before, after = clock.run(main())
    assert (len(before.messages), len(after.messages)) == (0, 1)


def test_an_address_that_makes_no_sense_changes_nothing() -> None:
    clock = VirtualClock()

    async def main() -> Phone:
        async with room(clock, phones={"chat": Phone(clock)}) as made:
            with pytest.raises(ChannelError):
                await made.alerting.adopt(settings(chat={"url": "nonsense"}))
            made.registry.happened(*AUTH, {})
            await clock.sleep(120)
            return made.chat

    assert len(clock.run(main()).messages) == 1
