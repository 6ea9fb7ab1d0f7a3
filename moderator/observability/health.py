"""The state of the stream, as its thread last reported it, and what probes are answered. Pure."""

from dataclasses import dataclass

STALL_S = 60.0
"""A stream without progress, or without an answer from Kafka, for so long is unhealthy."""


@dataclass(frozen=True, slots=True)
class HealthSnapshot:
    """What the stream's thread knows about itself; replaced as a whole, never changed. Times are monotonic seconds.

    Attributes:
        progressed_at_s: when the loop last completed a round, with no window in flight that makes no progress.
        broker_seen_at_s: when a broker last answered.
        has_begun: the model is warm, Kafka has answered, and the loop runs.
        has_joined: this replica is a member of its group, with or without partitions.
        is_draining: no new events are taken.
    """

    progressed_at_s: float
    broker_seen_at_s: float
    has_begun: bool = False
    has_joined: bool = False
    is_draining: bool = False


@dataclass(frozen=True, slots=True)
class PolicyHealth:
    """How fresh the policies are.

    Attributes:
        agreed_at_s: when the policy folder last held the policies that decide; monotonic seconds.
        max_stale_s: for how long they may differ before this replica is not ready; None: for ever.
    """

    agreed_at_s: float
    max_stale_s: float | None = None


class HealthBoard:
    """Holds what probes are answered from: the stream's thread and the policies' thread write, HTTP reads."""

    def __init__(self, snapshot: HealthSnapshot) -> None:
        self.snapshot = snapshot
        self.policies: PolicyHealth | None = None


def liveness_failures(snapshot: HealthSnapshot, now_s: float) -> list[str]:
    """Give the reasons to restart this process; none while it starts, for a start has its own time limits."""
    if not snapshot.has_begun:
        return []
    return [
        f"{what} for {now_s - since_s:.0f} s"
        for what, since_s in (
            ("no progress", snapshot.progressed_at_s),
            ("no answer from Kafka", snapshot.broker_seen_at_s),
        )
        if now_s - since_s > STALL_S
    ]


def readiness_failures(snapshot: HealthSnapshot, now_s: float) -> list[str]:
    """Give the reasons why this replica moderates nothing now; owning no partition is none."""
    claims = (
        ("the model is loading, or Kafka is awaited", not snapshot.has_begun),
        ("the consumer group was not joined yet", not snapshot.has_joined),
        ("draining", snapshot.is_draining),
    )
    return [reason for reason, holds in claims if holds] + liveness_failures(snapshot, now_s)


def staleness(policies: PolicyHealth | None, now_s: float) -> list[str]:
    """Give the reason why this replica should get no traffic: the folder holds other policies for too long."""
    if policies is None or policies.max_stale_s is None:
        return []
    stale_s = now_s - policies.agreed_at_s
    return (
        [f"the policy folder differs from the policies that decide for {stale_s:.0f} s"]
        if stale_s > policies.max_stale_s
        else []
    )
