"""Policies: a folder of YAML -> decisions; pure once loaded."""

from moderator.policy.judge import Judge, Judgement
from moderator.policy.loader import PolicySet, load_policies
from moderator.policy.problems import Problem

__all__ = ["Judge", "Judgement", "PolicySet", "Problem", "load_policies"]
