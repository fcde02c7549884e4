"""Whatever happens, no secret of a bot or of the sidecar is in anything that the sidecar says."""

import itertools
import json

import pytest

from tests.e2e.secrets_story import OUTPUTS, SECRETS, Story, forms, leaks, tell

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    return tell(tmp_path_factory.mktemp("secrets"))


@pytest.mark.parametrize("output", OUTPUTS)
def test_no_secret_is_told(output: str, story: Story) -> None:
    told = story.outputs[output]
    assert leaks(told, story.secrets) == []


def test_every_output_says_something_about_what_happened(story: Story) -> None:
    assert set(story.outputs) == set(OUTPUTS)
    assert {name: len(text) for name, text in story.outputs.items() if len(text) < 20} == {}
    for name in ("audit file", "compressed audit file", "sidecar audit", "server-sent events", "spans", "span file"):
        for word in ("place_order", "rate_limited", "banned", "unknown", "parrot"):
            assert word in story.outputs[name], f"{word} is not in {name}"
    failed = [line for line in story.outputs["standard error"].splitlines() if "failed inside the sidecar" in line]
    assert [json.loads(line)["exception"].count("in crash") for line in failed] == [1, 1]
    assert "Task exception was never retrieved" in story.outputs["standard error"]
    assert ": whole: " in story.outputs["sidecar audit verify"]


def test_the_secrets_were_truly_used(story: Story) -> None:
    arrived = b"".join(story.received).decode()
    sent = {"key in a body", "api key", "bearer token", "query value", "body value", "a signature of nobody"}
    assert sent <= set(leaks(arrived, story.secrets))
    assert "sidecar token" not in leaks(arrived, story.secrets)
    assert sum(name.startswith("signature ") for name in story.secrets) > 30
    refused = " ".join(story.refusals)
    assert "the bearer token of listen.token_file is missing or wrong" in refused


@pytest.mark.parametrize("name", SECRETS)
def test_a_planted_secret_is_found_in_every_form(name: str, story: Story) -> None:
    for form, output in itertools.product(forms(SECRETS[name]), ("metrics", "audit file")):
        assert leaks(story.outputs[output] + form, story.secrets) == [name]
