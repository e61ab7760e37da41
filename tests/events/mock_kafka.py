"""
librdkafka's mock cluster: three brokers in this process, whose leaders can be changed and which can be taken down.

https://github.com/confluentinc/librdkafka/blob/master/src/rdkafka_mock.h
"""

from __future__ import annotations

import ctypes
from pathlib import Path

import confluent_kafka

BROKERS = 3
_PRODUCER = 0


def _library() -> ctypes.CDLL:
    """The librdkafka that confluent-kafka's wheel brings."""
    [path] = (Path(confluent_kafka.__file__).parent.parent / "confluent_kafka.libs").glob("librdkafka-*.so*")
    library = ctypes.CDLL(str(path))
    for name in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_mock_cluster_new"):
        getattr(library, name).restype = ctypes.c_void_p
    library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    return library


class MockKafka:
    """A cluster with the topics of ``names``; ``servers`` is its bootstrap list."""

    def __init__(self, names: tuple[str, ...], partitions: int) -> None:
        self.names, self.partitions = names, partitions
        self.library = _library()
        error = ctypes.create_string_buffer(512)
        self.handle = ctypes.c_void_p(
            self.library.rd_kafka_new(_PRODUCER, ctypes.c_void_p(self.library.rd_kafka_conf_new()), error, 512)
        )
        self.cluster = ctypes.c_void_p(self.library.rd_kafka_mock_cluster_new(self.handle, BROKERS))
        self.servers: str = self.library.rd_kafka_mock_cluster_bootstraps(self.cluster).decode()
        for name in names:
            assert not self.library.rd_kafka_mock_topic_create(self.cluster, name.encode(), partitions, BROKERS)

    def lead(self, turn: int) -> None:
        """Give every partition another leader."""
        for name in self.names:
            for partition in range(self.partitions):
                broker = (partition + turn) % BROKERS + 1
                assert not self.library.rd_kafka_mock_partition_set_leader(
                    self.cluster, name.encode(), partition, broker
                )

    def close(self) -> None:
        self.library.rd_kafka_mock_cluster_destroy(self.cluster)
        self.library.rd_kafka_destroy(self.handle)
