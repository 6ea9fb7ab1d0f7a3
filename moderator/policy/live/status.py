"""Which policies decide and what the folder holds, as every caller is answered."""

from typing import Literal, NamedTuple

from moderator.policy.live.refusal import Problem

FolderWord = Literal["in force", "refused", "pending", "unreadable"]


class PolicyStatus(NamedTuple):
    """One look at a policy folder that is followed.

    Attributes:
        snapshot, source: of the policies that decide.
        since_s: since when they do, seconds since the epoch.
        folder: what it holds: what decides, what was refused, what was not judged yet, or what cannot be read.
        ignored: its files that do not count.
        problems: why it is refused.
    """

    snapshot: str
    source: str
    since_s: float
    folder: FolderWord
    ignored: tuple[str, ...]
    problems: tuple[Problem, ...]
