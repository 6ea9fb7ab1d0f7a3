"""The policy folder and the replicas that decide by it."""
