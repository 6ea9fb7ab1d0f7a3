"""Traces: off, and nothing imported for them, unless the standard variables name a collector."""
