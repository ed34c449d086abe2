"""A clusterer for tests. Not in conftest: a folder of tests may have one of its own."""

from sklearn_cae import ContrastiveAutoencoderClusterer


def quick_clusterer(**params):
    """Build a clusterer that trains in a second on a hundred small images."""
    defaults = {
        "n_clusters": 3,
        "warm_up_epochs": 2,
        "conditioning_epochs": 1,
        "embedding_dim": 16,
        "batch_size": 32,
        "optimizer": "adamw",
        "device": "cpu",
        "precision": "float32",
        "random_state": 0,
    }
    return ContrastiveAutoencoderClusterer(**{**defaults, **params})
