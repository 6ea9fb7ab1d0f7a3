"""The decision: rules compiled once, then one event after another judged by them; pure."""
