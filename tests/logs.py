"""What a replica has logged."""

import json
from typing import Any

from moderator.demo.replica import LocalReplica


def logged(replica: LocalReplica) -> list[dict[str, Any]]:
    """Give the lines that are complete: it may just write one."""
    complete, _, _ = replica.log.read_text().rpartition("\n")
    return [json.loads(line) for line in complete.splitlines()]


def said(replica: LocalReplica, event: str) -> list[dict[str, Any]]:
    """Give the lines of one kind."""
    return [line for line in logged(replica) if line["event"] == event]
