"""What all tests share."""

import pytest
from hypothesis import HealthCheck, settings

from tests.e2e.sinks import TOLD

# A slow machine is no failure: nothing here is a timed test.
settings.register_profile("sidecar", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("sidecar")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long comes first, so that workers who share the tests end together."""
    items.sort(key=lambda item: item.get_closest_marker("e2e") is None)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show who was told of what, and how often."""
    told = [
        str(line)
        for report in terminalreporter.getreports("passed")
        for name, line in report.user_properties
        if name == TOLD
    ]
    if told:
        terminalreporter.section(TOLD)
        terminalreporter.write_line("\n".join(told))
