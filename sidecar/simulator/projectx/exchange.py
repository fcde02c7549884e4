"""The simulated gateway without its wire: users, their tokens, accounts, one market, one clock."""

import base64
import hmac
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from sidecar.clock import Clock
from sidecar.simulator.control import Executed, ExecutedCancel, ExecutedOrder
from sidecar.simulator.projectx.book import Account, Order, Status
from sidecar.simulator.projectx.errors import DeclinedError, UnauthorisedError
from sidecar.simulator.projectx.ledger import Ledger
from sidecar.simulator.projectx.market import Market

_FIRST_ID = 9001


@dataclass(frozen=True, slots=True)
class AccountSpec:
    """An account to begin with. `balance` is in USD; with `auto_oco` an order may bring its exits along."""

    id: int = 1
    name: str = "PRACTICE-1"
    balance: Decimal = Decimal(50_000)
    auto_oco: bool = False
    can_trade: bool = True


@dataclass(frozen=True, slots=True)
class UserSpec:
    """A user and the accounts that his key opens."""

    name: str = "demo"
    api_key: str = "demo-key"
    accounts: tuple[AccountSpec, ...] = (AccountSpec(),)


@dataclass(frozen=True, slots=True)
class Rules:
    """How the gateway behaves where it can behave differently.

    Attributes:
        moving: Whether prices move by themselves.
        token_seconds: How long a token is good (24 hours, https://gateway.docs.projectx.com, "Authenticate").
        visibility_seconds: How long a new order cannot be looked up.
        requests_per_minute: Requests of one address in any minute; more are answered 429.
        bars_per_half_minute: The same for `History/retrieveBars` in any 30 seconds ("Rate Limits").
    """

    moving: bool = True
    token_seconds: float = 86_400.0
    visibility_seconds: float = 0.0
    requests_per_minute: int = 200
    bars_per_half_minute: int = 50


@dataclass(slots=True)
class _Pass:
    user: UserSpec
    expires: float


class Exchange:
    """Everything that the gateway knows, and its clock, which may be wrong."""

    def __init__(self, users: Sequence[UserSpec], rules: Rules, clock: Clock, seed: int) -> None:
        self.rules = rules
        self.seed = seed
        self._clock = clock
        self._users = tuple(users)
        self._offset = 0.0
        self.reset()

    def reset(self) -> None:
        """Begin anew: empty books, the first prices, no tokens. The clock stays as it is set."""
        self.market = Market(self.now, seed=self.seed, moving=self.rules.moving)
        ids = itertools.count(_FIRST_ID)
        self._passes: dict[str, _Pass] = {}
        self._issued = itertools.count(1)
        self.ledgers: dict[int, Ledger] = {}
        for user in self._users:
            for spec in user.accounts:
                account = Account(spec.id, spec.name, spec.balance, spec.auto_oco, spec.can_trade)
                self.ledgers[spec.id] = Ledger(account, self.market, ids, self.now)

    def now(self) -> float:
        """The broker's own time in Unix seconds."""
        return self._clock.now() + self._offset

    def set_clock_offset(self, seconds: float) -> None:
        """Let the broker's clock run ahead of the true time (behind it where negative)."""
        self._offset = seconds

    # Tokens

    def log_in(self, name: str, api_key: str) -> str:
        """A new token, which leaves the others good; `DeclinedError` in the words of `Auth/loginKey`."""
        for user in self._users:
            # "Case does not matter" for the name.
            if user.name.lower() == name.lower() and hmac.compare_digest(user.api_key.encode(), api_key.encode()):
                return self._issue(user)
        raise DeclinedError("InvalidCredentials", token=None)

    def renew(self, token: str) -> str:
        """Another token for the bearer of this one; `UnauthorisedError` when it is not good."""
        return self._issue(self._pass(token).user)

    def log_out(self, token: str) -> None:
        """Let a token be good no longer."""
        self._passes.pop(token, None)

    def log_out_everybody(self) -> None:
        """Let no token be good any more, as after a restart of the gateway."""
        self._passes.clear()

    def accounts_of(self, token: str) -> tuple[int, ...]:
        """The accounts that a token opens; `UnauthorisedError` when it is not good."""
        return tuple(spec.id for spec in self._pass(token).user.accounts)

    def _pass(self, token: str) -> _Pass:
        found = self._passes.get(token)
        if found is None or self.now() >= found.expires:
            raise UnauthorisedError
        return found

    def _issue(self, user: UserSpec) -> str:
        expires = self.now() + self.rules.token_seconds
        parts = ({"alg": "none"}, {"sub": user.name, "exp": expires, "jti": next(self._issued)}, "simulated")
        token = ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
        self._passes[token] = _Pass(user, expires)
        return token

    # The market

    def set_price(self, contract: str, price: Decimal) -> None:
        """Move the market and fill what was waiting for it; `KeyError` for a contract that does not exist."""
        self.settle()
        self.market.set_price(contract, price)
        self._trigger(contract)

    def set_open(self, contract: str, *, is_open: bool) -> None:
        """Open or close trading in a contract; `KeyError` for one that does not exist."""
        self.settle()
        self.market.set_open(contract, is_open=is_open)
        self._trigger(contract)

    def settle(self) -> None:
        """Let everything happen that is due by now."""
        for contract in self.market.moves():
            self._trigger(contract)

    def _trigger(self, contract: str) -> None:
        for ledger in self.ledgers.values():
            ledger.trigger(contract)

    # What can be asked

    def visible(self, order: Order) -> bool:
        """Whether an order can be looked up yet."""
        return self.now() - order.created >= self.rules.visibility_seconds

    def executed(self) -> Executed:
        """What truly stands, or stood, in the books: every order that a client asked for and the gateway took.

        Left out are those that it rejected, and the exits of brackets: they belong to their entry.
        """
        accounts = [ledger.account for ledger in self.ledgers.values()]
        return Executed(
            orders=tuple(_order(order) for account in accounts for order in account.orders.values() if _stood(order)),
            cancels=tuple(
                ExecutedCancel(str(order.id), order.tag or "", order.contract.id)
                for account in accounts
                for order in account.cancelled_on_request
            ),
        )


def _stood(order: Order) -> bool:
    return order.status is not Status.REJECTED and order.parent is None


def _order(order: Order) -> ExecutedOrder:
    return ExecutedOrder(
        order_id=str(order.id),
        client_id=order.tag or "",
        symbol=order.contract.id,
        side="BUY" if order.side.sign > 0 else "SELL",
        type=order.type.name,
        quantity=str(order.size),
        filled=str(order.filled),
        status=order.status.name,
    )
