"""The phrases that teach the objective `spam`: enough of both kinds, and no wording on both sides of the split."""

import json
import re
from collections import Counter

from moderator.demo.samples import sample_events
from moderator.training.data.phrases import OWN_PHRASES
from tests.spam.fit import MOST_WORDINGS, PHRASES, labelled_lines, templates, wordings

ROWS = [json.loads(line) for line in labelled_lines()]
_HOST = re.compile(r"\b(?:https?://)?[\w-]+(?:\.[\w-]+)*\.([a-z]{2,})(?=[/:?]|\s|$)")
_NO_HOSTS = {"py", "zip", "range"}


def test_there_are_hundreds_of_both_kinds() -> None:
    kinds = Counter(is_spam for is_spam, _ in templates(PHRASES))

    lines = [line for line in PHRASES.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    assert kinds[True] >= 250
    assert kinds[False] >= 400
    assert kinds.total() == len(lines)


def test_a_template_gives_different_wordings_and_always_the_same() -> None:
    template = "{a|b} c {d|e}{!|}"

    given = wordings(template)

    assert len(given) == len(set(given)) == MOST_WORDINGS
    assert set(given) < {f"{first} c {last}{end}" for first in "ab" for last in "de" for end in ("!", "")}
    assert wordings(template) == given
    assert wordings("{hi|hi} there") == ["hi there"]


def test_wordings_of_a_template_are_one_conversation_so_that_they_are_never_parted() -> None:
    by_conversation = Counter(row["conversation_id"] for row in ROWS)

    assert len(by_conversation) == len(set(templates(PHRASES, OWN_PHRASES)))
    assert max(by_conversation.values()) == MOST_WORDINGS


def test_no_wording_is_spam_and_is_not() -> None:
    spam, other = ({row["text"].lower() for row in ROWS if row["labels"]["spam"] == kind} for kind in (1, 0))

    assert spam & other == set()


def test_no_phrase_names_a_host_that_could_exist() -> None:
    ends = {found[1] for row in ROWS for found in _HOST.finditer(row["text"])}

    assert ends - _NO_HOSTS == {"example"}


def test_no_sample_event_is_among_them() -> None:
    samples = {sample.text.strip().lower() for sample in sample_events() if sample.event}

    assert [row["text"] for row in ROWS if row["text"].lower() in samples and len(row["text"].split()) > 2] == []
