"""The chart's examples, with simulators in the brokers' places and ports that are free."""

from typing import Any, Final

import yaml

from helm.generate import HERE
from tests.e2e.stack import free_port
from tests.helm.chart import Values, merged

EXAMPLES: Final = HERE / "examples"


def example(name: str, broker: str, url: str, **settings: Any) -> Values:
    """An example's values; `settings` are further keys of the broker's."""
    values: Values = yaml.safe_load((EXAMPLES / name / "values.yaml").read_text())
    ours = {
        "bot": {"env": [*values["bot"]["env"], {"name": "PAUSE_SECONDS", "value": "0.05"}]},
        "sidecar": {"scrape": {"port": free_port()}},
        "config": {
            "listen": {"tcp": f"127.0.0.1:{free_port()}"},
            "brokers": {broker: {"base_url": url, "stream_url": None, **settings}},
        },
    }
    return merged(values, ours)
