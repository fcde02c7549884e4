from collections.abc import Iterator

import pytest
import structlog.testing


@pytest.fixture
def logged() -> Iterator[list[dict[str, object]]]:
    with structlog.testing.capture_logs() as lines:
        yield lines  # type: ignore[misc] - a log line is any mutable mapping; the tests only read
