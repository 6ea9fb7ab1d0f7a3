"""Characters that cannot be seen and change a text: people read one name, and the program compares another."""

import re
from dataclasses import dataclass

from moderator.ignorable import BLANKS, INVISIBLE, class_of

# Joiners and variation selectors: they shape emoji and letters of other scripts, and do nothing between plain ones.
_SHAPING = r"\u180b-\u180d\u180f\u200c\u200d\ufe00-\ufe0f\U000e0100-\U000e01ef"
_SHAPES = re.compile(f"[{_SHAPING}]")
# Line ends other than our own, and what shows nothing or a blank: it hides, reorders or joins what is next to it.
_ALWAYS = r"\r\x85\u2028\u2029\ufffe\uffff" + class_of(
    code for code in INVISIBLE | BLANKS if not _SHAPES.match(chr(code))
)
# England's flag and its like: a black flag, letters that only mark it, and the end mark.
_FLAG = re.compile("\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f")
_PLAIN = r"\x00-\x7f"
_OTHER_SPACE = r"[^\S\t\n ]"
_UNSEEN = re.compile(
    rf"[{_ALWAYS}]|(?<![^{_PLAIN}])[{_SHAPING}]+(?![^{_PLAIN}])|\A{_OTHER_SPACE}|{_OTHER_SPACE}\Z",
)


@dataclass(frozen=True, slots=True)
class Unseen:
    """The first character of a text that cannot be seen; `index` counts from 0."""

    index: int
    message: str
    hint: str = "remove it"


def find_unseen(text: str) -> Unseen | None:
    """Find the first character that cannot be seen: line ends and tabs can."""
    found = _UNSEEN.search(_FLAG.sub(lambda flag: "x" * len(flag[0]), text))
    if found is None:
        return None
    # By its number: some count as printable, and show as nothing or as a blank.
    return Unseen(found.start(), f'the character "{ascii(found.group()[0])[1:-1]}" cannot be seen')
