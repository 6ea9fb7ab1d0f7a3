"""Tools for the tests of a policy folder: what they cover, mutants that they miss, tests to add."""
