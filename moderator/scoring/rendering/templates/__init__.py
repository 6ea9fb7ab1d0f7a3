"""Conversations as a checkpoint's own chat template writes them."""
