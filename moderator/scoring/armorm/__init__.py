"""ArmoRM and models built like it."""
