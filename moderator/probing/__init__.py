"""Fits probes: objectives of a team's own, learned from some hundred labels on a backbone's frozen hidden states."""
