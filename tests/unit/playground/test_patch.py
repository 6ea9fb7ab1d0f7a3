"""Diffs, applied by the real `patch`."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderator.playground.edits import EditError
from moderator.playground.patch import patch_of
from moderator.policy.files.folder import Unreadable


def applied(before: dict[str, bytes], patch: bytes, folder: Path) -> dict[str, bytes]:
    for name, content in before.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    if patch:
        subprocess.run(["patch", "-p1", "--quiet"], input=patch, cwd=folder, check=True, capture_output=True)
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"a\nb\nc\n", b"a\nX\nc\n"),
        (b"a\r\nb\r\n", b"a\r\nX\r\nb\r\n"),
        (b"\xef\xbb\xbfa\n", b"\xef\xbb\xbfb\n"),
        (b"a\nb", b"a\nb\n"),
        (b"a\nb\n", b"a\nb"),
        (b"a\rb\n", b"a\rc\n"),
        (b"\x0cpage\n\x1c\n", b"\x0cpage\n\x1d\n"),
        (b"\xff\xfe\n", b"plain\n"),
        (b"", b"a\n"),
        (b"a\n", b""),
        (None, b"a\n"),
        (None, b"no line end"),
        (None, b""),
        (b"a\n", None),
        (b"", None),
        (b"--- a\n+++ b\n@@ -1 +1 @@\n", b"--- a\n-x\n+y\n"),
    ],
)
def test_the_diff_applies_byte_for_byte(tmp_path: Path, before: bytes | None, after: bytes | None) -> None:
    old = {} if before is None else {"a.yaml": before}
    new = {} if after is None else {"a.yaml": after}

    assert applied(old, patch_of(old, new), tmp_path) == new


def test_several_files_with_odd_names_are_one_diff(tmp_path: Path) -> None:
    before = {"a b.yaml": b"1\n", "keep.yaml": b"k\n", "lists/x.txt": b"scam\n", "ünï.yaml": b"1\n", '"q".yaml': b"1\n"}
    after = {"a b.yaml": b"2\n", "keep.yaml": b"k\n", "lists/ y.txt": b"s\n", "ünï.yaml": b"2\n", '"q".yaml': b"2\n"}

    patch = patch_of(before, after)

    assert applied(before, patch, tmp_path) == after
    assert patch.startswith(b'--- a/"q".yaml')
    assert b"keep" not in patch


def test_nothing_changed_is_nothing_to_apply() -> None:
    assert patch_of({"a.yaml": b"a\n"}, {"a.yaml": b"a\n"}) == b""


def test_a_file_that_cannot_be_read_has_no_diff() -> None:
    with pytest.raises(EditError, match="cannot be read"):
        patch_of({"a.yaml": Unreadable("over 1 MB", "split it")}, {})


LINES = st.lists(st.sampled_from([b"a\n", b"b\r\n", b"", b"\n", b"+x\n", b"-y\n", b"\\ n\n"]), max_size=6).map(b"".join)


@given(LINES, LINES, st.sampled_from([b"", b"end"]))
def test_any_two_files_have_a_diff_that_applies(
    tmp_path_factory: pytest.TempPathFactory, before: bytes, after: bytes, end: bytes
) -> None:
    old, new = {"a.yaml": before}, {"a.yaml": after + end}

    assert applied(old, patch_of(old, new), tmp_path_factory.mktemp("copy")) == new
