"""Real bots trade through the sidecar, and for every fault what they are told is what the broker did."""

from itertools import count

import pytest

from tests.e2e.bots import BOTS, Bot, Report, Told
from tests.e2e.stack import Sidecar, Simulated

pytestmark = pytest.mark.e2e

_numbers = count(1)


@pytest.fixture(scope="module")
def _bots(_sidecar: Sidecar) -> dict[str, Bot]:
    return {}


@pytest.fixture(params=list(BOTS))
def bot(request: pytest.FixtureRequest, _bots: dict[str, Bot], sidecar: Sidecar) -> Bot:
    """Each client library in turn; kept between tests, because loading markets takes a while."""
    if request.param not in _bots:
        _bots[request.param] = BOTS[request.param](sidecar)
        _bots[request.param].price()
    return _bots[request.param]


@pytest.fixture
def broker(bot: Bot, binance: Simulated, oanda: Simulated) -> Simulated:
    return {"binance": binance, "oanda": oanda}[bot.broker]


@pytest.fixture
def client_id() -> str:
    return f"test-{next(_numbers)}"


def test_market_data_comes_through(bot: Bot) -> None:
    assert bot.price() > 0


def test_a_market_order_is_executed_once_and_told_so(bot: Bot, broker: Simulated, client_id: str) -> None:
    report = bot.buy(client_id)
    assert (report.told, report.fate) == (Told.DONE, "ok; attempts=1")
    assert broker.executions(client_id) == 1


def test_a_resting_order_is_placed_found_and_cancelled(bot: Bot, broker: Simulated, client_id: str) -> None:
    assert bot.rest(client_id).told is Told.DONE
    assert bot.find(client_id) == "open"
    assert bot.cancel(client_id).told is Told.DONE
    assert bot.find(client_id) == "canceled"
    assert [cancel["client_id"] for cancel in broker.executed()["cancels"]] == [client_id]


# Every fault that a simulator can produce, by what a correct sidecar makes of it when it hits an order once.
DEFINITE = {
    "binance": ("unavailable_definite", "throttled", "internal", "maintenance", "refused"),
    "oanda": ("unavailable_definite", "maintenance", "rate_limited", "refused"),
}
EXECUTED_BUT_LOST = ("reset_after", "answer_lost", "truncated")
LOOKS_THE_SAME = ("unavailable_unknown", "timeout_unknown")
AMBIGUOUS = {
    "binance": (*LOOKS_THE_SAME, "html", "reset_before", *EXECUTED_BUT_LOST),
    "oanda": (*LOOKS_THE_SAME, "html", "reset_before", "internal", *EXECUTED_BUT_LOST),
}
HARMLESS = ("latency", "trickle")
ON_BINANCE = [name for name in BOTS if name != "oandapyV20"]


def meeting(table: dict[str, tuple[str, ...]]) -> pytest.MarkDecorator:
    """Parametrize over every client with every fault that its broker knows."""
    pairs = [(name, fault) for name in BOTS for fault in table["oanda" if name == "oandapyV20" else "binance"]]
    return pytest.mark.parametrize(("bot", "fault"), pairs, indirect=["bot"])


def order_under(fault: str, bot: Bot, broker: Simulated, client_id: str, **details: object) -> Report:
    """Place an order whose first transmission meets a fault."""
    filters = {} if fault == "refused" else {"method": "POST"}
    broker.fault(fault, **filters, **details)
    return bot.buy(client_id)


def truth(bot: Bot, executed: int) -> Told:
    """What can be told of an order in doubt: OANDA's bearer token lets the sidecar find one that was executed."""
    return Told.DONE if executed and bot.broker == "oanda" else Told.UNKNOWN


def audited_truly(sidecar: Sidecar, client_id: str, told: Told) -> None:
    """The audit log must say what the bot was told."""
    events = {line["event"] for line in sidecar.audited(client_id)}
    expected = {Told.DONE: "order_placed", Told.UNKNOWN: "order_unknown"}.get(told)
    assert expected is None or expected in events


@meeting(DEFINITE)
def test_a_definite_failure_is_repeated_until_it_succeeds(
    fault: str, bot: Bot, broker: Simulated, sidecar: Sidecar, client_id: str
) -> None:
    report = order_under(fault, bot, broker, client_id, seconds=0.3)
    assert report.told is Told.DONE, report
    assert broker.executions(client_id) == 1
    audited_truly(sidecar, client_id, report.told)


@meeting(AMBIGUOUS)
def test_an_ambiguous_failure_is_never_resent_and_never_called_a_failure(
    fault: str, bot: Bot, broker: Simulated, sidecar: Sidecar, client_id: str
) -> None:
    report = order_under(fault, bot, broker, client_id)
    executed = broker.executions(client_id)
    assert report.told is truth(bot, executed), report
    assert "attempts=1; " in report.fate
    assert executed <= 1
    audited_truly(sidecar, client_id, report.told)


@pytest.mark.parametrize("executed", [True, False])
@pytest.mark.parametrize("fault", LOOKS_THE_SAME)
def test_the_same_words_for_executed_and_not_are_never_guessed(
    fault: str, executed: bool, bot: Bot, broker: Simulated, client_id: str
) -> None:
    report = order_under(fault, bot, broker, client_id, executed=executed)
    assert report.told is truth(bot, executed)
    assert broker.executions(client_id) == executed


@pytest.mark.parametrize("fault", EXECUTED_BUT_LOST)
def test_an_executed_order_whose_answer_was_lost_is_there_once(
    fault: str, bot: Bot, broker: Simulated, client_id: str
) -> None:
    order_under(fault, bot, broker, client_id)
    assert broker.executions(client_id) == 1
    assert bot.find(client_id) == "closed"


@pytest.mark.parametrize("longer", [True, False], ids=["body cut by a short length", "length beyond the body"])
def test_a_wrong_length_never_loses_an_executed_order(
    longer: bool, bot: Bot, broker: Simulated, client_id: str
) -> None:
    report = order_under("wrong_length", bot, broker, client_id, longer=longer)
    assert report.told is not Told.FAILED
    assert broker.executions(client_id) == 1
    assert bot.price() > 0  # the next answer is its own, not the rest of the last one


@pytest.mark.parametrize("fault", HARMLESS)
def test_a_slow_answer_is_waited_for(fault: str, bot: Bot, broker: Simulated, client_id: str) -> None:
    report = order_under(fault, bot, broker, client_id, seconds=0.2)
    assert report.told is Told.DONE
    assert broker.executions(client_id) == 1


@pytest.mark.parametrize("bot", ON_BINANCE, indirect=True)
def test_a_rate_limit_longer_than_a_call_may_take_is_told_as_one_and_stops_what_follows(
    bot: Bot, broker: Simulated, client_id: str
) -> None:
    report = order_under("rate_limited", bot, broker, client_id, seconds=30)
    assert report.fate.startswith("rate_limited; attempts=1")
    assert bot.buy(client_id).fate.startswith("rate_limited; attempts=0")
    assert broker.executions(client_id) == 0


@pytest.mark.parametrize("bot", ON_BINANCE, indirect=True)
def test_a_ban_is_told_as_one_and_nothing_more_is_sent(bot: Bot, broker: Simulated, client_id: str) -> None:
    report = order_under("banned", bot, broker, client_id, seconds=60)
    assert report.told is Told.FAILED
    assert report.fate.startswith("banned; attempts=1")
    before = broker.executed()["counts"]["requests"]
    assert bot.buy(client_id).fate.startswith("banned; attempts=0")
    assert broker.executed()["counts"]["requests"] == before
    assert broker.executions(client_id) == 0


@pytest.mark.parametrize("bot", ON_BINANCE, indirect=True)
def test_a_stale_signature_is_left_to_the_bot(bot: Bot, broker: Simulated, client_id: str) -> None:
    report = order_under("clock_skew", bot, broker, client_id)
    assert report.told is Told.FAILED
    assert "-1021" in report.error
    assert broker.executions(client_id) == 0


@meeting({broker: (*AMBIGUOUS[broker], *DEFINITE[broker], *HARMLESS) for broker in AMBIGUOUS})
def test_a_read_survives_every_fault(fault: str, bot: Bot, broker: Simulated) -> None:
    broker.fault(fault, seconds=0.3)
    assert bot.price() > 0
