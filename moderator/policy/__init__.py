"""Policies: a folder of YAML -> decisions; pure once loaded."""

from moderator.policy.event_time import event_time_ms
from moderator.policy.judge import Judge, Judgement
from moderator.policy.loader import load_policies
from moderator.policy.policy_set import PolicySet
from moderator.policy.problems import Problem

__all__ = ["Judge", "Judgement", "PolicySet", "Problem", "event_time_ms", "load_policies"]
