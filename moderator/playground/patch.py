"""What an edit changes, as a unified diff that `patch -p1` applies inside a copy of the folder, byte for byte."""

from collections.abc import Iterator
from difflib import diff_bytes, unified_diff

from moderator.playground.edits import EditError
from moderator.policy.files.folder import Files, Unreadable

_NOWHERE = b"/dev/null"
_NO_LINE_END = b"\n\\ No newline at end of file\n"


def patch_of(before: Files, after: Files) -> bytes:
    """Give the diff, files by name; empty where nothing changes.

    Raises:
        EditError: a file that cannot be read would be changed.
    """
    names = sorted({*before, *after})
    return b"".join(part for name in names for part in _file(name, before.get(name), after.get(name)))


def _file(name: str, before: bytes | Unreadable | None, after: bytes | Unreadable | None) -> Iterator[bytes]:
    if before == after:
        return
    if isinstance(before, Unreadable) or isinstance(after, Unreadable):
        raise EditError(name, "the file cannot be read, so nothing can be said of the change")
    label = name.encode(errors="surrogateescape")
    old, new = b"a/" + label, b"b/" + label
    if not before and not after:  # an empty file comes or goes: only git's form can say so
        kind, index = (b"new", b"0000000..e69de29") if before is None else (b"deleted", b"e69de29..0000000")
        yield b"diff --git " + old + b" " + new + b"\n" + kind + b" file mode 100644\nindex " + index + b"\n"
        return
    lines = diff_bytes(
        unified_diff,
        _lines(before or b""),
        _lines(after or b""),
        _header(_NOWHERE if before is None else old),
        _header(_NOWHERE if after is None else new),
        lineterm=b"\n",
    )
    yield from (line if line.endswith(b"\n") else line + _NO_LINE_END for line in lines)


def _header(name: bytes) -> bytes:
    # a name with a blank ends at a tab
    return name + b"\t" if b" " in name else name


def _lines(content: bytes) -> list[bytes]:
    lines = [line + b"\n" for line in content.split(b"\n")]
    last = lines.pop().removesuffix(b"\n")
    return [*lines, last] if last else lines
