"""How good groups and embeddings are, in comparison with the paper and with baselines."""
