"""Quality of groups and embeddings, in comparison with the paper and with baselines."""
