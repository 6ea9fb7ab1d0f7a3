"""Hypothesis on shared and noisy machines: no deadlines, and slow first draws are no failure."""

from hypothesis import HealthCheck, settings

settings.register_profile("noisy-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("noisy-machine")
