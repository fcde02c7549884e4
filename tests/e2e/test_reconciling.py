"""Real bots lose an order's answer and are told the truth: by a sidecar that may look it up, and by one that signs."""

import dataclasses
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import ccxt
import pytest

from sidecar.client.ccxt import through_sidecar
from tests.e2e.bots import SYMBOL, CcxtBot, OandaBot, Report, Told
from tests.e2e.stack import KEY, QUICK, SECRET, Sidecar, Simulated, fetch

pytestmark = pytest.mark.e2e

DOOR = "door-token"
_numbers = count(1)


class Keyless(CcxtBot):
    """ccxt with made-up keys, behind a sidecar that signs; it shows the door's token."""

    def __init__(self, sidecar: Sidecar) -> None:
        self.exchange = ccxt.binanceusdm(
            {
                "apiKey": "dummy",
                "secret": "dummy",
                "enableRateLimit": False,
                "headers": {"Proxy-Authorization": f"Bearer {DOOR}"},
            }
        )
        through_sidecar(self.exchange, sidecar.url, {"fapi.binance.com": "binance"})


@dataclasses.dataclass
class Scene:
    """A bot, its sidecar and its broker."""

    bot: Any
    sidecar: Sidecar
    broker: Simulated


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Files of secrets, as a deployment would mount them."""
    folder = tmp_path_factory.mktemp("keys")
    files = {}
    for name, text in {"key_file": KEY, "secret_file": SECRET}.items():
        path: Path = folder / name
        path.touch(0o600)
        path.write_text(f"{text}\n")
        files[name] = str(path)
    return files


@pytest.fixture(scope="module")
def looking(folder: Path, _binance: Simulated, _oanda: Simulated, keys: dict[str, str]) -> Iterator[Sidecar]:
    credentials = {"use": "lookup", "key_file": keys["key_file"], "secret_file": keys["secret_file"]}
    brokers = {
        "binance": {"profile": "binance-usdm", "base_url": _binance.url, "credentials": credentials, **QUICK},
        "oanda": {"profile": "oanda", "base_url": _oanda.url, **QUICK},
    }
    sidecar = Sidecar(folder / "looking", brokers)
    yield sidecar
    assert sidecar.stop() == 0


@pytest.fixture(scope="module")
def signing(folder: Path, _binance: Simulated, keys: dict[str, str]) -> Iterator[Sidecar]:
    credentials = {"key_file": keys["key_file"], "secret_file": keys["secret_file"]}
    sidecar = Sidecar(
        folder / "signing",
        {"binance": {"profile": "binance-usdm", "base_url": _binance.url, "credentials": credentials, **QUICK}},
        token=DOOR,
    )
    yield sidecar
    assert sidecar.stop() == 0


@pytest.fixture(scope="module")
def _bots() -> dict[str, Any]:
    return {}


@pytest.fixture(params=["lookup", "sign", "oanda"])
def scene(request: pytest.FixtureRequest, binance: Simulated, oanda: Simulated, _bots: dict[str, Any]) -> Scene:
    """A bot with a look-up key behind it, one whose requests are signed for it, and one whose own token opens all."""
    kind = request.param
    sidecar = request.getfixturevalue("signing" if kind == "sign" else "looking")
    if kind not in _bots:
        _bots[kind] = {"lookup": CcxtBot, "sign": Keyless, "oanda": OandaBot}[kind](sidecar)
        _bots[kind].price()
    sidecar.calm()
    return Scene(_bots[kind], sidecar, oanda if kind == "oanda" else binance)


@pytest.fixture
def client_id() -> str:
    return f"truth-{next(_numbers)}"


def buy_under(fault: str, scene: Scene, client_id: str, **details: Any) -> Report:
    scene.broker.fault(fault, method="POST", **details)
    report: Report = scene.bot.buy(client_id)
    return report


@pytest.mark.parametrize("fault", ["unavailable_unknown", "reset_after", "answer_lost", "truncated"])
def test_an_executed_order_whose_answer_was_lost_is_told_as_done(fault: str, scene: Scene, client_id: str) -> None:
    details = {"executed": True} if fault == "unavailable_unknown" else {}
    report = buy_under(fault, scene, client_id, **details)
    assert report.told is Told.DONE, report
    assert report.fate.startswith("ok; attempts=1; ")
    assert report.fate.endswith("; reconciled")
    assert scene.broker.executions(client_id) == 1
    assert {line["event"]: line.get("reconciled") for line in scene.sidecar.audited(client_id)}["order_placed"] is True
    assert scene.bot.find(client_id) == "closed"


@pytest.mark.parametrize("fault", ["unavailable_unknown", "reset_before"])
def test_an_order_that_was_not_executed_stays_unknown(fault: str, scene: Scene, client_id: str) -> None:
    details = {"executed": False} if fault == "unavailable_unknown" else {}
    report = buy_under(fault, scene, client_id, **details)
    assert report.told is Told.UNKNOWN, report
    assert scene.broker.executions(client_id) == 0
    assert scene.sidecar.metric("sidecar_order_lookups_total", result="not_found") >= 2


def test_what_an_error_page_hides_is_never_guessed(scene: Scene, client_id: str) -> None:
    report = buy_under("html", scene, client_id)
    executed = scene.broker.executions(client_id)
    assert executed <= 1
    assert report.told is (Told.DONE if executed else Told.UNKNOWN), report


def test_a_cancel_whose_answer_was_lost_is_told_as_done(scene: Scene, client_id: str) -> None:
    assert scene.bot.rest(client_id).told is Told.DONE
    scene.broker.fault("reset_after", method="PUT" if scene.bot.broker == "oanda" else "DELETE")
    report = scene.bot.cancel(client_id)
    assert report.told is Told.DONE, report
    assert report.fate.endswith("; reconciled")
    assert scene.bot.find(client_id) == "canceled"


def test_a_bot_without_keys_trades_through_a_sidecar_that_signs(
    signing: Sidecar, binance: Simulated, client_id: str
) -> None:
    signing.calm()
    bot = Keyless(signing)
    assert bot.buy(client_id).fate == "ok; attempts=1"
    assert bot.exchange.fetch_balance()["USDT"]["total"] > 0
    assert binance.executions(client_id) == 1


def test_a_clock_that_is_far_off_is_learnt_and_signed_by(signing: Sidecar, binance: Simulated, client_id: str) -> None:
    signing.calm()
    _set_clock(binance, 30)
    try:
        report = Keyless(signing).buy(client_id)
        assert (report.told, report.fate.split(";")[1]) == (Told.DONE, " attempts=2")
        assert signing.metric("sidecar_clock_offset_seconds", broker="binance") == pytest.approx(30, abs=0.5)
    finally:
        _set_clock(binance, 0)
    assert Keyless(signing).buy(f"{client_id}-again").told is Told.DONE


def test_without_the_doors_token_nobody_trades_with_the_sidecars_keys(
    signing: Sidecar, binance: Simulated, client_id: str
) -> None:
    bot = Keyless(signing)
    bot.exchange.headers = {}
    with pytest.raises(ccxt.BaseError):
        bot.exchange.create_order(SYMBOL, "market", "buy", 0.01, None, {"newClientOrderId": client_id})
    assert binance.executions(client_id) == 0


def test_no_key_of_the_sidecar_is_in_anything_that_it_tells(
    signing: Sidecar, binance: Simulated, client_id: str
) -> None:
    signing.calm()
    binance.fault("unavailable_unknown", method="POST", executed=True)
    report = Keyless(signing).buy(client_id)
    told = [report.fate, signing.child.text(), signing.metrics(), str(signing.audited(client_id))]
    assert not any(secret in text for text in told for secret in (SECRET, KEY, DOOR))


def _set_clock(broker: Simulated, seconds: float) -> None:
    fetch(f"{broker.url}/_control/clock", {"offset_seconds": seconds})
