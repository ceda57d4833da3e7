"""Direct preference optimisation: which tokens of a pair are compared, by which loss, and the trainer."""
