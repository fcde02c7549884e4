"""What each request costs an address, from Binance's endpoint documentation."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from sidecar.simulator.binance.errors import BinanceError
from sidecar.simulator.binance.parameters import Parameters

Weigh = Callable[[Parameters], int]


def _fixed(weight: int) -> Weigh:
    return lambda _parameters: weight


def _by_symbol(one: int, every: int) -> Weigh:
    return lambda parameters: one if "symbol" in parameters else every


def _by_limit(default: int, *steps: tuple[int, int], above: int) -> Weigh:
    def weigh(parameters: Parameters) -> int:
        try:
            limit = parameters.integer("limit", default)
        except BinanceError:
            limit = default
        return next((weight for most, weight in steps if limit <= most), above)

    return weigh


_FUTURES: Mapping[str, Weigh] = MappingProxyType(
    {
        "POST /order": _fixed(0),
        "PUT /order": _fixed(0),
        "POST /algoOrder": _fixed(0),
        "POST /batchOrders": _fixed(5),
        "PUT /batchOrders": _fixed(5),
        "GET /openOrders": _by_symbol(1, 40),
        "GET /openAlgoOrders": _by_symbol(1, 40),
        "GET /ticker/24hr": _by_symbol(1, 40),
        "GET /account": _fixed(5),
        "GET /balance": _fixed(5),
        "GET /positionRisk": _fixed(5),
        "GET /allOrders": _fixed(5),
        "GET /allAlgoOrders": _fixed(5),
        "GET /userTrades": _fixed(5),
        "GET /trades": _fixed(5),
        "GET /ticker/price": _by_symbol(1, 2),
        "GET /ticker/bookTicker": _by_symbol(2, 5),
        "GET /premiumIndex": _by_symbol(1, 10),
        "GET /depth": _by_limit(500, (50, 2), (100, 5), (500, 10), above=20),
        "GET /klines": _by_limit(500, (99, 1), (499, 2), (1000, 5), above=10),
        "POST /countdownCancelAll": _fixed(10),
        "GET /aggTrades": _fixed(20),
        "GET /commissionRate": _fixed(20),
        "GET /positionSide/dual": _fixed(30),
        "GET /multiAssetsMargin": _fixed(30),
        "GET /income": _fixed(30),
    }
)
_SPOT: Mapping[str, Weigh] = MappingProxyType(
    {
        "GET /exchangeInfo": _fixed(20),
        "GET /account": _fixed(20),
        "GET /order": _fixed(4),
        "GET /orderList": _fixed(4),
        "GET /openOrders": _by_symbol(6, 80),
        "GET /ticker/price": _by_symbol(2, 4),
        "GET /klines": _fixed(2),
        "GET /depth": _by_limit(100, (100, 5), (500, 25), (1000, 50), above=250),
    }
)


def weight_of(method: str, path: str, parameters: Parameters) -> int:
    """The request weight of one request; 1 for an endpoint without an entry."""
    _, family, _, *rest = [*path.split("/", 3), "", "", ""][:4]
    table = _FUTURES if family == "fapi" else _SPOT
    weigh = table.get(f"{method} /{''.join(rest)}", _fixed(1))
    return weigh(parameters)
