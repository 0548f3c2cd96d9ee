"""Errors that the layer raises besides Channels' own exceptions."""


class KafkaUnavailable(Exception):
    """Kafka did not answer in time, or refuses: the message may or may not have been sent."""

    @classmethod
    def of(cls, error: Exception) -> "KafkaUnavailable":
        """Returns an error of this class as it is, and any other as one that says no more than its text."""
        return error if isinstance(error, cls) else cls(str(error))


class TopicMissing(KafkaUnavailable):
    """The topic does not exist, and the settings do not allow the layer to create it."""
