"""Every alert leads to a page, and what a page tells to type can be typed."""

import json
import re
import shlex
from pathlib import Path
from unittest.mock import create_autospec
from urllib.parse import urlsplit

import pytest
import yaml

from sidecar.alerting.registry import Registry
from sidecar.api.control import Control
from sidecar.api.error_routes import ErrorRoutes
from sidecar.api.operations import operation_routes
from sidecar.api.orders import order_routes
from sidecar.api.routes import find
from sidecar.cli.main import _parser
from sidecar.clock import SystemClock
from sidecar.orders.desk import OrderDesk
from sidecar.orders.operations.engine import OperationEngine
from sidecar.telemetry.audit import lines
from tests.alerts.promtool import RUNBOOKS as ADDRESS
from tests.alerts.promtool import alerts, promtool
from tests.alerts.runbooks import RUNBOOKS, commands, expressions

ROUTES = (
    *Control._table(create_autospec(Control, instance=True)),
    *order_routes(create_autospec(OrderDesk)),
    *operation_routes(create_autospec(OperationEngine)),
    *ErrorRoutes(create_autospec(Registry), create_autospec(SystemClock)).routes(),
)
SECTIONS = ["Meaning", "Impact", "Diagnosis", "Mitigation"]
COMMANDS = [(page.stem, command) for page in RUNBOOKS for command in commands(page)]
OURS = [(page, command) for page, command in COMMANDS if command.startswith("sidecar ")]
CONTROL = [(page, command) for page, command in COMMANDS if "localhost:8787" in command]


def test_every_alert_has_its_page_and_every_page_its_alert() -> None:
    assert [page.stem for page in RUNBOOKS] == sorted(rule["alert"] for rule in alerts())


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_an_alert_names_its_page(rule: dict[str, dict[str, str]]) -> None:
    assert rule["annotations"]["runbook_url"] == f"{ADDRESS}/{rule['alert']}.md"


@pytest.mark.parametrize("page", RUNBOOKS, ids=lambda page: page.stem)
def test_a_page_says_what_it_means_what_it_costs_how_to_find_out_and_what_to_do(page: Path) -> None:
    text = page.read_text()
    assert text.startswith(f"# {page.stem}\n")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    assert all(section.strip() for section in re.split(r"^## .+$", text, flags=re.MULTILINE)[1:])
    assert expressions(page) or commands(page)
    for linked in re.findall(r"\]\((\w+\.md)\)", text):
        assert (page.parent / linked).exists()


def test_what_a_page_asks_prometheus_is_promql(tmp_path: Path) -> None:
    asked = [expression for page in RUNBOOKS for expression in expressions(page)]
    assert len(asked) > 20
    rules = [{"record": f"asked:{number}", "expr": expression} for number, expression in enumerate(asked)]
    file = tmp_path / "asked.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "asked", "rules": rules}]}))
    promtool("check", "rules", str(file))


@pytest.mark.parametrize(("page", "command"), OURS)
def test_a_command_of_the_sidecar_exists_as_it_is_written(page: str, command: str) -> None:
    del page
    words = shlex.split(command)[1:]
    asked = _parser(words[0]).parse_args(words)
    event = getattr(asked, "event", "")
    assert not event or f'"{event}"' in Path(lines.__file__).read_text()


@pytest.mark.parametrize(("page", "command"), CONTROL)
def test_a_question_to_the_control_api_is_one_that_it_answers(page: str, command: str) -> None:
    del page
    words = shlex.split(command)
    (url,) = (word for word in words if word.startswith("localhost:8787"))
    path = urlsplit(f"http://{url}").path
    routes, _ = find(ROUTES, path)
    route = routes["POST" if "-d" in words else "GET"]
    if route.takes is not None:
        route.takes.model_validate(json.loads(words[words.index("-d") + 1]))


def test_the_pages_ask_much() -> None:
    assert len(OURS) > 30
    assert len(CONTROL) > 15
