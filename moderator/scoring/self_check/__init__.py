"""A loaded model checked against transformers on the same files."""
