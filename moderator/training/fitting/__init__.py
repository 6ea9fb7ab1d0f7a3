"""The stages of a training run and their losses."""
