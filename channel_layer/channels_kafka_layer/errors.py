"""What the layer raises besides Channels' own exceptions."""


class KafkaUnavailable(Exception):
    """Kafka did not answer in time, or refuses: the message may or may not have been sent."""


class TopicMissing(KafkaUnavailable):
    """The topic does not exist, and the settings do not allow the layer to create it."""
