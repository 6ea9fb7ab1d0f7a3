"""What staff use on a policy folder, besides deciding: reports, tests of the tests, words, differences, schema.

Nothing here is loaded while events are decided.
"""
