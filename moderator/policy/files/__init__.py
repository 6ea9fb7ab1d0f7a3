"""Nodes -> the values of `policy/language`: one module for each kind of file in a policy folder."""
