"""Groups in seconds, without training."""

from torch import nn

from ._estimator import ContrastiveAutoencoderClusterer
from ._input.arrays import as_samples
from ._input.checks import holds_images
from ._recommended import recommended
from .augmentations import VectorViews
from .clusterers import CommunityClusterer
from .modules import FirstOrderScattering, LinearDecoder, LogScattering

#: With more images than this, the second order of the scattering takes too long.
_MANY = 10_000


def quick_look(
    X, *, modality=None, random_state=None, **changes
) -> ContrastiveAutoencoderClusterer:
    """Find groups in seconds, without training.

    Images are embedded by a fixed transform, a wavelet scattering. If there are more than 10 000,
    it is of the first order, which is faster. Vectors, such as the features of a pretrained
    network or a radiomics table, are embedded by their principal components. The groups are
    communities of neighbours, as in `recommended`. A linear map decodes the embedding, so that a
    prototype is the mean image of its group.

    The result is a fitted estimator, for which everything works as after a training: new images
    are assigned, reports are written, and it can be saved. Its `search_` tells how far the groups
    can be trusted:

    - "found": whether the number of groups is stable, and halves of the samples show the same
      groups. If it is False, there was a warning, and the groups may not be separate.
    - "halves": how much the groups of halves agree with those of all samples, as an adjusted Rand
      index. None if there is one group.

    Parameters
    ----------
    X : array-like, tensor or DataFrame
        Images, or flat rows without `image_shape`, which are vectors.
    modality : str, default=None
        Kind of the images, as in `recommended`.
    random_state : int, RandomState instance or None, default=None
        Seed of all random numbers. None gives different results on each call.
    **changes
        Parameters of `ContrastiveAutoencoderClusterer` to replace or to add, such as `n_clusters`,
        `image_shape` or `encoder`.

    Returns
    -------
    clusterer : ContrastiveAutoencoderClusterer
        Fitted estimator.

    Raises
    ------
    ValueError, TypeError
        If X or a parameter breaks a rule, or if X holds volumes.

    Warns
    -----
    ConvergenceWarning
        If no number of groups is stable.

    See Also
    --------
    recommended : Parameters of a training, whose groups are usually better.

    Examples
    --------
    >>> from sklearn_cae import quick_look
    >>> from sklearn_cae.datasets import make_toy_images
    >>> X, y = make_toy_images(240, random_state=0, return_X_y=True)
    >>> clusterer = quick_look(X, random_state=0)
    >>> clusterer.n_clusters_, clusterer.search_["found"]
    (3, True)
    >>> clusterer.decode_prototypes().shape
    (3, 16, 16)
    """
    X = as_samples(X)
    if changes.get("spatial_dims") == 3:
        raise ValueError(
            "quick_look takes images or vectors, got volumes (spatial_dims=3). Fit an estimator "
            "with recommended(len(X), spatial_dims=3), or pass features of the volumes."
        )
    fixed = {
        "clusterer": CommunityClusterer(),
        "encoder": FirstOrderScattering if X.shape[0] > _MANY else LogScattering,
        "train_encoder": False,
        "decoder": LinearDecoder,
        "warm_up_epochs": 1,  # a linear decoder needs none
        "refinement_epochs": 0,
        "conditioning_epochs": 0,
        "random_state": random_state,
    }
    if not holds_images(X, changes.get("image_shape")):
        fixed |= {"encoder": nn.Identity, "augmentation": VectorViews(probability=0)}
    n_samples = max(X.shape[0], 2)  # `fit` tells what is wrong with fewer
    params = recommended(n_samples, modality=modality, **{**fixed, **changes})
    return ContrastiveAutoencoderClusterer(**params).fit(X)
