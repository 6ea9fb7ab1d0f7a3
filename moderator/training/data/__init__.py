"""The data that the practice model is trained on."""
