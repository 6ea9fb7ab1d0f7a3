"""What a model reads: messages as texts and token ids; no torch."""
