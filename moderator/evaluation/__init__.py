"""How good a model's scores are on labelled events: AUC, precision and recall at the limits of the rules."""
