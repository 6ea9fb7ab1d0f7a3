"""How well the trained model does on held-out messages."""
