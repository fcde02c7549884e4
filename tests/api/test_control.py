import json
from typing import Any

import jsonschema
import pytest
from pydantic import BaseModel, ValidationError

from sidecar import __version__
from sidecar.api.control import _words
from sidecar.orders.operations.draft import BracketChange, OperationDraft
from sidecar.words import BreakerMode, DegradationLevel

from .support import House, Told, get, post


def told_json(told: Told) -> Any:
    assert told.status == 200, told.body
    assert told.header(b"content-type") == b"application/json"
    return json.loads(told.body)


async def test_status_tells_the_sidecar_in_one_look(at_home: House) -> None:
    status = told_json(await at_home.ask(get("/v1/status")))
    assert status.pop("brokers")[0] == {
        "name": "binance",
        "profile": "generic",
        "condition": "ok",
        "degradation": "none",
        "can_trade": True,
        "gate": "rate_limited",
        "breakers_not_closed": ["orders"],
        "in_flight": 3,
        "streams": ["fills"],
    }
    assert status.pop("operational")["state"] == "active"
    assert status == {
        "bot": "tester",
        "version": __version__,
        "uptime_seconds": 0.0,
        "state": "ready",
        "detail": "",
        "calls_in_flight": 6,
    }


@pytest.mark.parametrize(
    ("started", "ready", "state", "detail"),
    [
        (False, (False, "opening the store"), "starting", "opening the store"),
        (True, (False, "no broker can be reached"), "not_ready", "no broker can be reached"),
    ],
)
async def test_status_tells_why_it_is_not_ready(
    at_home: House, started: bool, ready: tuple[bool, str], state: str, detail: str
) -> None:
    at_home.health.started, at_home.health.ready = started, ready
    status = told_json(await at_home.ask(get("/v1/status")))
    assert (status["state"], status["detail"]) == (state, detail)


async def test_brokers_are_told_whole(at_home: House) -> None:
    brokers = told_json(await at_home.ask(get("/v1/brokers")))["brokers"]
    assert [broker["name"] for broker in brokers] == ["binance", "oanda"]
    one = told_json(await at_home.ask(get("/v1/brokers/oanda")))
    assert one == brokers[1]
    assert one["breakers"][0]["state"] == "open"
    assert one["limits"][0]["exhaustion_seconds"] is None


async def test_one_breaker_group_is_reset_with_its_reason(at_home: House) -> None:
    body = b'{"reason":"broker says it is fixed","group":"orders"}'
    reading = told_json(await at_home.ask(post("/v1/brokers/binance/breaker/reset", body)))
    assert reading["name"] == "binance"
    assert at_home.binance.resets == [("orders", "broker says it is fixed")]
    assert at_home.oanda.resets == []


async def test_all_breakers_of_one_broker_are_reset(at_home: House) -> None:
    await at_home.ask(post("/v1/brokers/binance/breaker/reset", b'{"reason":"x"}'))
    assert (at_home.binance.resets, at_home.oanda.resets) == ([(None, "x")], [])


async def test_all_breakers_of_all_brokers_are_reset(at_home: House) -> None:
    told_json(await at_home.ask(post("/v1/breakers/reset", b'{"reason":"x"}')))
    assert (at_home.binance.resets, at_home.oanda.resets) == ([(None, "x")], [(None, "x")])


async def test_a_breakers_mode_is_set(at_home: House) -> None:
    body = b'{"mode":"forced_open","reason":"news","group":"orders"}'
    told_json(await at_home.ask(post("/v1/brokers/binance/breaker/mode", body)))
    assert at_home.binance.modes == [("orders", BreakerMode.FORCED_OPEN, "news")]


async def test_limits_are_reset(at_home: House) -> None:
    told_json(await at_home.ask(post("/v1/brokers/oanda/limits/reset", b'{"reason":"new address"}')))
    assert at_home.oanda.limit_resets == ["new address"]


async def test_a_person_degrades_a_broker_for_an_hour_unless_told_otherwise(at_home: House) -> None:
    told = await at_home.ask(post("/v1/brokers/binance/degradation", b'{"level":"read_only","reason":"flat"}'))
    assert told_json(told)["degradation"]["level"] == "read_only"
    body = b'{"level":"emergency","reason":"fire","seconds":60}'
    told_json(await at_home.ask(post("/v1/brokers/binance/degradation", body)))
    assert at_home.binance.levels == [
        (DegradationLevel.READ_ONLY, "flat", 3600),
        (DegradationLevel.EMERGENCY, "fire", 60),
    ]
    assert at_home.oanda.levels == []


async def test_at_read_only_the_status_says_that_nothing_can_be_traded(at_home: House) -> None:
    at_home.binance.level = DegradationLevel.READ_ONLY
    binance, oanda = told_json(await at_home.ask(get("/v1/status")))["brokers"]
    assert (binance["degradation"], binance["can_trade"], oanda["can_trade"]) == ("read_only", False, True)


async def test_a_person_takes_a_degradation_back(at_home: House) -> None:
    at_home.binance.level = DegradationLevel.READ_ONLY
    told = await at_home.ask(post("/v1/brokers/binance/degradation/recover", b'{"reason":"all clear"}'))
    assert told_json(told)["degradation"]["level"] == "none"
    assert at_home.binance.levels == [(DegradationLevel.NONE, "all clear", 0)]


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("degradation", b'{"reason":"x","level":"half"}', "#/level"),
        ("degradation", b'{"reason":"x"}', "#/level"),
        ("degradation", b'{"level":"read_only"}', "#/reason"),
        ("degradation", b'{"reason":"x","level":"read_only","seconds":0}', "#/seconds"),
        ("degradation", b'{"reason":"x","level":"read_only","seconds":1e300}', "#/seconds"),
        ("breaker/reset", b"{", "#"),
        ("breaker/reset", b"", "#"),
        ("breaker/reset", b"[]", "#"),
        ("breaker/reset", b"{}", "#/reason"),
        ("breaker/reset", b'{"reason":""}', "#/reason"),
        ("breaker/reset", b'{"reason":"line\\nbreak"}', "#/reason"),
        ("breaker/reset", b'{"reason":"x","gruop":"orders"}', "#/gruop"),
        ("breaker/reset", b'{"reason":"x","a/b~c":1}', "#/a~1b~0c"),
        ("breaker/reset", b'{"reason":"x","group":"nope"}', "#/group"),
        ("breaker/mode", b'{"reason":"x","mode":"open"}', "#/mode"),
        ("breaker/mode", b'{"reason":"x","mode":"auto","group":"nope"}', "#/group"),
        ("limits/reset", b'{"reason":1}', "#/reason"),
    ],
)
async def test_a_body_that_makes_no_sense_is_refused_with_a_pointer_to_the_field(
    at_home: House, path: str, body: bytes, pointer: str
) -> None:
    told = await at_home.ask(post(f"/v1/brokers/binance/{path}", body))
    problem = json.loads(told.body)
    assert (told.status, told.header(b"content-type")) == (400, b"application/problem+json")
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert (at_home.binance.resets, at_home.binance.modes, at_home.binance.limit_resets) == ([], [], [])


async def test_an_unknown_group_is_told_which_there_are(at_home: House) -> None:
    told = await at_home.ask(post("/v1/brokers/binance/breaker/reset", b'{"reason":"x","group":"nope"}'))
    assert json.loads(told.body)["errors"] == [{"pointer": "#/group", "detail": "binance has orders"}]


async def test_a_body_that_is_too_large_is_refused(at_home: House) -> None:
    request = get("/v1/breakers/reset", "Content-Length: 9999999", "Expect: 100-continue", method="POST")
    assert (await at_home.ask(request)).status == 413


async def test_an_unknown_broker_is_told_which_there_are(at_home: House) -> None:
    told = await at_home.ask(get("/v1/brokers/kraken"))
    assert (told.status, json.loads(told.body)["detail"]) == (
        404,
        "no such broker is configured; there are binance, oanda",
    )


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1?x", "/v1/nothing", "/v1/../binance/x", "/v1/status/"])
async def test_what_is_not_there_is_not_found_and_reaches_no_broker(at_home: House, path: str) -> None:
    assert (await at_home.ask(get(path))).status == 404
    assert at_home.binance.seen == []


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/v1/status", b"GET, HEAD"),
        ("GET", "/v1/breakers/reset", b"POST"),
        ("HEAD", "/v1/breakers/reset", b"POST"),
        ("DELETE", "/v1/brokers/binance", b"GET, HEAD"),
    ],
)
async def test_a_wrong_method_is_told_the_right_one(at_home: House, method: str, path: str, allowed: bytes) -> None:
    told = await at_home.ask(get(path, method=method))
    assert (told.status, told.header(b"allow")) == (405, allowed)


async def test_head_is_answered_like_get_without_a_body(at_home: House) -> None:
    client = await at_home.connect()
    told = await client.ask(get("/v1/brokers", "Connection: close", method="HEAD"))
    assert told.status == 200
    assert await client.rest() == b""
    await client.hang_up()


async def test_the_description_names_every_route_and_nothing_else(at_home: House) -> None:
    document = told_json(await at_home.ask(get("/v1/openapi.json")))
    operations = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
    assert operations == {
        "GET /v1/status",
        "GET /v1/brokers",
        "GET /v1/brokers/{broker}",
        "POST /v1/brokers/{broker}/breaker/reset",
        "POST /v1/brokers/{broker}/breaker/mode",
        "POST /v1/brokers/{broker}/limits/reset",
        "POST /v1/brokers/{broker}/degradation",
        "POST /v1/brokers/{broker}/degradation/recover",
        "POST /v1/breakers/reset",
        "GET /v1/events",
        "GET /v1/openapi.json",
        "POST /v1/orders",
        "GET /v1/orders",
        "GET /v1/orders/{order}",
        "GET /v1/orders/{order}/events",
        "DELETE /v1/orders/{order}",
    }
    identifiers = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(set(identifiers)) == len(identifiers)


@pytest.mark.parametrize("path", ["/v1/status", "/v1/brokers", "/v1/brokers/{broker}"])
async def test_answers_keep_to_their_description(at_home: House, path: str) -> None:
    document = told_json(await at_home.ask(get("/v1/openapi.json")))
    answer = told_json(await at_home.ask(get(path.replace("{broker}", "binance"))))
    content = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]
    schema = {**content["schema"], "components": document["components"]}
    jsonschema.Draft202012Validator(schema).validate(answer)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema).validate({"brokers": [{"name": 1}]})


@pytest.mark.parametrize(
    ("path", "good", "bad"),
    [
        ("/v1/breakers/reset", {"reason": "x"}, {}),
        ("/v1/brokers/{broker}/breaker/mode", {"reason": "x", "mode": "auto"}, {"reason": "x", "mode": "open"}),
    ],
)
async def test_the_description_tells_what_a_body_must_hold(at_home: House, path: str, good: Any, bad: Any) -> None:
    document = told_json(await at_home.ask(get("/v1/openapi.json")))
    content = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    validator = jsonschema.Draft202012Validator({**content["schema"], "components": document["components"]})
    assert validator.is_valid(good)
    assert not validator.is_valid(bad)


@pytest.mark.parametrize(
    ("form", "words"),
    [
        (BracketChange, "say stop_price, target_price or both"),
        (OperationDraft, "say which type it is: /v1/openapi.json lists them"),
    ],
)
def test_what_a_form_lacks_is_told_without_a_programmers_words(form: type[BaseModel], words: str) -> None:
    with pytest.raises(ValidationError) as raised:
        form.model_validate({})
    assert [_words(error) for error in raised.value.errors()] == [words]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/v1/orders?stat=dead&broker=binance", "no such parameter: stat; there are broker, state, client_id, limit"),
        ("/v1/status?verbose=1", "no such parameter: verbose; there are none here"),
    ],
)
async def test_a_parameter_that_means_nothing_is_refused_with_those_that_do(
    at_home: House, path: str, words: str
) -> None:
    told = await at_home.ask(get(path))
    assert (told.status, json.loads(told.body)["detail"]) == (400, words)
