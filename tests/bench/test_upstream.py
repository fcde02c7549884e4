"""The broker's stand-in of the benchmark."""

from pathlib import Path

from bench import upstream
from sidecar.brokers.registry import build
from sidecar.config.model import Broker


def test_it_answers_what_is_asked_before_a_sidecar_with_keys_is_ready(tmp_path: Path) -> None:
    profile = build(Broker(profile="binance-usdm", base_url="http://127.0.0.1:1"))
    assert {question.path for question in (profile.probe, profile.key_check) if question} == set(upstream.CHECKED)
    text = upstream.configuration(1, tmp_path)
    assert [f"location = {path} {{" in text for path in upstream.CHECKED] == [True, True]
