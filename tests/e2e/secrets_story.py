"""Everything that can happen to bots with made-up secrets, and everything that the sidecar says about it."""

import base64
import gzip
import io
import json
import re
import socket
import threading
import urllib.request
from contextlib import ExitStack, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from sidecar.cli import main
from sidecar.client.ccxt import through_sidecar
from sidecar.simulator.faults import FaultKind
from tests.e2e import bots
from tests.e2e.bots import AsyncCcxtBot, CcxtBot, ConnectorBot, OandaBot
from tests.e2e.collectors import SOON, http_collector
from tests.e2e.raw import RawBroker, answer
from tests.e2e.stack import ACCOUNT, QUICK, Child, Sidecar, Simulated, command, until

SECRETS = {
    "api key": "ApiKey7Zq4Xw9Rt2",  # Shorter than a real one: nothing may rely on its length.
    "api secret": "ApiSecret5Lm8Kj3Hg",
    "key in a body": "KeyInABody6Rt8Yu",
    "bearer token": "Bearer/Token+6Vb1=Nc0",
    "sidecar token": "SidecarToken.9Pf3~Ds7",
    "wrong token": "WrongToken1Ty6Uk",
    "wrong api key": "WrongApiKey8Io5Pa",
    "query value": "QueryValue2Gh7Jk",
    "body value": "BodyValue4Cv6Bn",
    "password in a URL": "UrlPassword3Ws8Ed",
}
"""Made up, and unlike anything else. Listen keys and signatures join them as they come into being."""

SHUTTING = {FaultKind.RATE_LIMITED, FaultKind.BANNED, FaultKind.THROTTLED}
"""Faults after which nothing more would go to the broker."""

OUTPUTS = (
    "standard error",
    "audit file",
    "compressed audit file",
    "metrics",
    "openmetrics",
    "spans",
    "span file",
    "server-sent events",
    "/v1/status",
    "/v1/brokers",
    "/v1/openapi.json",
    "probes",
    "refusals",
    "fates",
    "sidecar status",
    "sidecar audit",
    "sidecar audit --json",
    "sidecar audit verify",
    "sidecar check",
    "complaints about configurations",
)


@dataclass
class Story:
    """Everything that was said, and everything that nobody may say."""

    outputs: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=lambda: dict(SECRETS))
    refusals: list[str] = field(default_factory=list)
    fates: list[str] = field(default_factory=list)
    received: list[bytes] = field(default_factory=list)
    """What the raw broker got."""

    def hear(self, response: Any, *_: Any, **__: Any) -> None:
        """Note an answer that a bot's library got: for the hooks of `requests`."""
        request = response.request
        sent = f"{request.url} {request.body}"
        for signature in re.findall(r"signature=([0-9a-f]{64})", sent):
            self.secrets[f"signature {signature[:8]}"] = signature
        fate = response.headers.get("Sidecar-Fate", "")
        self.fates.append(fate)
        if "from=sidecar" in fate:
            self.refusals.append(f"{response.headers} {response.text}")


def leaks(text: str, secrets: dict[str, str]) -> list[str]:
    """The names of the secrets that are in a text, in whichever form they are."""
    low = text.lower()
    return [name for name, value in secrets.items() if any(form.lower() in low for form in forms(value))]


def forms(value: str) -> set[str]:
    """How a secret may be written."""
    encoded = base64.b64encode(value.encode()).decode().rstrip("=")
    return {value, quote(value, safe=""), json.dumps(value)[1:-1], value.replace("/", "\\/"), encoded}


def tell(folder: Path) -> Story:
    """Live through everything, with bots whose secrets are made up."""
    told = Story()
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        patch.setattr(bots, "KEY", SECRETS["api key"])
        patch.setattr(bots, "SECRET", SECRETS["api secret"])
        patch.setattr(bots, "TOKEN", SECRETS["bearer token"])
        patch.setattr(bots, "through_sidecar", through_guarded_sidecar)
        live(told, folder, stack)
    return told


def through_guarded_sidecar(exchange: Any, *arguments: Any) -> None:
    """Let ccxt show the sidecar's token."""
    through_sidecar(exchange, *arguments)
    exchange.headers = proxy_authorization(SECRETS["sidecar token"])


def proxy_authorization(token: str) -> dict[str, str]:
    return {"Proxy-Authorization": f"Bearer {token}"}


def stranger(name: str, folder: Path, stack: ExitStack) -> Simulated:
    environment = {
        "STRANGER_KEY": SECRETS["api key"],
        "STRANGER_SECRET": SECRETS["api secret"],
        "STRANGER_TOKEN": SECRETS["bearer token"],
        "STRANGER_OPENALGO_KEY": SECRETS["key in a body"],
    }
    child = Child([name], folder / f"{name}.log", environment, module="tests.e2e.strangers")
    stack.callback(child.stop)
    return Simulated(name, folder, child)


def live(story: Story, folder: Path, stack: ExitStack) -> None:
    """Everything that can happen, and everything that can be asked."""
    binance, oanda, openalgo = (stranger(name, folder, stack) for name in ("binance", "oanda", "openalgo"))
    echo = stack.enter_context(RawBroker.listening())
    echo.reply = parrot
    collected = stack.enter_context(http_collector())
    hasty = {"timeouts": {"answer_seconds": 0.3}, "retry": {"attempts": 2, "base_seconds": 0.02, "budget_floor": 999}}
    spans = folder / "spans.jsonl"
    sidecar = Sidecar(
        folder / "sidecar",
        {
            "binance": QUICK | {"profile": "binance-usdm", "base_url": binance.url} | hasty,
            "oanda": QUICK | {"profile": "oanda", "base_url": oanda.url} | hasty,
            "openalgo": QUICK | {"profile": "openalgo", "base_url": openalgo.url} | hasty,
            "echo": QUICK | {"profile": "binance-usdm", "base_url": echo.url} | hasty,
            "parrot": QUICK | {"profile": "oanda", "base_url": echo.url} | hasty,
            "starling": QUICK | {"profile": "openalgo", "base_url": echo.url} | hasty,
        },
        SOON,
        module="tests.e2e.crashing",
        token=SECRETS["sidecar token"],
        log={"format": "json", "level": "debug"},
        telemetry={"otlp": {"endpoint": collected.url}, "file": str(spans)},
    )
    stack.callback(sidecar.stop)

    events: list[bytes] = []
    following = threading.Thread(target=lambda: follow(sidecar, events))
    following.start()
    trade(story, sidecar, binance, oanda)
    trade_by_body(story, sidecar, openalgo)
    provoke(story, sidecar)
    story.received = echo.requests
    ask(story, sidecar)
    # A stop waits only so long for a collector, and this one may be slow on a busy machine.
    until(lambda: any("parrot" in span.name for span in list(collected.spans)), "the last spans arrive", seconds=60)
    assert sidecar.stop() == 0
    following.join()
    story.outputs["standard error"] = sidecar.child.text()
    story.outputs["server-sent events"] = b"".join(events).decode()
    story.outputs["spans"] = "\n".join(map(str, collected.spans))
    story.outputs["span file"] = spans.read_text()
    story.outputs["refusals"] = "\n".join(story.refusals)
    story.outputs["fates"] = "\n".join(story.fates)
    read_audit(story, sidecar)
    misconfigure(story, folder)


def parrot(request: bytes) -> bytes:
    """A broker that repeats what it was told, wherever it can."""
    words = request.decode("latin-1")
    line = words.replace("\r\n", " ")
    if "/code" in words:
        return answer(400, {"code": line, "msg": line, "errorCode": line, "errorMessage": line})
    if "/broken" in words:
        return f"HTTP/1.1 {line}\r\n\r\n".encode()
    if "/redirect" in words:
        return answer(302, {}, f"Location: https://elsewhere{words.split()[1]}", f"Set-Cookie: {line}")
    if "/text" in words:
        return f"HTTP/1.1 500 {line}\r\nContent-Length: {len(line)}\r\n\r\n{line}".encode()
    return answer(
        400,
        {
            "code": -2014,
            "msg": f"API-key format invalid: {line}",
            "errorMessage": line,
            "status": "error",
            "message": line,
        },
        f"X-Echo: {line}",
    )


def trade(story: Story, sidecar: Sidecar, binance: Simulated, oanda: Simulated) -> None:
    """Bots trade, without faults and with every fault."""
    shown = proxy_authorization(SECRETS["sidecar token"])
    first, second, third = CcxtBot(sidecar), ConnectorBot(sidecar), OandaBot(sidecar)
    for session in (first.exchange.session, second.client.session, third.api.client):
        session.headers.update(shown)
        session.hooks["response"].append(story.hear)
    story.secrets["listen key"] = second.client.new_listen_key()["listenKey"]
    second.client.renew_listen_key(story.secrets["listen key"])
    assert AsyncCcxtBot(sidecar).buy("async").fate == "ok; attempts=1"
    for bot in (first, second, third):
        assert bot.rest("resting").fate == "ok; attempts=1"
        assert bot.cancel("resting").fate == "ok; attempts=1"
    meeting = threading.Thread(target=lambda: meet_faults(sidecar, oanda, third, third))
    meeting.start()
    meet_faults(sidecar, binance, first, second)
    meeting.join()


def meet_faults(sidecar: Sidecar, broker: Simulated, *pair: bots.Bot) -> None:
    """Let every fault hit an order of the one bot and a query of the other, in turns."""
    for number, kind in enumerate(FaultKind):
        trader, reader = pair if number % 2 else pair[::-1]
        for act in (lambda: trader.buy("faulty"), lambda: reader.find("faulty")):  # noqa: B023 - used at once
            broker.fault(kind, seconds=0.1)
            with suppress(Exception):  # what a library makes of it is another test's business
                act()
            until(lambda: recovered(broker), "the simulator listens again")
            if kind in SHUTTING:
                sidecar.calm()


def trade_by_body(story: Story, sidecar: Sidecar, openalgo: Simulated) -> None:
    """Orders and questions whose key is in the body, with every fault, and to a broker that repeats everything."""
    shown = {"Content-Type": "application/json"} | proxy_authorization(SECRETS["sidecar token"])
    order = {"strategy": "tests", "exchange": "NSE", "symbol": "SBIN", "action": "BUY", "quantity": "1"}
    bodies: dict[str, dict[str, Any]] = {
        "placeorder": order,
        "placesmartorder": order | {"position_size": "1"},
        "basketorder": {"strategy": "tests", "orders": [order]},
        "cancelorder": {"strategy": "tests", "orderid": SECRETS["key in a body"]},
        "quotes": order,
        "nobodyknows": order,
    }
    for endpoint, fields in bodies.items():
        body = json.dumps({"apikey": SECRETS["key in a body"]} | fields)
        for broker in ("openalgo", "starling"):
            say(story, sidecar, f"POST /{broker}/api/v1/{endpoint}", shown, body)
    body = json.dumps({"apikey": SECRETS["key in a body"]} | order)
    for kind in FaultKind:
        for endpoint in ("placeorder", "quotes"):
            openalgo.fault(kind, seconds=0.1)
            with suppress(Exception):  # an answer that was spoilt is another test's business
                say(story, sidecar, f"POST /openalgo/api/v1/{endpoint}", shown, body)
            until(lambda: recovered(openalgo), "the simulator listens again")
            if kind in SHUTTING:
                sidecar.calm()


def recovered(broker: Simulated) -> bool:
    """Begin anew; False while a fault keeps the simulator's listener closed."""
    try:
        broker.reset()
    except OSError:
        return False
    return True


def provoke(story: Story, sidecar: Sidecar) -> None:
    """Callers that are refused, brokers that repeat everything, and bugs."""
    secret = (
        {"X-MBX-APIKEY": SECRETS["api key"], "Authorization": f"Bearer {SECRETS['bearer token']}"}
        | {"Content-Type": "text/plain"}
        | proxy_authorization(SECRETS["sidecar token"])
    )
    query = f"?symbol=BTCUSDT&note={SECRETS['query value']}&signature={'5e' * 32}"
    story.secrets["a signature of nobody"] = "5e" * 32
    body = f"side=BUY&note={SECRETS['body value']}"
    for path in ("order", "code", "broken", "redirect", "text", "account"):
        for target in (f"/echo/fapi/v1/{path}", f"/parrot/v3/accounts/{ACCOUNT}/{path}"):
            for method in ("GET", "POST"):
                say(story, sidecar, f"{method} {target}{query}", secret, body)
    for path in ("/binance/fapi/v1/order", f"/oanda/v3/accounts/{ACCOUNT}/orders", "/v1/nothing", "/nobody/x"):
        for strange in (
            {},
            {"Host": "evil.example"},
            {"Origin": "https://evil.example"},
            {"Sidecar-Deadline": SECRETS["query value"]},
            {"Upgrade": "websocket", "Connection": "Upgrade"},
            {"Proxy-Authorization": f"Bearer {SECRETS['wrong token']}"},
            {"X-MBX-APIKEY": SECRETS["wrong api key"], "Authorization": f"Bearer {SECRETS['wrong token']}"},
        ):
            say(story, sidecar, f"POST {path}{query}", secret | strange, body)
    say(story, sidecar, f"POST /binance/fapi/v1/order{query}", secret, body * 40_000)
    say(story, sidecar, f"POST /binance/fapi/v1/order{query}&crash=1", secret, body)
    say(story, sidecar, f"GET /oanda/v3/accounts{query}&crash=1", secret, body)
    say(story, sidecar, "POST /v1/breakers/reset", secret, json.dumps({"reason": [SECRETS["body value"]]}))
    say(story, sidecar, f"GET /v1/events?kind={SECRETS['query value']}", secret, "")
    for head in (f"GET /binance/x{query} HTTP/1.1\r\nX-MBX-APIKEY {SECRETS['api key']}", f"{SECRETS['api key']}"):
        with socket.create_connection(("127.0.0.1", sidecar.tcp)) as connection:
            connection.sendall(f"{head}\r\n\r\n".encode())
            story.refusals.append(connection.recv(65536).decode())


def say(story: Story, sidecar: Sidecar, line: str, headers: dict[str, str], body: str) -> None:
    """One request by its method and target; what the sidecar itself answers is noted."""
    method, _, target = line.partition(" ")
    connection = HTTPConnection("127.0.0.1", sidecar.tcp, timeout=30)
    connection.request(method, target, body, headers)
    told = connection.getresponse()
    content = told.read().decode()
    connection.close()
    fate = told.headers["Sidecar-Fate"] or ""
    story.fates.append(fate)
    if "from=sidecar" in fate or not fate:
        story.refusals.append(f"{told.status} {told.headers} {content}")


def ask(story: Story, sidecar: Sidecar) -> None:
    """Everything that a running sidecar can be asked."""
    for path in ("/v1/status", "/v1/brokers", "/v1/openapi.json"):
        story.outputs[path] = get(sidecar.url + path, {"Authorization": f"Bearer {SECRETS['sidecar token']}"})
    story.outputs["metrics"] = sidecar.metrics()
    story.outputs["openmetrics"] = get(sidecar.metrics_url, {"Accept": "application/openmetrics-text"})
    scrape = sidecar.metrics_url.removesuffix("metrics")
    story.outputs["probes"] = "".join(get(scrape + probe, {}) for probe in ("livez", "readyz", "startupz"))
    wrong = sidecar.folder / "wrong"
    wrong.write_text(SECRETS["wrong token"])
    status = ("status", "--config", str(sidecar.config))
    commands = (status, (*status, "--json"), ("status", "--url", sidecar.url, "--token-file", str(wrong)))
    story.outputs["sidecar status"] = "\n".join(run(*words).said for words in commands)
    check = ("check", str(sidecar.config))
    story.outputs["sidecar check"] = run(*check).said + run(*check, "--json").said


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it wrote."""

    status: int
    said: str


def run(*arguments: str) -> Ended:
    """Run a command in this process: two dozen processes would take half a minute."""
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        status = main(arguments)
    return Ended(status, said.getvalue())


def get(url: str, headers: dict[str, str]) -> str:
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=30) as told:  # noqa: S310 - loopback
        text: str = told.read().decode()
    return text


def follow(sidecar: Sidecar, events: list[bytes]) -> None:
    """Listen to the events until the sidecar ends them."""
    connection = HTTPConnection("127.0.0.1", sidecar.tcp, timeout=60)
    connection.request("GET", "/v1/events", headers={"Authorization": f"Bearer {SECRETS['sidecar token']}"})
    told = connection.getresponse()
    with suppress(OSError, ValueError):  # it is cut at the stop
        while line := told.readline():
            events.append(line)
    connection.close()


def read_audit(story: Story, sidecar: Sidecar) -> None:
    """The audit log, once as it was written and once as yesterday's."""
    directory = ("--directory", str(sidecar.audit))
    story.outputs["sidecar audit"] = run("audit", "--limit", "0", *directory).said
    story.outputs["sidecar audit --json"] = run("audit", "--limit", "0", "--json", *directory).said
    (today,) = sidecar.audit.glob("audit-*.jsonl")
    story.outputs["audit file"] = today.read_text()
    yesterday = date.fromisoformat(today.stem.removeprefix("audit-")) - timedelta(days=1)
    today.rename(sidecar.audit / f"audit-{yesterday}.jsonl")
    sidecar.start()
    zipped = sidecar.audit / f"audit-{yesterday}.jsonl.gz"
    until(zipped.exists, "yesterday is compressed")
    assert sidecar.stop() == 0
    story.outputs["compressed audit file"] = gzip.decompress(zipped.read_bytes()).decode()
    story.outputs["sidecar audit verify"] = run("audit", "verify", *directory).said


def misconfigure(story: Story, folder: Path) -> None:
    """Configurations that hold secrets where none belong."""
    key, secret, token = SECRETS["api key"], SECRETS["api secret"], SECRETS["sidecar token"]
    url = "profile: binance-usdm, base_url"
    said: list[Ended] = []
    for number, text in enumerate(
        (
            f"listen: {{token: {token}}}\nbrokers: {{b: {{{url}: http://x, credentials: {{key: {key}}}}}}}",
            f"brokers: {{b: {{{url}: http://x, credentials: [{key}, {secret}]}}}}",
            f"brokers: {{b: {{{url}: 'https://me:{SECRETS['password in a URL']}@broker.test'}}}}",
            f"brokers: {{b: {{{url}: 'https://broker.test/?signature={secret}&apikey={key}'}}}}",
            f"listen: {{token_file: [{token}]}}\nbrokers: {{b: {{profile: none, base_url: []}}}}",
            f"token: '{token}\nbrokers: {{",
            f"- {token}\n- {{apiKey: {key}}}",
            f"{token}",
        )
    ):
        file = folder / f"bad-{number}.yaml"
        file.write_text(text)
        said += [run("check", str(file)), run("check", str(file), "--json"), run("run", "--config", str(file))]
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SIDECAR_LISTEN__TOKEN", token)
            said.append(run("check", str(file)))
    assert {ended.status for ended in said} == {2}
    broker = {"profile": "oanda", "base_url": "http://x"}
    spoilt = Sidecar(folder / "spoilt", {"b": broker}, token=f"{token} {key}", start=False)
    ended = command("run", "--config", str(spoilt.config))
    assert ended.returncode == 1
    story.outputs["complaints about configurations"] = "\n".join([one.said for one in said] + [ended.stdout])
