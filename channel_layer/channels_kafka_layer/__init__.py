"""A channel layer for Django Channels over Apache Kafka."""

from channels_kafka_layer.errors import KafkaUnavailable, TopicMissing
from channels_kafka_layer.layer import KafkaChannelLayer
from channels_kafka_layer.reading import Gap

__all__ = ["Gap", "KafkaChannelLayer", "KafkaUnavailable", "TopicMissing"]
