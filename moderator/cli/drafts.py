"""Drafts: policies that are tried out although they fail their own tests."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from moderator.policy import PolicySet


def report_draft(policies: "PolicySet") -> None:
    """Say on stderr in one line that the decisions are a draft's, and which test fails first."""
    from moderator.policy.syntax.diagnostics import quote
    from moderator.policy.test_runner import run_tests

    failing = [result.test for result in run_tests(policies) if result.fails]
    passing = "all of its tests pass" if policies.tests else "it has no tests"
    fail = "fails" if len(failing) == 1 else "fail"
    fails = f"{len(failing)} of its tests {fail}, first {failing[0].span} {quote(failing[0].name)}" if failing else ""
    sys.stderr.write(f'draft: {fails or passing}; every decision says "draft": true\n')
