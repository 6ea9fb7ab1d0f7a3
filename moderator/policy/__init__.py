"""Policies: a folder of YAML -> decisions; pure once loaded."""

from moderator.policy.engine.combining import Judgement
from moderator.policy.engine.judge import Judge
from moderator.policy.language.event_time import event_time_ms
from moderator.policy.loader import load_policies
from moderator.policy.policy_set import PolicySet
from moderator.policy.syntax.diagnostics import Diagnostic

__all__ = ["Diagnostic", "Judge", "Judgement", "PolicySet", "event_time_ms", "load_policies"]
