"""Files made to keep a reader busy: refused in time, however large."""

import time
from pathlib import Path

import pytest

from tests.unit.policy.folders import POLICY, a_folder, a_policy, codes_of


@pytest.mark.parametrize(
    "bomb",
    [
        *(b"[" * 100_000, b"{" * 100_000, b"- " * 50_000, b"? " * 50_000),
        *(b"a: " + b"x" * 900_000, b"a: " + b"!" * 900_000, b"a: >\n" + b"  x\n\n" * 180_000, b"\n" * 900_000),
    ],
    ids=lambda bomb: repr(bomb[:6]),
)
def test_a_bomb_is_refused_in_time(tmp_path: Path, bomb: bytes) -> None:
    folder = a_folder(tmp_path)
    (folder / POLICY).write_bytes(bomb)
    began_s = time.process_time()

    codes = codes_of(folder)

    assert codes == ["P007"]
    assert time.process_time() - began_s < 5


def test_comments_may_be_long(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, a_policy() + "# why\n" * 50_000)

    assert codes_of(folder) == []


def test_aliases_do_not_multiply(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    folder = a_folder(tmp_path)
    (folder / POLICY).write_text("\n".join(lines))

    assert set(codes_of(folder)) <= {"P005", "P011", "P020"}


def test_more_values_than_any_policy_needs_are_refused(tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    (folder / POLICY).write_text("[" + "a," * 10_100 + "]")

    assert codes_of(folder) == ["P007"]
