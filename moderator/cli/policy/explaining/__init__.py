"""The parts of `moderator policy explain`: which decisions, by which policies, and what deciding again shows."""
