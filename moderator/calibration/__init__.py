"""How the scores of a model are spread over recorded decisions."""
