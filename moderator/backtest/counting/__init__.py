"""What is counted over recorded decisions: flips, curves, labels, examples, fidelity."""
