"""The consumer: where reading begins, the group, positions, and what a record may be."""
