"""Every label that counts: a person's newest of each event, of several people's the newest."""

from collections import Counter
from collections.abc import Iterator
from itertools import count

import orjson

from moderator.labels.rates import Share
from moderator.labels.record import InvalidLabelError, Key, Label, event_key, parse_key, parse_label


class LabelBook:
    """The labels of topic or file, taken in the order in which each person's were written.

    Attributes:
        invalid: values that were no labels.
        version: grows with each change.
    """

    def __init__(self) -> None:
        self._by_event: dict[Key, dict[str, tuple[str, int, Label]]] = {}
        self._numbers = count(1)
        self._shares: tuple[int, dict[str, Share], Share] | None = None
        self.invalid = 0
        self.version = 0

    def __len__(self) -> int:
        """Give how many events have a label, also one of *unsure*."""
        return len(self._by_event)

    def __contains__(self, event: Key) -> bool:
        """Check whether anybody labelled the event, also as *unsure*."""
        return event in self._by_event

    def take(self, key: bytes | None, value: bytes | None) -> None:
        """Take one record of the topic; without a value it removes the label of its key."""
        if value is None:
            self._remove(key)
            return
        try:
            self.add(parse_label(value))
        except InvalidLabelError:
            self.invalid += 1

    def add(self, label: Label) -> None:
        """Add a label: it replaces that person's label of the same event."""
        labels = self._by_event.setdefault(event_key(label), {})
        self.version = next(self._numbers)
        labels[label["reviewer"]] = (label["labelled_at"], self.version, label)

    def of(self, event: Key) -> list[Label]:
        """Give everybody's label of an event, newest first."""
        by_reviewer = self._by_event.get(event, {})
        return [label for _, _, label in sorted(by_reviewer.values(), key=lambda each: each[:2], reverse=True)]

    def counting(self) -> Iterator[Label]:
        """Give for each event the newest label that says what is right, if there is one."""
        for event in list(self._by_event):
            newest = next((label for label in self.of(event) if label["label"] is not None), None)
            if newest is not None:
                yield newest

    def precision(self) -> dict[str, Share]:
        """Give by rule: of the labelled events that it flagged, or matched in shadow, those that deserve a flag."""
        return self._counted()[1]

    def missed(self) -> Share:
        """Give of the allowed events that were labelled in the queue `sample`, those that should have been flagged."""
        return self._counted()[2]

    def lines(self) -> Iterator[bytes]:
        """Give one line for each event with a label that says what is right, in the form that any version reads."""
        for label in self.counting():
            tenant = {} if label["tenant"] is None else {"tenant": label["tenant"]}
            yield orjson.dumps({"id": label["id"], **tenant, "label": label["label"]}) + b"\n"

    def _counted(self) -> tuple[int, dict[str, Share], Share]:
        if self._shares is None or self._shares[0] != self.version:
            self._shares = self._count()
        return self._shares

    def _count(self) -> tuple[int, dict[str, Share], Share]:
        version = self.version
        labelled: Counter[str] = Counter()
        deserved: Counter[str] = Counter()
        sampled = missed = 0
        for label in self.counting():
            is_bad = label["label"] == "flag"
            labelled.update(label["rules"])
            deserved.update(label["rules"] if is_bad else ())
            if label["queue"] == "sample" and label["verdict"] == "allow":
                sampled, missed = sampled + 1, missed + is_bad
        return version, {rule: Share(deserved[rule], of) for rule, of in labelled.items()}, Share(missed, sampled)

    def _remove(self, key: bytes | None) -> None:
        named = parse_key(key)
        if named is None:
            return
        event, reviewer = named
        labels = self._by_event.get(event, {})
        if labels.pop(reviewer, None) is not None:
            self.version = next(self._numbers)
        if not labels:
            self._by_event.pop(event, None)
