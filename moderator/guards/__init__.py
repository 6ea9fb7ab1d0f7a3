"""Guards that answer with one token: what they may answer and what they are asked. It knows no torch."""
