"""What people use to write policies: decisions as text, tests of the tests, suggestions, SARIF, an editor's schema.

Nothing here is loaded while events are decided.
"""
