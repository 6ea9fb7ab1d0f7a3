"""The figures that pages show, computed from what is held."""
