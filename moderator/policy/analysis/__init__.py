"""What can be said about rules without an event: lint, proofs of covering, differences, descriptions."""
