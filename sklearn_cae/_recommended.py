"""The recommended setting, whose groups are better than with the paper's setting."""

from numbers import Integral
from typing import Any

from sklearn.utils import check_scalar

from .clusterers import CommunityClusterer
from .modules import UnpooledEncoder

_BATCHES = 50  # per epoch; with more than these, the batch size is doubled
_SAMPLES_SEEN = 320_000  # in the warm-up


def recommended(n_samples, **changes) -> dict[str, Any]:
    """Return the recommended parameters for a number of images.

    The default parameters of the estimator are the paper's setting. The recommended setting leads
    to better groups in the project's benchmarks. It whitens the embedding, finds communities and
    their number, refines them so that neighbours agree, and uses gentle augmentations and an
    encoder without pooling. A larger `reconstruction_weight`, with AdamW, makes decoded images
    sharper. The number of images determines the batch size and the epochs: the warm-up has
    320 000 / `n_samples` epochs, at least 20 and at most 200.

    Parameters
    ----------
    n_samples : int
        Number of training images, at least 2.
    **changes
        Parameters of `ContrastiveAutoencoderClusterer` to replace or to add. Set `augmentation` if
        images may be rotated further or flipped. Set `n_clusters` if the number of groups is known;
        if there are too many communities, those with the strongest links are then merged. There
        are fewer groups if the refinement empties some.

    Returns
    -------
    params : dict
        Parameters of `ContrastiveAutoencoderClusterer`.

    Examples
    --------
    >>> from sklearn_cae import ContrastiveAutoencoderClusterer, recommended
    >>> clusterer = ContrastiveAutoencoderClusterer(**recommended(500), random_state=0)
    >>> clusterer.n_clusters, clusterer.batch_size, clusterer.warm_up_epochs
    ('auto', 64, 200)
    >>> recommended(500, n_clusters=4)["n_clusters"]
    4
    """
    if hasattr(n_samples, "__len__"):
        raise TypeError(
            "n_samples must be the number of images, got the images themselves, a "
            f"{type(n_samples).__name__}. Pass their len()."
        )
    check_scalar(n_samples, "n_samples", Integral, min_val=2)
    batch_size = 64
    while batch_size < 256 and batch_size * _BATCHES < n_samples:
        batch_size *= 2
    warm_up_epochs = min(max(round(_SAMPLES_SEEN / n_samples), 20), 200)
    # A fixed encoder cannot be refined.
    return {
        "n_clusters": "auto",
        "clusterer": CommunityClusterer(),
        "temperature": 0.2,
        "reconstruction_weight": 10.0,
        "warm_up_epochs": warm_up_epochs,
        "refinement_epochs": warm_up_epochs // 2 if changes.get("train_encoder", True) else 0,
        "conditioning_epochs": warm_up_epochs // 3,
        "batch_size": batch_size,
        "optimizer": "adamw",
        "learning_rate": 2e-3,
        "augmentation": "xray",
        "encoder": UnpooledEncoder,
        "whiten": True,
        **changes,
    }
