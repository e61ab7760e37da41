"""The channels on which events leave: Kafka behind a proxy, RabbitMQ, a webhook; how they fail, and what came."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from pathlib import Path
from random import Random

import orjson

from tests.events.rabbit import PROGRAMS, Queue, Rabbit
from tests.events.receivers import Receiver
from tests.model.history_platform import Arena
from tests.model.proxy import Proxy
from tests.model.topics import faults_of_topics
from walletplatform.embedded.data_dir import DataDir
from walletplatform.embedded.kafka import Kafka

# Of all events, those that go to the webhook: some thousand of a hundred thousand.
SENT = ["payment.authorized", "payment.captured", "payment.voided", "wallet.created"]
MOST_RESTARTS = 2


class Channels:
    """All of them, started; RabbitMQ where Debian's package is there (``relays`` says)."""

    def __init__(self, started: Arena) -> None:
        folder = Path(started.platform.env["DATA_DIR"])
        self.proxy = Proxy()
        self.kafka = Kafka(DataDir(folder), advertised=self.proxy.port)
        self.kafka.start()
        host, port = self.kafka.listens(running=True).split(":")
        self.proxy.lead_to(host, int(port))
        started.platform.env["KAFKA_BOOTSTRAP_SERVERS"] = self.kafka.servers(running=True)
        self.rabbit = self._rabbit(folder) if PROGRAMS.exists() else None
        if self.rabbit:
            started.platform.env["RABBITMQ_URL"] = self.rabbit.url
            self.queue = Queue(self.rabbit, "#")
        self.receiver = Receiver()
        started.post("/webhook-endpoints", {"url": self.receiver.url("/200"), "types": SENT})
        self.faults: Counter[str] = Counter()

    @staticmethod
    def _rabbit(folder: Path) -> Rabbit:
        (folder / "rabbitmq").mkdir()
        started = Rabbit(folder / "rabbitmq")
        started.start()
        return started

    @property
    def relays(self) -> list[list[str]]:
        return [["relay", "kafka"], *([["relay", "rabbitmq"]] if self.rabbit else [])]

    def disturb(self, chance: Random) -> None:
        """Do one of them harm, for a second or as long as a restart takes."""
        harms = ["kafka frozen", "kafka cut off"]
        if self.rabbit:
            harms.append("rabbitmq frozen")
            # It keeps what it has on disk, and takes some seconds to come back.
            if self.faults["rabbitmq killed"] < MOST_RESTARTS:
                harms.append("rabbitmq killed")
        harm = chance.choice(harms)
        self.faults[harm] += 1
        if harm == "kafka cut off":
            self.proxy.cut()
            time.sleep(1)
            self.proxy.mend()
        elif harm == "kafka frozen":
            assert self.kafka.process
            os.kill(self.kafka.process.pid, signal.SIGSTOP)
            time.sleep(1)
            os.kill(self.kafka.process.pid, signal.SIGCONT)
        else:
            assert self.rabbit
            self._harm_rabbit(self.rabbit, harm)

    def _harm_rabbit(self, rabbit: Rabbit, harm: str) -> None:
        if harm == "rabbitmq killed":
            rabbit.kill()
            rabbit.start()
            return
        rabbit.tell(signal.SIGSTOP)
        time.sleep(1)
        rabbit.tell(signal.SIGCONT)

    def empty_kafka(self) -> None:
        """Its storage is memory: started again it has nothing."""
        self.kafka.stop()
        self.kafka.start()

    def faults_of_kafka(self, told: list[bytes], seqs: dict[str, int]) -> tuple[list[str], int]:
        return faults_of_topics(self.kafka.servers(running=True), set(told), seqs)

    def faults_of_the_rest(self, told: list[bytes]) -> tuple[list[str], int]:
        """Return what is wrong at RabbitMQ and at the webhook, and how many messages repeat others."""
        sent = [one for one in told if orjson.loads(one)["type"] in SENT]
        bodies = self.receiver.bodies("/200")
        faults = _differ("the webhook", set(bodies), set(sent))
        repeated = len(bodies) - len(set(bodies))
        if self.rabbit:
            queued = [bytes(message.body) for message in self.queue.take_all()]
            firsts = list(dict.fromkeys(queued))
            faults += _differ("RabbitMQ", set(firsts), set(told))
            if [json.loads(one)["sequence"] for one in firsts] != [json.loads(one)["sequence"] for one in told]:
                faults.append("RabbitMQ: not in the order of the log")
            repeated += len(queued) - len(firsts)
        return faults, repeated

    def close(self) -> None:
        self.kafka.stop()
        self.proxy.close()
        self.receiver.close()
        if self.rabbit:
            self.rabbit.close()


def _differ(where: str, came: set[bytes], wanted: set[bytes]) -> list[str]:
    if came == wanted:
        return []
    return [f"{where}: {len(wanted - came)} events are missing, {len(came - wanted)} are none of ours"]
