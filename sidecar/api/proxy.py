"""The transparent proxy: `/{broker}/{path…}` in, what became of the call out."""

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from sidecar.api.errors import BodyError, BodyTooLargeError, place_of
from sidecar.api.exchange import Incoming, Listener, Outgoing
from sidecar.api.guard import Denial, Guard
from sidecar.api.headers import Sorted, sort
from sidecar.api.orders import STATUSES, accepted
from sidecar.api.ports import Gateway
from sidecar.api.prefer import preferences
from sidecar.api.problem import problem
from sidecar.calls.model import Fate, Result
from sidecar.orders.desk import OrderDesk
from sidecar.orders.errors import (
    DoubtfullyRecordedError,
    OrderError,
    QueueFullError,
    StoppingError,
    UnrecordedError,
)
from sidecar.orders.order import Order
from sidecar.store import StoreError
from sidecar.telemetry.events import Bus, CallRefused
from sidecar.wire import Answer, Headers, Request
from sidecar.words import OrderState, Outcome, RefusalKind

_SECONDS: Final = re.compile(rb"\d{1,9}(\.\d{1,9})?", re.ASCII)
_log = logging.getLogger("sidecar.api")


class Proxy:
    """Hands calls to the gateways of the configured brokers, and reaches nothing else."""

    def __init__(self, gateways: Mapping[str, Gateway], guard: Guard, bus: Bus, desk: OrderDesk | None = None) -> None:
        self._gateways = dict(gateways)
        self._desk = desk
        self._guard = guard
        self._bus = bus
        self.in_flight = 0
        """Calls whose fate is still open; a stream counts until its first byte."""

    async def handle(self, incoming: Incoming) -> Outgoing:
        """Carry one call, or refuse it with the broker untouched."""
        headers = sort(incoming.headers)
        name, target = split_target(incoming.target)
        gateway = self._gateways.get(name)
        denial = self._guard.check(incoming.listener, incoming.uid, headers.marks) or _objection(incoming, headers)
        if denial is not None:
            return self._refuse(incoming, gateway, denial)
        if gateway is None:
            return self._refuse(incoming, None, self._unknown_broker())
        try:
            body = await incoming.read()
        except BodyError as failure:
            return self._refuse(incoming, gateway, _TOO_LARGE if isinstance(failure, BodyTooLargeError) else _MALFORMED)
        request = Request(incoming.method, target, headers.forward, body)
        if self._desk is None or incoming.method == "GET":
            return _told(await self._run(gateway, request, headers.marks, incoming.gone))
        try:
            taken = await self._carried(self._desk, gateway, request, headers.marks.get(b"traceparent"))
            if taken is not None:
                return taken
            with gateway.announced(request):  # or the same order could be carried while this one looks for it
                await self._desk.heed(gateway.name, request)
                return _told(await self._run(gateway, request, headers.marks, incoming.gone))
        except OrderError as error:
            return self._not_taken(gateway, error)
        except StoreError:
            return self._not_taken(gateway, DoubtfullyRecordedError("perhaps taken: the state file fails, see the log"))

    @staticmethod
    async def _carried(
        desk: OrderDesk, gateway: Gateway, request: Request, traceparent: bytes | None
    ) -> Outgoing | None:
        """The answer to a call that the sidecar carries from here on; None for one that goes straight to the broker.

        Raises OrderError, StoreError.
        """
        respond_async, wait = preferences(request.headers)
        # What was sent directly under a key stays there, where its answer is kept.
        if not respond_async or await gateway.knows(request):
            return None
        taken = await desk.divert(gateway.name, request, traceparent)
        if taken is None:
            return None
        account = await desk.wait(taken.order.id, wait, final=False)
        fate = (b"Sidecar-Fate", _fate(account.order))
        return Outgoing(accepted(account.order, known=taken.known), (_APPLIED, fate))

    @staticmethod
    def _not_taken(gateway: Gateway, error: OrderError) -> Outgoing:
        kind = _KINDS.get(type(error), RefusalKind.BAD_REQUEST)
        result = gateway.refuse(kind, str(error))
        status = STATUSES[type(error)]
        outcome = _OUTCOMES.get(kind, Outcome.TRANSIENT)
        answer = Answer(status, result.answer.headers, result.answer.body, status.phrase)
        return _told(Result(answer, replace(result.fate, outcome=outcome)))

    def count_malformed(self, listener: Listener) -> None:
        """Tell that a request could not even be parsed."""
        self._bus.emit(CallRefused("", _MALFORMED.reason, listener))

    async def _run(
        self, gateway: Gateway, request: Request, marks: Mapping[bytes, bytes], gone: Callable[[], bool]
    ) -> Result:
        deadline = marks.get(b"sidecar-deadline")
        self.in_flight += 1
        try:
            return await gateway.run(
                request,
                deadline_seconds=None if deadline is None else float(deadline),
                traceparent=marks.get(b"traceparent"),
                tracestate=marks.get(b"tracestate"),
                gone=gone,
            )
        except Exception as failure:  # noqa: BLE001 - whatever broke: the bot must not take it for "not sent"
            words = "a call to %s failed inside the sidecar: %s"
            _log.error(words, gateway.name, type(failure).__name__, exc_info=place_of(failure))
            refusal = gateway.refuse(
                RefusalKind.UNKNOWN,
                "the sidecar failed on this call, which may have been executed: look it up before sending it again",
            )
            # How many attempts were made is lost with the failure; none would say that nothing was sent.
            fate = Fate(Outcome.UNKNOWN, attempts=1, why=RefusalKind.UNKNOWN, source="sidecar")
            return Result(refusal.answer, fate)
        finally:
            self.in_flight -= 1

    def _refuse(self, incoming: Incoming, gateway: Gateway | None, denial: Denial) -> Outgoing:
        broker = "" if gateway is None else gateway.name
        self._bus.emit(CallRefused(broker, denial.reason, incoming.listener))
        if gateway is None:
            fate = Fate(Outcome.FATAL, 0, why=RefusalKind.BAD_REQUEST, source="sidecar")
            result = Result(problem(denial.status, denial.message), fate)
        else:
            result = gateway.refuse(RefusalKind.BAD_REQUEST, denial.message)
            envelope = result.answer
            result = Result(Answer(denial.status, envelope.headers, envelope.body), result.fate)
        return _told(result, denial.extra)

    def _unknown_broker(self) -> Denial:
        known = ", ".join(f"/{name}/…" for name in sorted(self._gateways))
        return Denial("unknown_broker", 404, f"not sent: no broker is configured under this path; there are {known}")


def split_target(target: str) -> tuple[str, str]:
    """The broker's name and the target that goes to it, every byte as it was: `/{name}{target}`.

    Both are empty strings where the name cannot be a broker's. A bare `/{name}` asks for the broker's root.
    """
    path_ends = target.find("?")
    slash = target.find("/", 1, path_ends if path_ends >= 0 else len(target))
    if slash > 0:
        return target[1:slash], target[slash:]
    if path_ends >= 0:
        return target[1:path_ends], "/" + target[path_ends:]
    return target[1:], "/"


def _objection(incoming: Incoming, headers: Sorted) -> Denial | None:
    if not incoming.target.startswith("/") or incoming.method == "CONNECT":
        return _NOT_AN_OPEN_PROXY
    if "#" in incoming.target:
        return _FRAGMENT
    if headers.marks.get(b"upgrade", b"").strip().lower() == b"websocket":
        return _UPGRADE
    deadline = headers.marks.get(b"sidecar-deadline")
    if deadline is not None and not (_SECONDS.fullmatch(deadline) and float(deadline) > 0):
        return _DEADLINE
    return None


def _told(result: Result, extra: Headers = ()) -> Outgoing:
    return Outgoing(result.answer, ((b"Sidecar-Fate", result.fate.header()), *extra))


def _fate(order: Order) -> bytes:
    """How far a carried order is: one that is on its way must not look like one that was not sent."""
    attempts = order.attempts + (order.state is OrderState.SENDING)
    return f"accepted; state={order.state}; attempts={attempts}".encode()


_APPLIED: Final = (b"Preference-Applied", b"respond-async")
_KINDS: Final[Mapping[type[OrderError], RefusalKind]] = {
    QueueFullError: RefusalKind.RATE_LIMITED,
    UnrecordedError: RefusalKind.UNRECORDED,
    DoubtfullyRecordedError: RefusalKind.UNKNOWN,
    StoppingError: RefusalKind.UNREACHABLE,
}
"""How a bot is told, in the broker's words, that its order was not taken."""
# To come again with a client id that is taken already never helps, and "not executed" may be untrue of who has it.
_OUTCOMES: Final = {RefusalKind.UNKNOWN: Outcome.UNKNOWN, RefusalKind.BAD_REQUEST: Outcome.FATAL}
_TOO_LARGE: Final = Denial("too_large", 413, "not sent: the body is larger than listen.max_request_bytes")
_MALFORMED: Final = Denial("malformed", 400, "not sent: the body does not keep to its own length or chunks")
_NOT_AN_OPEN_PROXY: Final = Denial(
    "malformed",
    400,
    "not sent: this is no general proxy; set the bot's base URL to this listener's /{broker} instead of an HTTP proxy",
)
_FRAGMENT: Final = Denial("malformed", 400, "not sent: a request target may not hold a #; percent-encode it as %23")
_DEADLINE: Final = Denial(
    "malformed", 400, "not sent: Sidecar-Deadline must be a positive number of seconds, such as 2.5"
)
_UPGRADE: Final = Denial(
    "upgrade",
    501,
    "not sent: WebSocket is not relayed; connect streams to the broker's own address and send only REST calls here",
)
