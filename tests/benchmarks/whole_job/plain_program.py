"""What people write first: consume, score with transformers, produce, in one transaction a poll.

It knows one classifier and one limit; it has no policies, no explanations and no dead letters. Prints `ready` once it
has its partitions, and ends when its input is closed.
"""

import json
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

import torch
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.structs import OffsetAndMetadata
from transformers import AutoModelForSequenceClassification, AutoTokenizer, PreTrainedModel

AT_ONCE = 256
BATCH = 32
LIMIT = 0.5

Ids = Sequence[int]
Way = Callable[[PreTrainedModel, Sequence[Ids]], list[float]]
"""Gives a logit for each text, in the order given."""


def one_by_one(network: PreTrainedModel, texts: Sequence[Ids]) -> list[float]:
    return [network(input_ids=torch.tensor([ids])).logits.item() for ids in texts]


def padded(network: PreTrainedModel, texts: Sequence[Ids]) -> list[float]:
    """Score batches in order of arrival, padded to the longest."""
    batches = [texts[start : start + BATCH] for start in range(0, len(texts), BATCH)]
    return [logit for batch in batches for logit in _batch(network, batch)]


def by_length(network: PreTrainedModel, texts: Sequence[Ids]) -> list[float]:
    """Score batches of texts of like length."""
    order = sorted(range(len(texts)), key=lambda at: len(texts[at]))
    logits = padded(network, [texts[at] for at in order])
    return [logit for _, logit in sorted(zip(order, logits, strict=True))]


WAYS: dict[str, Way] = {"one_by_one": one_by_one, "padded": padded, "sorted": by_length}


def _batch(network: PreTrainedModel, texts: Sequence[Ids]) -> list[float]:
    longest = max(map(len, texts))
    ids = torch.tensor([[*each, *[0] * (longest - len(each))] for each in texts])
    mask = torch.tensor([[1] * len(each) + [0] * (longest - len(each)) for each in texts])
    logits: list[float] = network(input_ids=ids, attention_mask=mask).logits[:, 0].tolist()
    return logits


class Program:
    """One process that does all of it."""

    def __init__(self, folder: str, way: Way, servers: str, group: str) -> None:
        self._way = way
        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        self._network = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
        self._network.config.pad_token_id = 0
        self._consumer = KafkaConsumer(
            bootstrap_servers=servers,
            group_id=group,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            isolation_level="read_committed",
        )
        self._producer = KafkaProducer(bootstrap_servers=servers, transactional_id=group)
        self._producer.init_transactions()

    def run(self, events_topic: str, output_topic: str, is_over: threading.Event) -> None:
        self._consumer.subscribe([events_topic])
        is_ready = False
        while not is_over.is_set():
            polled = self._consumer.poll(100, max_records=AT_ONCE)
            if not is_ready and self._consumer.assignment():
                print("ready", flush=True)
                is_ready = True
            if polled:
                self._handle(polled, output_topic)
        self._consumer.close()

    @torch.inference_mode()
    def _handle(self, polled: dict[TopicPartition, list[Any]], output_topic: str) -> None:
        records = [record for part in polled.values() for record in part]
        events = [json.loads(record.value) for record in records]
        logits = self._way(self._network, self._tokenizer([event["text"] for event in events])["input_ids"])
        self._producer.begin_transaction()
        for record, event, logit in zip(records, events, logits, strict=True):
            decision = {"id": event["id"], "verdict": "flag" if logit < LIMIT else "allow", "score": logit}
            self._producer.send(output_topic, json.dumps(decision).encode(), record.key)
        self._producer.flush()
        offsets = {partition: OffsetAndMetadata(part[-1].offset + 1, "", -1) for partition, part in polled.items()}
        self._producer.send_offsets_to_transaction(offsets, self._consumer.group_metadata())
        self._producer.commit_transaction()


def main(folder: str, way: str, servers: str, events_topic: str, output_topic: str, group: str) -> None:  # noqa: PLR0917
    is_over = threading.Event()

    def await_end() -> None:
        sys.stdin.read()
        is_over.set()

    threading.Thread(target=await_end, daemon=True).start()
    Program(folder, WAYS[way], servers, group).run(events_topic, output_topic, is_over)


if __name__ == "__main__":
    main(*sys.argv[1:])
