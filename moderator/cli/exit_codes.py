"""Exit codes, the same for every command."""

OK = 0
CHECK_FAILED = 1
"""The checked thing is bad: a policy, a test, a budget, a sum that does not add up."""
WRONG_CONFIGURATION = 2
SERVER_UNREACHABLE = 3
STOPPED = 4
"""Stopped itself at run time: device lost, fenced, dead-letter limit, undecodable batch."""
