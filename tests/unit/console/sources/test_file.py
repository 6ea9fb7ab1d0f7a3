"""A file of decisions is read once."""

from pathlib import Path

import pytest

from moderator.console.recent.store import Recent
from moderator.console.sources.file import FileSource
from moderator.errors import ConfigurationError
from tests.unit.console.decisions import a_decision, encoded


def test_a_file_is_read_to_its_end_and_then_ready(tmp_path: Path) -> None:
    path = tmp_path / "decisions.jsonl"
    path.write_bytes(b"\n".join(encoded(a_decision(1), a_decision(2))) + b"\n\nnot a decision\n")
    recent = Recent(10, 2**20)
    source = FileSource(path, recent, lambda: 7)
    before = source.state

    source.run()

    assert (before.state, before.was_read) == ("catching up", False)
    assert (source.state.state, source.state.was_read) == ("file", True)
    assert (len(recent.decisions), recent.invalid) == (2, 1)


def test_a_file_that_is_missing_is_a_wrong_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such file or directory; name a file of decisions"):
        FileSource(tmp_path / "nothing", Recent(1, 1), lambda: 0)
