import contextlib
from collections.abc import Iterator

import pytest

from tests.support.logs import KafkaUnderTest, LogUnderTest, MemoryUnderTest


@pytest.fixture(params=["memory", "kafka"])
def log(request: pytest.FixtureRequest) -> Iterator[LogUnderTest]:
    """Opens a log that nobody has written to; Kafka is started by the first test that needs it."""
    if request.param == "kafka":
        request.getfixturevalue("kafka")
    made: LogUnderTest = KafkaUnderTest() if request.param == "kafka" else MemoryUnderTest()
    with contextlib.closing(made):
        yield made
