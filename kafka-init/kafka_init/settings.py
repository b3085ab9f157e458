"""What may be set of kafka-init."""

from chassis.environment import Environment
from chassis.settings import Brokers, Duration, TopicPrefix


class Settings(Environment):
    """From the environment: the broker, what the topics begin with, and for how long an absent one is tried again."""

    kafka_broker: Brokers = "127.0.0.1:9092"
    kafka_prefix: TopicPrefix = ""
    broker_wait_seconds: Duration = 120
