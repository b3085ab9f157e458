"""The broker built into librdkafka: `python -m local.kafka_stand_in FILE` runs it and writes its address to FILE."""

import signal
import sys
from pathlib import Path

from confluent_kafka.admin import AdminClient


def main(address_file: Path) -> None:
    """Write host:port to the file, all at once, and serve until SIGTERM or SIGINT."""
    client = AdminClient({"bootstrap.servers": "built in", "test.mock.num.brokers": 1})
    (broker,) = client.list_topics(timeout=10).brokers.values()
    unfinished = address_file.with_suffix(".new")
    unfinished.write_text(f"{broker.host}:{broker.port}\n")
    unfinished.rename(address_file)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
