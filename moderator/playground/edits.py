"""A policy folder with edits: the files that are there, some of them with another text, some new, some removed.

An editor shows plain text: no byte order mark, and one kind of line end. What comes back from it is put into the form
that the file had, so that an edit of one line changes one line.
"""

import re
from collections import Counter
from collections.abc import Mapping
from difflib import SequenceMatcher
from typing import Final

from moderator.errors import ModeratorError
from moderator.policy.files.folder import Files, Unreadable

Edits = Mapping[str, str | None]
"""Name of a file -> its new text; None removes the file."""

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


def edited(files: Files, edits: Edits) -> dict[str, bytes | Unreadable]:
    """Give the files as they would be.

    Raises:
        EditError: a name is none that a folder's file may have, or a text cannot be written.
    """
    result = dict(files)
    for name, text in edits.items():
        if not is_file_name(name):
            raise EditError(name, "a file is called NAME.yaml, NAME.yml or lists/NAME.txt")
        if text is None:
            result.pop(name, None)
        else:
            result[name] = _content(name, text, files.get(name))
    return result


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
