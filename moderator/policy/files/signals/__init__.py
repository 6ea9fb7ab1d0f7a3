"""signals.yaml, the lists it names, and calibrations."""
