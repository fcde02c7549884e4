"""What a person may ask of the sidecar's own life, over the control API."""

import json
from pathlib import Path

from sidecar.api.lifecycle import LifecycleRoutes
from sidecar.telemetry.events import Reloaded
from tests.api.support import FakeHealth, Told, house, post


class Life:
    """Notes what it was asked, and tells what the test wants."""

    def __init__(self) -> None:
        self.retries = 0
        self.told = Reloaded(("log.level",), ("listen.tcp",))

    def retry(self) -> None:
        self.retries += 1

    async def reload(self) -> Reloaded:
        return self.told


async def asked(folder: Path, life: Life, path: str) -> Told:
    routes = LifecycleRoutes(FakeHealth(), retry=life.retry, reload=life.reload).routes()
    async with house(folder, more=routes) as at_home:
        return await at_home.ask(post(path, b""))


async def test_asking_for_the_checks_again_is_accepted_and_tells_how_it_stands(tmp_path: Path) -> None:
    life = Life()
    told = await asked(tmp_path, life, "/v1/startup/retry")
    assert (told.status, life.retries) == (202, 1)
    assert json.loads(told.body)["brokers"][0]["broker"] == "binance"


async def test_a_reload_tells_what_has_changed_and_what_needs_a_restart(tmp_path: Path) -> None:
    told = await asked(tmp_path, Life(), "/v1/reload")
    assert told.status == 200
    assert json.loads(told.body) == {"changed": ["log.level"], "needs_restart": ["listen.tcp"]}


async def test_a_configuration_that_is_wrong_is_refused_with_everything_that_is_wrong(tmp_path: Path) -> None:
    life = Life()
    life.told = Reloaded((), (), ("one", "two"))
    told = await asked(tmp_path, life, "/v1/reload")
    assert told.status == 422
    assert [error["detail"] for error in json.loads(told.body)["errors"]] == ["one", "two"]
