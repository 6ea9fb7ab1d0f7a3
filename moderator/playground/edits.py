"""A policy folder with edits: the files that are there, some of them with another text, some new, some removed.

An editor shows plain text: no byte order mark, and one kind of line end. What comes back from it is put into the form
that the file had, so that an edit of one line changes one line.
"""

import re
from collections import Counter
from collections.abc import Mapping
from difflib import SequenceMatcher
from hashlib import sha256
from types import MappingProxyType
from typing import Final

from moderator.errors import ModeratorError
from moderator.policy.files.folder import Files, Unreadable

Edits = Mapping[str, str | None]
"""Name of a file -> its new text; None removes the file."""
Bases = Mapping[str, str | None]
"""Name of a file -> what `base_of` gave of it when its edit began; None: there was no such file."""
NO_BASES: Final[Bases] = MappingProxyType({})

_NAME: Final = re.compile(
    r"[^./\x00-\x1f\x7f][^/\x00-\x1f\x7f]*\.ya?ml|lists/[^./\x00-\x1f\x7f][^/\x00-\x1f\x7f]*\.txt"
)
_NAME_BYTES: Final = 255
_BOM: Final = b"\xef\xbb\xbf"
_LINE_END: Final = re.compile(rb"\r\n|\r|\n")


class EditError(ModeratorError):
    """An edit cannot be made.

    Attributes:
        name: the file that it is about.
    """

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


class OutdatedError(ModeratorError):
    """Files have changed since an edit of them began: the edit would undo these changes.

    Attributes:
        names: these files.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        which = " and ".join(f"`{name}`" for name in names)
        super().__init__(f"{which} changed in the folder after the edit began, and the edit would undo that")
        self.names = names


def edited(files: Files, edits: Edits, bases: Bases = NO_BASES) -> dict[str, bytes | Unreadable]:
    """Give the files as they would be; of a file without a base, any state may be edited.

    Raises:
        EditError: a name is none that a folder's file may have, or a text cannot be written.
        OutdatedError: a file is not what its edit began with.
    """
    result = dict(files)
    for name, text in edits.items():
        if not is_file_name(name):
            raise EditError(name, "a file is called NAME.yaml, NAME.yml or lists/NAME.txt")
        if text is None:
            result.pop(name, None)
        else:
            result[name] = _content(name, text, files.get(name))
    if outdated := tuple(sorted(name for name in edits.keys() & bases.keys() if _undoes(name, files, result, bases))):
        raise OutdatedError(outdated)
    return result


def base_of(content: bytes | Unreadable | None) -> str | None:
    """Name what a file holds; None: there is no such file."""
    if content is None:
        return None
    return "unreadable" if isinstance(content, Unreadable) else sha256(content).hexdigest()


def is_file_name(name: str) -> bool:
    """Check whether a file of this name would count in a folder, and may be edited."""
    return _NAME.fullmatch(name) is not None and len(name.encode(errors="replace")) <= _NAME_BYTES


def shown_text(content: bytes | Unreadable) -> str | None:
    """Give a file's text as an editor shows it; None for what is no text."""
    if isinstance(content, Unreadable):
        return None
    try:
        return _LINE_END.sub(b"\n", content.removeprefix(_BOM)).decode()
    except UnicodeDecodeError:
        return None


def _undoes(name: str, files: Files, result: Files, bases: Bases) -> bool:
    """Check whether an edit would undo what somebody else did; both may have done the same."""
    return base_of(files.get(name)) != bases[name] and files.get(name) != result.get(name)


def _content(name: str, text: str, before: bytes | Unreadable | None) -> bytes:
    try:
        content = text.encode()
    except UnicodeEncodeError:
        raise EditError(name, "the text holds half of a character: remove it") from None
    if not isinstance(before, bytes) or b"\r" in content or content.startswith(_BOM):
        return content  # whoever writes these means them
    mark = _BOM if before.startswith(_BOM) else b""
    return mark + _with_line_ends_of(before.removeprefix(mark), content)


def _with_line_ends_of(before: bytes, content: bytes) -> bytes:
    """Give each line that was there before the end that it had, and each new one the end that most lines had."""
    if b"\r" not in before:
        return content
    old, new = _lines(before), _lines(content)
    usual = Counter(end for _, end in old if end).most_common(1)[0][0]
    ends = [usual if end else b"" for _, end in new]
    matcher = SequenceMatcher(None, [line for line, _ in old], [line for line, _ in new], autojunk=False)
    for start_old, start_new, length in matcher.get_matching_blocks():
        for offset in range(length):
            if ends[start_new + offset] and (was := old[start_old + offset][1]):
                ends[start_new + offset] = was
    return b"".join(line + end for (line, _), end in zip(new, ends, strict=True))


def _lines(content: bytes) -> list[tuple[bytes, bytes]]:
    """Cut into lines, each with its end; the last one may have none."""
    lines, start = [], 0
    for end in _LINE_END.finditer(content):
        lines.append((content[start : end.start()], end[0]))
        start = end.end()
    return [*lines, (content[start:], b"")] if start < len(content) else lines
