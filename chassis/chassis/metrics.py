"""What the chassis counts; `/metrics` shows it."""

from prometheus_client import Counter, Gauge, Histogram

batch_size = Histogram("batch_messages", "Messages in one transaction", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512))
loads = Counter("batch_loads", "Batches for which rows had to be loaded; the others were decided from memory")
duplicates = Counter("duplicate_messages", "Messages that had been handled before", ["type"])
parked = Counter("parked_messages", "Kafka records moved to a retry topic or the dead letters", ["topic"])
copies = Counter("parked_copies", "Failed Kafka records not parked, since the same message is already", ["topic"])
unparked = Gauge("unparked_messages", "Failed Kafka records that the topic of failures has not taken yet", ["topic"])
cut = Counter("cut_messages", "Dead letters that are cut down, since the topic did not take them whole", ["topic"])
unreadable = Gauge("unreadable_offset", "Where a partition stands, as it cannot be read there", ["topic", "partition"])
backlog = Gauge("outbox_backlog_messages", "Committed messages that no receiver has acknowledged yet")
published = Counter("published_messages", "Messages that their receiver acknowledged", ["destination"])
swept = Counter("swept_messages", "Messages that the sweep had to send, after a crash or an outage")
http_cut = Counter("http_cut_connections", "HTTP connections that were ended on their client, and why", ["why"])
