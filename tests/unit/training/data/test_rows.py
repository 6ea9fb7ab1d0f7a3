"""Training data is checked line by line; errors name file and line and never quote a text."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from moderator.errors import ConfigurationError
from moderator.events import Turn
from moderator.training.data.corpus import is_held_out, read_corpus
from moderator.training.data.phrases import read_phrases
from moderator.training.data.rows import CATEGORIES, SAFETY, read_identity_templates, read_rows
from tests.unit.training.corpus_files import write_corpus, write_lines

_GOOD = {"messages": [{"role": "user", "content": "hi"}], "labels": {"is_safe": 1}, "source": "s", "licence": "l"}


def test_a_row_keeps_turns_labels_and_weight(tmp_path: Path) -> None:
    write_lines(tmp_path / "rows.jsonl.gz", [{**_GOOD, "weight": 0.5}])

    (row,) = read_rows(tmp_path / "rows.jsonl.gz", SAFETY)

    assert row.conversation == (Turn("user", "hi"),)
    assert row.labels == {"is_safe": 1}
    assert row.weight == 0.5


@pytest.mark.parametrize(
    ("damaged", "place"),
    [
        ({**_GOOD, "messages": []}, "messages"),
        ({**_GOOD, "messages": [{"role": "robot", "content": "hi"}]}, "messages.0.role"),
        ({**_GOOD, "labels": {"is_safe": 7}}, "labels.is_safe"),
        ({**_GOOD, "labels": {"is_save": 1}}, "labels.is_save.[key]"),
        ({**_GOOD, "labels": {"helpfulness": 1}}, "labels.is_safe"),
        ({**_GOOD, "weight": 0}, "weight"),
        ({key: value for key, value in _GOOD.items() if key != "licence"}, "licence"),
    ],
)
def test_a_bad_row_is_named_by_file_line_and_field(tmp_path: Path, damaged: dict[str, object], place: str) -> None:
    path = tmp_path / "rows.jsonl.gz"
    write_lines(path, [_GOOD, damaged])

    with pytest.raises(ConfigurationError) as raised:
        list(read_rows(path, SAFETY))

    assert str(raised.value).startswith(f"{path}:2: `{place}`: ")


def _absent(path: Path) -> None:
    assert not path.exists()


def _not_gzip(path: Path) -> None:
    path.write_text("{}\n")


def _cut_short(path: Path) -> None:
    write_lines(path, [_GOOD] * 1_000)
    path.write_bytes(path.read_bytes()[:-20])


def _not_json(path: Path) -> None:
    with gzip.open(path, "wt") as file:
        file.write("secret text\n")


@pytest.mark.parametrize("damage", [_absent, _not_gzip, _cut_short, _not_json])
def test_an_unreadable_file_is_named_without_its_text(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    path = tmp_path / "rows.jsonl.gz"
    damage(path)

    with pytest.raises(ConfigurationError) as raised:
        list(read_rows(path, SAFETY))

    assert str(path) in str(raised.value)
    assert "secret" not in str(raised.value)


def test_a_bad_identity_template_is_named_by_line(tmp_path: Path) -> None:
    path = tmp_path / "identity_templates.csv.gz"
    with gzip.open(path, "wt") as file:
        file.write("template,toxicity,phrase\nverb_adj,awful,hug them\n")

    with pytest.raises(ConfigurationError, match=r"identity_templates\.csv\.gz:2: "):
        list(read_identity_templates(path))


def test_templates_about_some_terms_are_held_out_with_all_their_phrases(tmp_path: Path) -> None:
    path = write_corpus(tmp_path) / "identity_templates.csv.gz"
    terms = [f"term{number}" for number in range(40)]
    with gzip.open(path, "wt") as file:
        file.write("template,toxicity,phrase\n")
        file.writelines(f"verb_adj,nontoxic,hug {term}\nbeing_adj,toxic,Being {term} is bad\n" for term in terms)

    corpus = read_corpus(tmp_path)

    learned, held_out = (
        {row.source for row in rows if row.source.startswith("identity-templates/")}
        for rows in (corpus.rows, corpus.held_out)
    )
    assert learned
    assert held_out
    assert {f"identity-templates/{term}" for term in terms} == learned | held_out
    assert not learned & held_out


def test_rows_with_the_same_prompt_are_all_held_out_or_none(tmp_path: Path) -> None:
    corpus = read_corpus(write_corpus(tmp_path))

    held_out = {row.conversation[0].content for row in corpus.held_out}
    assert held_out
    assert not held_out & {row.conversation[0].content for row in corpus.rows}
    assert all(is_held_out(pair.chosen[0]) for pair in corpus.held_out_pairs)


def test_own_phrases_are_spelled_out_and_labelled() -> None:
    rows = list(read_phrases())

    texts = [turn.content for row in rows for turn in row.conversation]
    assert len(rows) > 2_000
    assert not [text for text in texts if not text or set(text) & set("{|}")]
    assert {label for row in rows for label in row.labels} == {SAFETY, "helpfulness", *CATEGORIES}


def test_a_phrase_of_unknown_kind_is_named_by_line(tmp_path: Path) -> None:
    path = tmp_path / "phrases.txt"
    path.write_text("# comment\n\nsafe: hello\nnasty: hello\n")

    with pytest.raises(ConfigurationError, match=r"phrases\.txt:4: "):
        list(read_phrases(path))


def test_a_file_with_too_few_lines_is_named(tmp_path: Path) -> None:
    write_corpus(tmp_path)
    write_lines(tmp_path / "pairs.jsonl.gz", [])

    with pytest.raises(ConfigurationError, match=r"pairs\.jsonl\.gz: too few lines"):
        read_corpus(tmp_path)
