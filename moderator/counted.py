"""Numbers with what they count, in messages for people."""


def counted(number: int, one: str, several: str = "") -> str:
    """Write a number and its noun: `1 test`, `2,000 tests`; `several` where that is more than `one` and an s."""
    return f"{number:,} {one if number == 1 else several or f'{one}s'}"
