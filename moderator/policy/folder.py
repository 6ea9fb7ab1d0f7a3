"""A policy folder on disk -> its files as text, whatever may lie in it.

Every `*.yaml` and `*.yml` directly in the folder counts; hidden names and subfolders do not.
"""

import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from moderator.policy.problems import Report, SourceFile, Span, quote

MAX_FILE_BYTES = 1_000_000

_EXTENSIONS = (".yaml", ".yml")
# Controls, line ends other than our own, and marks that hide or reorder what stands beside them.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Folder:
    """What lies in a policy folder: the names of all files that count, and those that could be read, by name."""

    names: tuple[str, ...]
    files: tuple[SourceFile, ...]


def read_folder(folder: Path, report: Report) -> Folder:
    """Read the folder's YAML files; what cannot be read is reported and left out.

    Raises:
        OSError: the folder itself cannot be listed.
    """
    paths = sorted(path for path in folder.iterdir() if _counts(path))
    if not paths:
        report.error(
            "P001",
            str(folder),
            "the folder is empty",
            "add settings.yaml, signals.yaml and a policy; an empty folder never means allow everything",
        )
    files = (_read_file(path, report) for path in _without_twins(paths, report))
    return Folder(tuple(path.name for path in paths), tuple(file for file in files if file is not None))


def stem_of(name: str) -> str:
    """The file's name without `.yaml` or `.yml`."""
    return name.rsplit(".", 1)[0]


def _counts(path: Path) -> bool:
    return not path.name.startswith(".") and path.name.lower().endswith(_EXTENSIONS)


def _without_twins(paths: list[Path], report: Report) -> Iterator[Path]:
    first: dict[str, str] = {}
    for path in paths:
        other = first.setdefault(stem_of(path.name), path.name)
        if other == path.name:
            yield path
        else:
            report.error("P002", path.name, f"this file and {other} have one name", "keep one of the two")


def _read_file(path: Path, report: Report) -> SourceFile | None:
    if not path.name.endswith(_EXTENSIONS):
        report.error("P002", path.name, "the name ends in capitals", "end it in .yaml")
        return None
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            report.error("P002", path.name, "this is not a file", "move it out of the folder")
            return None
        with path.open("rb") as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        why = (error.strerror or "unknown reason").lower()
        report.error("P002", path.name, f"cannot be read: {why}", "mend or remove it")
        return None
    if len(content) > MAX_FILE_BYTES:
        report.error("P002", path.name, "the file is over 1 MB", "split the policy into several files")
        return None
    return _decode(path.name, content, report)


def _decode(name: str, content: bytes, report: Report) -> SourceFile | None:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        report.error("P003", name, "the file is UTF-16", "save it as UTF-8")
        return None
    try:
        text = content.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        message = f"byte 0x{content[error.start]:02x} on line {line} is not UTF-8"
        report.error("P003", name, message, "save the file as UTF-8")
        return None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    file = SourceFile(name, text, tuple(text.split("\n")))
    return file if _is_visible(file, report) else None


def _is_visible(file: SourceFile, report: Report) -> bool:
    found = _UNSEEN.search(file.text)
    if found is None:
        return True
    line = file.text.count("\n", 0, found.start()) + 1
    column = found.start() - (file.text.rfind("\n", 0, found.start()) + 1) + 1
    message = f"the character {quote(found.group())} cannot be seen"
    report.error("P003", Span(file, line, column, 1), message, "remove it")
    return False
