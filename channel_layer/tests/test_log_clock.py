"""The log's time, as it is told from records."""

from channels_kafka_layer.log_clock import LogClock


def test_a_record_that_was_read_at_once_is_not_late() -> None:
    clock = LogClock()
    clock.observe(1_000_000, 5.0)
    assert clock.late_s(1_000_000, 5.0) == 0
    assert clock.now_ms(7.5) == 1_002_500


def test_a_record_that_waited_is_late_by_its_wait() -> None:
    clock = LogClock()
    clock.observe(1_000_000, 5.0)
    assert clock.late_s(1_001_000, 76.0) == 70.0


def test_the_record_that_came_soonest_tells_the_time() -> None:
    clock = LogClock()
    clock.observe(1_000_000, 5.5)
    clock.observe(1_001_000, 6.0)
    assert clock.now_ms(6.0) == 1_001_000
    clock.observe(1_002_000, 7.9)
    assert clock.now_ms(7.9) == 1_002_900


def test_a_brokers_clock_that_was_set_back_is_believed() -> None:
    clock = LogClock()
    clock.observe(9_000_000, 5.0)
    clock.observe(1_000_000, 6.0)
    assert clock.late_s(1_000_000, 6.0) == 0


def test_a_stall_longer_than_the_clock_remembers_is_seen_as_late() -> None:
    clock = LogClock()
    clock.observe(1_000_000, 0.0)
    clock.observe(1_010_000, 500.0)
    assert clock.late_s(1_010_000, 500.0) == 490.0


def test_no_record_means_no_time() -> None:
    assert LogClock().now_ms(5.0) == 0
