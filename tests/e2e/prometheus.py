"""A real Prometheus, and questions to it."""

import json
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import yaml

from tests.e2e.stack import free_port

SCRAPE_SECONDS = 0.5
ANSWER_SECONDS = 15.0


@dataclass(frozen=True)
class Series:
    """One series of an instant query's answer."""

    labels: dict[str, str]
    value: float


class Prometheus:
    """A server that scrapes sidecars; its storage is in `folder`."""

    def __init__(
        self,
        folder: Path,
        targets: Sequence[str],
        rules: Path | None = None,
        alertmanager: str = "",
        *,
        scrape_seconds: float = SCRAPE_SECONDS,
        jobs: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """`rules` is a folder of rule files; `alertmanager` is told what they say, as `host:port`.

        `jobs` are further scrape configurations.
        """
        self.url = f"http://127.0.0.1:{free_port()}"
        config = folder / "prometheus.yml"
        scraped = [{"job_name": "sidecar", "static_configs": [{"targets": list(targets)}]}, *map(dict, jobs)]
        interval = f"{scrape_seconds * 1000:.0f}ms"
        settings: dict[str, Any] = {"global": {"scrape_interval": interval}, "scrape_configs": scraped}
        if rules is not None:
            settings["rule_files"] = [f"{rules}/*.yaml"]
            settings["alerting"] = {
                "alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}] * bool(alertmanager)
            }
        config.write_text(yaml.safe_dump(settings))
        self._log = folder / "prometheus.log"
        with self._log.open("wb") as sink:
            self._process = subprocess.Popen(  # noqa: S603 - the real thing is what is wanted
                [
                    binary("prometheus"),
                    f"--config.file={config}",
                    f"--storage.tsdb.path={folder / 'data'}",
                    f"--web.listen-address={self.url.removeprefix('http://')}",
                    "--enable-feature=exemplar-storage",
                    # An alert is told again so often, and lapses when it was not told for four times as long.
                    "--rules.alert.resend-delay=4s",
                ],
                stdout=sink,
                stderr=subprocess.STDOUT,
            )

    @classmethod
    @contextmanager
    def scraping(
        cls,
        folder: Path,
        targets: Sequence[str],
        rules: Path | None = None,
        alertmanager: str = "",
        *,
        scrape_seconds: float = SCRAPE_SECONDS,
        jobs: Sequence[Mapping[str, Any]] = (),
    ) -> Iterator[Self]:
        """Scrape each `host:port` until the block ends."""
        prometheus = cls(folder, targets, rules, alertmanager, jobs=jobs, scrape_seconds=scrape_seconds)
        try:
            prometheus._wait_until_ready()
            yield prometheus
        finally:
            prometheus._process.terminate()
            prometheus._process.wait(10)

    def ask(self, expression: str, at: float | None = None) -> list[Series]:
        """The answer to a PromQL expression, now or at a moment in Unix seconds."""
        moment = {} if at is None else {"time": str(at)}
        found = self._get("query", query=expression, **moment)
        return [Series(one["metric"], float(one["value"][1])) for one in found["result"]]

    def by(self, label: str, expression: str) -> dict[str, float]:
        """The answer's values by one label, without those that are 0."""
        return {series.labels[label]: series.value for series in self.ask(expression) if series.value}

    def number(self, expression: str, at: float | None = None) -> float:
        """The answer's only value."""
        (series,) = self.ask(expression, at)
        return series.value

    def until(self, expression: str, right: Callable[[list[Series]], bool] = bool) -> list[Series]:
        """Ask again and again until the answer is right; by default, until there is one."""
        ends = time.monotonic() + ANSWER_SECONDS
        while not right(answer := self.ask(expression)):
            assert time.monotonic() < ends, f"Prometheus still says {answer} to {expression}\n{self._log.read_text()}"
            time.sleep(SCRAPE_SECONDS / 5)
        return answer

    def names(self) -> set[str]:
        """Every metric that it has ever scraped."""
        return set(self._get("label/__name__/values"))

    def exemplars(self, selector: str) -> list[tuple[dict[str, str], dict[str, Any]]]:
        """The exemplars of the series: the series' labels, and the exemplar."""
        now = time.time()
        found = self._get("query_exemplars", query=selector, start=str(now - 600), end=str(now + 60))
        return [(one["seriesLabels"], exemplar) for one in found for exemplar in one["exemplars"]]

    def _get(self, path: str, **parameters: str) -> Any:
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=ANSWER_SECONDS) as answer:  # noqa: S310 - loopback
            return json.loads(answer.read())["data"]

    def _wait_until_ready(self) -> None:
        ends = time.monotonic() + ANSWER_SECONDS
        while time.monotonic() < ends and self._process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.url}/-/ready", timeout=30):  # noqa: S310 - loopback
                    return
            except OSError:
                time.sleep(0.05)
        raise AssertionError(f"Prometheus did not start:\n{self._log.read_text()}")


def complaints(page: bytes) -> str:
    """What `promtool check metrics` finds wrong with a page in the text format; empty when nothing."""
    checked = subprocess.run(  # noqa: S603 - likewise
        [binary("promtool"), "check", "metrics"], input=page, capture_output=True, check=False
    )
    said = (checked.stdout + checked.stderr).decode()
    assert checked.returncode == 0 or said
    return said


def binary(*names: str) -> str:
    """Where a program is, by the first of its names that is installed."""
    found = next(filter(None, map(shutil.which, names)), None)
    assert found is not None, f"{names[0]} is not installed: scripts/setup test installs it"
    return found
