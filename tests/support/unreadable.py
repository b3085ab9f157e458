"""A batch that aiokafka cannot read."""

import struct

from aiokafka import AIOKafkaProducer
from aiokafka.record.util import calc_crc32c_py

from tests.support.stack import KAFKA_BROKER

NAME, NOT_UTF_8 = b"name", b"\xff\xfe\xfd\xfc"
CRC_AT, CRC_OF = 17, 21
"""Where a batch has its checksum, and from where on that counts."""


async def write_unreadable(topic: str, records: int) -> None:
    """One batch, as a client without UTF-8 may write it."""
    async with AIOKafkaProducer(bootstrap_servers=KAFKA_BROKER) as producer:
        batch = producer.create_batch()
        for _ in range(records):
            batch.append(key=None, value=b"{}", timestamp=None, headers=[(NAME.decode(), b"")])
        written = bytearray(bytes(batch._build()).replace(NAME, NOT_UTF_8))
        struct.pack_into(">I", written, CRC_AT, calc_crc32c_py(written[CRC_OF:]))
        batch._buffer = written
        await (await producer.send_batch(batch, topic, partition=0))
