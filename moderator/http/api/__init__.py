"""The HTTP API: decisions, moderations, a guardrail, and what decides."""
