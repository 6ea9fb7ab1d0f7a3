"""A policy folder on disk -> its files' bytes -> their text, whatever is in it.

Every `*.yaml` and `*.yml` directly in the folder counts, and `calibration/*.json` and `lists/*.txt`; hidden names and
other subfolders do not. The bytes are read once: what is checked, hashed, stored and decided by is the same.
"""

import hashlib
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from moderator.errors import PolicyError, reason_of
from moderator.policy.syntax.diagnostics import Diagnostics, SourceFile, Span
from moderator.policy.syntax.invisible_characters import find_unseen

MAX_FILE_BYTES = 1_000_000
MAX_CALIBRATION_BYTES = 4_000_000
MAX_LIST_BYTES = 4_000_000
CALIBRATIONS = "calibration/"
LISTS = "lists/"

EXTENSIONS = (".yaml", ".yml")
_LIMITS_BYTES = {CALIBRATIONS: MAX_CALIBRATION_BYTES, LISTS: MAX_LIST_BYTES}
SHARED_STEMS = frozenset({"settings", "signals", "exemptions"})
"""Files that belong to no single policy."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file that counts and cannot be read."""

    message: str
    hint: str


Files = Mapping[str, bytes | Unreadable]
"""Name in the folder, such as `settings.yaml` or `calibration/armorm.json` -> its bytes."""


@dataclass(frozen=True, slots=True)
class Folder:
    """What is in a policy folder: the names of all YAML files that count, and those that are text, by name."""

    names: tuple[str, ...]
    files: tuple[SourceFile, ...]


def read_files(folder: Path) -> dict[str, bytes | Unreadable]:
    """Read every file of a policy folder that counts, by name; links are followed.

    Raises:
        PolicyError: the folder itself cannot be listed.
    """
    files = _list(folder, "policy folder", "name the folder that holds settings.yaml, or mount it there")
    paths = {path.name: path for path in files if _counts(path)}
    paths |= {f"{CALIBRATIONS}{path.name}": path for path in _paths_in(folder / CALIBRATIONS, "calibrations", ".json")}
    paths |= {f"{LISTS}{path.name}": path for path in _paths_in(folder / LISTS, "lists", ".txt")}
    return {name: _read_file(name, path) for name, path in sorted(paths.items())}


def source_hash(files: Files) -> str:
    """Give `sha256:` and 64 hex digits over names and bytes; any edit changes it."""
    digest = hashlib.sha256()
    for name, content in sorted(files.items()):
        shown = content if isinstance(content, bytes) else content.message.encode()
        digest.update(f"{len(name.encode(errors='surrogateescape'))} {len(shown)} ".encode())
        digest.update(name.encode(errors="surrogateescape") + shown)
    return f"sha256:{digest.hexdigest()}"


def decode_folder(files: Files, name: str, diagnostics: Diagnostics) -> Folder:
    """Decode the YAML files; what is no text is reported and left out. `name` is what the folder is called."""
    counting = {file: content for file, content in sorted(files.items()) if is_top_level(file)}
    if not counting:
        diagnostics.error(
            "P001",
            name,
            "the folder is empty",
            "add settings.yaml, signals.yaml and a policy, or mount the folder that holds them; an empty folder never "
            "means allow everything",
        )
    texts = (_text(file, counting[file], diagnostics) for file in _without_twins(list(counting), diagnostics))
    return Folder(tuple(counting), tuple(text for text in texts if text is not None))


def stem_of(name: str) -> str:
    """The file's name without `.yaml` or `.yml`."""
    return name.rsplit(".", 1)[0]


def is_top_level(name: str) -> bool:
    """Whether a name of `Files` is that of a file directly in the folder, not of a calibration or a list."""
    return not name.startswith((CALIBRATIONS, LISTS))


def is_policy_text(name: str) -> bool:
    """Whether a name of `Files` is that of a YAML file, not of a calibration or the like."""
    return "/" not in name and name.lower().endswith(EXTENSIONS)


def _counts(path: Path) -> bool:
    return not path.name.startswith(".") and path.name.lower().endswith(EXTENSIONS)


def _paths_in(subfolder: Path, what: str, ending: str) -> list[Path]:
    # Kubernetes mounts a subfolder as a link.
    if not subfolder.is_dir():
        return []
    files = _list(subfolder, f"folder of {what}", "give the right to read it")
    return [path for path in files if path.suffix == ending and not path.name.startswith(".")]


def _list(folder: Path, what: str, fix: str) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as error:
        why = reason_of(error)
        raise PolicyError(f"cannot read the {what} `{folder}`: {why}; {fix}") from error


def _read_file(name: str, path: Path) -> bytes | Unreadable:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return Unreadable("this is not a file", "move it out of the folder")
        limit_bytes = _LIMITS_BYTES.get(name[: name.find("/") + 1], MAX_FILE_BYTES)
        with path.open("rb") as stream:
            content = stream.read(limit_bytes + 1)
    except OSError as error:
        why = reason_of(error)
        return Unreadable(f"cannot be read: {why}", "fix or remove it")
    if len(content) > limit_bytes:
        return Unreadable(f"the file is over {limit_bytes // 1_000_000} MB", "split it into several files")
    return content


def _without_twins(names: list[str], diagnostics: Diagnostics) -> Iterator[str]:
    first: dict[str, str] = {}
    for name in names:
        other = first.setdefault(stem_of(name), name)
        if other == name:
            yield name
        else:
            diagnostics.error("P002", name, f"this file and {other} have one name", "keep one of the two")


def _text(name: str, content: bytes | Unreadable, diagnostics: Diagnostics) -> SourceFile | None:
    if not name.endswith(EXTENSIONS):
        diagnostics.error("P002", name, "the name ends in capitals", "end it in .yaml")
        return None
    if isinstance(content, Unreadable):
        diagnostics.error("P002", name, content.message, content.hint)
        return None
    return _decode(name, content, diagnostics)


def _decode(name: str, content: bytes, diagnostics: Diagnostics) -> SourceFile | None:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        diagnostics.error("P003", name, "the file is UTF-16", "save it as UTF-8")
        return None
    try:
        text = content.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        message = f"byte 0x{content[error.start]:02x} on line {line} is not UTF-8"
        diagnostics.error("P003", name, message, "save the file as UTF-8")
        return None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    file = SourceFile(name, text, tuple(text.split("\n")))
    return file if _is_visible(file, diagnostics) else None


def _is_visible(file: SourceFile, diagnostics: Diagnostics) -> bool:
    unseen = find_unseen(file.text)
    if unseen is None:
        return True
    line = file.text.count("\n", 0, unseen.index) + 1
    column = unseen.index - (file.text.rfind("\n", 0, unseen.index) + 1) + 1
    diagnostics.error("P003", Span(file, line, column, 1), unseen.message, unseen.hint)
    return False
