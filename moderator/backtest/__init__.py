"""What recorded decisions teach: how other policies would have decided, and how scores are spread."""
