"""The web console: recent decisions, why each was made, and the policies in force; a light process of its own."""
