"""Tests without a time, in a folder whose decisions depend on it."""

from moderator.policy.policy_set import PolicySet
from moderator.policy.syntax.diagnostics import Diagnostic, Diagnostics, quote


def untimed_tests(policies: PolicySet) -> list[Diagnostic]:
    """Give an error for each test that says no time where a decision can depend on it."""
    diagnostics = Diagnostics()
    for test in policies.tests if policies.uses_event_time else ():
        if test.at_ms is None:
            message = f"the test {quote(test.name)} gives no time, and some rules or exemptions depend on it"
            diagnostics.error("P071", test.span, message, "add under given: time: 2026-10-05T12:00:00Z")
    return diagnostics.all
