"""Scores from a reward model. With `training` the only package that imports torch and transformers."""
