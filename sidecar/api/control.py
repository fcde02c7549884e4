"""The control API under `/v1`: what people and scripts ask of the sidecar, and what they may tell it to do."""

import inspect
import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from sidecar import __version__
from sidecar.api.answers import JSON, as_json
from sidecar.api.errors import BodyError, BodyTooLargeError
from sidecar.api.events import KINDS, Events
from sidecar.api.exchange import Incoming, Outgoing
from sidecar.api.guard import Denial, Guard
from sidecar.api.headers import sort
from sidecar.api.models import BreakerModeChange, BreakerReset, Brokers, BrokerSummary, Degrade, Reset, Status
from sidecar.api.openapi import describe
from sidecar.api.ports import Controls, Health
from sidecar.api.problem import RefusedError, problem
from sidecar.api.questions import heed_parameters
from sidecar.api.routes import Asked, Route, find, parse_query
from sidecar.clock import Clock
from sidecar.telemetry.events import Bus, CallRefused
from sidecar.telemetry.state import BrokerReading
from sidecar.wire import Answer, Headers, header
from sidecar.words import BreakerState, DegradationLevel

_EVENT_STREAM: Headers = ((b"Content-Type", b"text/event-stream"), (b"Cache-Control", b"no-store"))
_CHALLENGE: Headers = ((b"WWW-Authenticate", b'Bearer realm="sidecar"'),)
_NO_NEW_RISK: Final = frozenset({DegradationLevel.READ_ONLY, DegradationLevel.EMERGENCY})
_HEALTHY: Final = frozenset({BreakerState.CLOSED, BreakerState.FORCED_CLOSED})


class Control:
    """Answers the control API."""

    def __init__(
        self,
        *,
        bot: str,
        brokers: Mapping[str, Controls],
        guard: Guard,
        events: Events,
        bus: Bus,
        clock: Clock,
        health: Health,
        more: Sequence[Route] = (),
    ) -> None:
        """`brokers`: the controls of each, by its name. `more`: the operations of other rooms."""
        self._bot = bot
        self._brokers = dict(brokers)
        self._guard = guard
        self._events = events
        self._bus = bus
        self._clock = clock
        self._health = health
        self._started = clock.monotonic()
        self.stopping = False
        self.routes = (*self._table(), *more)
        self._described = json.dumps(describe(self.routes)).encode()

    def _table(self) -> tuple[Route, ...]:
        filters = {"broker": "Only this broker's events.", "kind": "Only this kind, such as BreakerTransition."}
        one = "/v1/brokers/{broker}"
        return (
            Route("GET", "/v1/status", "The sidecar in one look", self._status, Status),
            Route("GET", "/v1/brokers", "Every broker's state", self._all_brokers, Brokers),
            Route("GET", one, "One broker's state", self._one_broker, BrokerReading),
            Route(
                "POST",
                f"{one}/breaker/reset",
                "Close a broker's breakers",
                self._reset_breaker,
                BrokerReading,
                BreakerReset,
            ),
            Route(
                "POST",
                f"{one}/breaker/mode",
                "Run a broker's breakers by measurement or by hand",
                self._set_mode,
                BrokerReading,
                BreakerModeChange,
            ),
            Route(
                "POST",
                f"{one}/limits/reset",
                "Forget what is counted against a broker's limits",
                self._reset_limits,
                BrokerReading,
                Reset,
            ),
            Route(
                "POST",
                f"{one}/degradation",
                "Use less of a broker for a while",
                self._degrade,
                BrokerReading,
                Degrade,
            ),
            Route(
                "POST",
                f"{one}/degradation/recover",
                "Use all of a broker again",
                self._recover,
                BrokerReading,
                Reset,
            ),
            Route("POST", "/v1/breakers/reset", "Close every broker's breakers", self._reset_all, Brokers, Reset),
            Route(
                "GET",
                "/v1/events",
                "What happens, as server-sent events",
                self._follow,
                str,
                media="text/event-stream",
                query=filters,
            ),
            Route("GET", "/v1/openapi.json", "This description", self._describe, dict[str, Any]),
        )

    async def handle(self, incoming: Incoming) -> Outgoing:
        """Answer one request under `/v1`."""
        authorization = header(incoming.headers, b"authorization")
        marks = sort(incoming.headers).marks
        denial = self._guard.check(incoming.listener, incoming.uid, marks, authorization)
        if denial is not None:
            self._bus.emit(CallRefused("", denial.reason, incoming.listener))
            return _denied(denial)
        path, _, told = incoming.target.partition("?")
        routes, params = find(self.routes, path)
        if not routes:
            return Outgoing(problem(HTTPStatus.NOT_FOUND, "nothing is here; /v1/openapi.json tells what there is"))
        route = routes.get("GET" if incoming.method == "HEAD" else incoming.method)
        if route is None:
            return _wrong_method(routes)
        try:
            query = parse_query(told)
            heed_parameters(query, route.query)
            body = None if route.takes is None else await _body(incoming, route.takes)
            answer = route.handler(Asked(params, query, body, incoming.headers))
            return Outgoing(await answer if inspect.isawaitable(answer) else answer)
        except RefusedError as refused:
            return Outgoing(refused.answer)

    def _status(self, asked: Asked) -> Answer:
        del asked
        ready, detail = self._health.ready
        state = "ready" if ready else "not_ready"
        if not self._health.started:
            state = "starting"
        if self.stopping:
            state, ready, detail = "stopping", False, "the sidecar is letting its last calls go"
        readings = [broker.reading() for broker in self._brokers.values()]
        return as_json(
            Status.model_validate(
                {
                    "bot": self._bot,
                    "version": __version__,
                    "uptime_seconds": self._clock.monotonic() - self._started,
                    "state": state,
                    "detail": "" if ready else detail,
                    "operational": self._health.reading(),
                    "calls_in_flight": sum(reading.in_flight for reading in readings),
                    "brokers": [_summary(reading) for reading in readings],
                }
            ),
        )

    def _all_brokers(self, asked: Asked) -> Answer:
        del asked
        return as_json(Brokers(brokers=[broker.reading() for broker in self._brokers.values()]))

    def _one_broker(self, asked: Asked) -> Answer:
        return as_json(self._broker(asked).reading())

    def _reset_breaker(self, asked: Asked) -> Answer:
        broker = self._broker(asked)
        try:
            broker.reset_breakers(asked.body.group, asked.body.reason)
        except KeyError:
            raise _unknown_group(broker) from None
        return self._one_broker(asked)

    def _set_mode(self, asked: Asked) -> Answer:
        broker = self._broker(asked)
        try:
            broker.set_breaker_mode(asked.body.group, asked.body.mode, asked.body.reason)
        except KeyError:
            raise _unknown_group(broker) from None
        return self._one_broker(asked)

    def _reset_limits(self, asked: Asked) -> Answer:
        self._broker(asked).reset_limits(asked.body.reason)
        return self._one_broker(asked)

    def _degrade(self, asked: Asked) -> Answer:
        self._broker(asked).degrade(asked.body.level, asked.body.reason, asked.body.seconds)
        return self._one_broker(asked)

    def _recover(self, asked: Asked) -> Answer:
        self._broker(asked).recover(asked.body.reason)
        return self._one_broker(asked)

    def _reset_all(self, asked: Asked) -> Answer:
        for broker in self._brokers.values():
            broker.reset_breakers(None, asked.body.reason)
        return self._all_brokers(asked)

    def _follow(self, asked: Asked) -> Answer:
        brokers, kinds = asked.query.get("broker", ()), asked.query.get("kind", ())
        if not set(brokers) <= set(self._brokers):
            raise self._unknown_broker()
        if not set(kinds) <= set(KINDS):
            detail = f"no such kind of event; there are {', '.join(KINDS)}"
            raise RefusedError(problem(HTTPStatus.BAD_REQUEST, detail))
        return Answer(200, _EVENT_STREAM, chunks=self._events.follow(brokers=brokers, kinds=kinds))

    def _describe(self, asked: Asked) -> Answer:
        del asked
        return Answer(200, JSON, self._described)

    def _broker(self, asked: Asked) -> Controls:
        broker = self._brokers.get(asked.params["broker"])
        if broker is None:
            raise self._unknown_broker()
        return broker

    def _unknown_broker(self) -> RefusedError:
        known = ", ".join(sorted(self._brokers))
        return RefusedError(problem(HTTPStatus.NOT_FOUND, f"no such broker is configured; there are {known}"))


async def _body(incoming: Incoming, takes: type[BaseModel]) -> BaseModel:
    try:
        return takes.model_validate_json(await incoming.read())
    except BodyTooLargeError:
        answer = problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the body is larger than listen.max_request_bytes")
    except BodyError:
        answer = problem(HTTPStatus.BAD_REQUEST, "the body does not keep to its own length or chunks")
    except ValidationError as invalid:
        errors = [
            {"pointer": _pointer(error["loc"]), "detail": _words(error)}
            for error in invalid.errors(include_url=False, include_context=False, include_input=False)
        ]
        answer = problem(HTTPStatus.BAD_REQUEST, "the body is not what this operation takes", errors=errors)
    raise RefusedError(answer)


def _pointer(location: tuple[int | str, ...]) -> str:
    return "/".join(["#", *(str(part).replace("~", "~0").replace("/", "~1") for part in location)])


def _words(error: ErrorDetails) -> str:
    """What is wrong with a field, without the words that only a programmer knows."""
    if error["type"] == "union_tag_not_found":
        return "say which type it is: /v1/openapi.json lists them"
    return error["msg"].removeprefix("Value error, ")


def _unknown_group(broker: Controls) -> RefusedError:
    reading = broker.reading()
    known = ", ".join(breaker.group for breaker in reading.breakers)
    errors = [{"pointer": "#/group", "detail": f"{reading.name} has {known}"}]
    return RefusedError(problem(HTTPStatus.BAD_REQUEST, "no such endpoint group", errors=errors))


def _denied(denial: Denial) -> Outgoing:
    if denial.extra:
        # Here the sidecar is the server itself and no proxy, so that the challenge is 401.
        detail = "the bearer token of listen.token_file is missing or wrong; send it as Authorization: Bearer …"
        return Outgoing(problem(HTTPStatus.UNAUTHORIZED, detail), _CHALLENGE)
    return Outgoing(problem(denial.status, denial.message.removeprefix("not sent: ")))


def _wrong_method(routes: Mapping[str, Route]) -> Outgoing:
    allowed = sorted({*routes, "HEAD"} if "GET" in routes else routes)
    listed = ", ".join(allowed)
    return Outgoing(problem(HTTPStatus.METHOD_NOT_ALLOWED, f"this path takes {listed}"), ((b"Allow", listed.encode()),))


def _summary(reading: BrokerReading) -> BrokerSummary:
    return BrokerSummary(
        name=reading.name,
        profile=reading.profile,
        condition=reading.condition.state,
        degradation=reading.degradation.level,
        can_trade=reading.condition.can_trade and not reading.held and reading.degradation.level not in _NO_NEW_RISK,
        gate=reading.gate.outcome if reading.gate.shut else "open",
        breakers_not_closed=[breaker.group for breaker in reading.breakers if breaker.state not in _HEALTHY],
        in_flight=reading.in_flight,
        streams=list(reading.streams),
    )
