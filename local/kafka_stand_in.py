"""The broker built into librdkafka: `python -m local.kafka_stand_in FILE` runs it and writes its address to FILE."""

import signal
import sys
from pathlib import Path

from confluent_kafka.admin import AdminClient

END = {signal.SIGTERM, signal.SIGINT}


def main(address_file: Path) -> None:
    """Write host:port to the file, all at once, and serve until SIGTERM or SIGINT; the file is there no longer."""
    signal.pthread_sigmask(signal.SIG_BLOCK, END)  # before there is a second thread, for `sigwait`
    client = AdminClient({"bootstrap.servers": "built in", "test.mock.num.brokers": 1})
    (broker,) = client.list_topics(timeout=10).brokers.values()
    unfinished = address_file.with_suffix(".new")
    unfinished.write_text(f"{broker.host}:{broker.port}\n")
    unfinished.rename(address_file)
    signal.sigwait(END)
    address_file.unlink(missing_ok=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
