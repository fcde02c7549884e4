from collections.abc import Iterator

import pytest
import structlog.testing

from tests.store.support import Lines


@pytest.fixture
def logged() -> Iterator[Lines]:
    with structlog.testing.capture_logs() as lines:
        yield lines
