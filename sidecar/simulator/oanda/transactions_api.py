"""`/v3/accounts/{account}/transactions` and its stream."""

from collections.abc import AsyncGenerator, Iterable
from urllib.parse import urlencode

from aiohttp import web

from sidecar.simulator.oanda.calls import Call, Reply, endpoint, stream
from sidecar.simulator.oanda.errors import RefusedError, invalid_value
from sidecar.simulator.oanda.exchange import Exchange
from sidecar.simulator.oanda.limits import Limits
from sidecar.simulator.oanda.stamps import Json, Stamp
from sidecar.simulator.oanda.streaming import HEARTBEAT_SECONDS, deliver

_ROOT = "/v3/accounts/{account}/transactions"
_LOOK_SECONDS = 0.1
_LARGEST_PAGE = 1000


def routes(exchange: Exchange, limits: Limits) -> list[web.RouteDef]:
    """The transaction endpoints (https://developer.oanda.com/rest-live-v20/transaction-ep/)."""

    async def stream_transactions(call: Call) -> web.StreamResponse:
        return await deliver(call, limits, transaction_events(exchange, call.ledger.account.id))

    return [
        web.get(_ROOT, endpoint(exchange, _pages)),
        # Before the single transaction, whose path would swallow these names.
        web.get(f"{_ROOT}/idrange", endpoint(exchange, _between)),
        web.get(f"{_ROOT}/sinceid", endpoint(exchange, _since)),
        web.get(f"{_ROOT}/stream", stream(exchange, stream_transactions)),
        web.get(f"{_ROOT}/{{transaction}}", endpoint(exchange, _details)),
    ]


async def transaction_events(exchange: Exchange, account_id: str) -> AsyncGenerator[Json]:
    """What the stream tells: transactions from now on, and heartbeats with the latest id. It replays nothing."""
    journal = exchange.ledgers[account_id].account.journal
    told = journal.last_id
    beat = exchange.clock.monotonic() + HEARTBEAT_SECONDS
    while True:
        exchange.settle()
        if journal is not (current := exchange.ledgers[account_id].account.journal):
            # The books were reset.
            journal, told = current, 0
        for transaction in journal.between(told + 1, journal.last_id):
            told += 1
            yield transaction
        if exchange.clock.monotonic() >= beat:
            beat += HEARTBEAT_SECONDS
            yield {"type": "HEARTBEAT", "lastTransactionID": str(journal.last_id), "time": exchange.now()}
        await exchange.clock.sleep(_LOOK_SECONDS)


def _pages(call: Call) -> Reply:
    journal = call.ledger.account.journal
    size = call.integer("pageSize", 100, most=_LARGEST_PAGE)
    start = _moment(call, "from", call.ledger.account.created)
    end = _moment(call, "to", call.exchange.now())
    kinds = call.names("type")
    inside = [
        int(item["id"]) for item in _of(kinds, journal.between(1, journal.last_id)) if start <= item["time"] <= end
    ]
    pages = []
    for index in range(0, len(inside), size):
        part = inside[index : index + size]
        query = {"from": part[0], "to": part[-1]} | ({"type": ",".join(kinds)} if kinds else {})
        pages.append(str(call.request.url.origin()) + f"{call.request.path}/idrange?{urlencode(query)}")
    return Reply(
        {
            "from": start,
            "to": end,
            "pageSize": size,
            "count": len(inside),
            "pages": pages,
            "lastTransactionID": str(journal.last_id),
        }
    )


def _between(call: Call) -> Reply:
    return _transactions(call, call.number("from"), call.number("to"))


def _since(call: Call) -> Reply:
    return _transactions(call, call.number("id") + 1, call.ledger.account.journal.last_id)


def _details(call: Call) -> Reply:
    journal, name = call.ledger.account.journal, call.path("transaction")
    number = int(name[:19]) if name.isascii() and name.isdecimal() else 0
    last = str(journal.last_id)
    transaction = journal.get(number)
    if transaction is None:
        raise RefusedError(
            404,
            {
                "lastTransactionID": last,
                "errorMessage": "The transaction ID specified does not exist",
                "errorCode": "NO_SUCH_TRANSACTION",
            },
        )
    return Reply({"transaction": transaction, "lastTransactionID": last})


def _transactions(call: Call, first: int, last: int) -> Reply:
    journal = call.ledger.account.journal
    found = list(_of(call.names("type"), journal.between(first, last)))
    return Reply({"transactions": found, "lastTransactionID": str(journal.last_id)})


def _of(kinds: list[str] | None, transactions: Iterable[Json]) -> Iterable[Json]:
    return (item for item in transactions if not kinds or item["type"] in kinds)


def _moment(call: Call, name: str, default: Stamp) -> Stamp:
    text = call.query(name)
    if text is None:
        return default
    try:
        return Stamp.parse(text)
    except ValueError:
        raise invalid_value(name) from None
