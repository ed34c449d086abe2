"""Whether the clusters of a report come back in other fits."""

import numpy as np
from sklearn.metrics import adjusted_rand_score

from ..metrics import StabilityReport

_STABLE, _UNSTABLE = 0.75, 0.6  # Hennig 2007
_BEYOND_SIZE = 0.1


def check_stability(stability):
    """Raise if `stability` is no account of a fitted estimator."""
    if stability is None:
        return
    if not isinstance(stability, StabilityReport):
        raise TypeError(
            "stability must be the result of stability_report(estimator, X), got "
            f"{type(stability).__name__}."
        )


def tell_stability(stability, labels):
    """Return how well each cluster comes back; raise if the report is about other clusters.

    Parameters
    ----------
    stability : StabilityReport
        Stability of the fitted estimator.
    labels : ndarray of shape (n_samples,), int
        Clusters that the estimator assigns to the samples.

    Returns
    -------
    told : dict
        "clusters": {number: (Jaccard index, words)}; "seeds" and "halves": mean ARI; "unstable":
        numbers of the clusters that do not come back.
    """
    _check_same(stability, labels)
    clusters = {
        int(number): (jaccard, _in_words(jaccard, size / len(labels)))
        for number, jaccard, size in zip(
            stability.ids, stability.jaccard, stability.sizes, strict=True
        )
    }
    return {
        "clusters": clusters,
        "seeds": float(np.mean(stability.ari_seeds)),
        "halves": float(np.mean(stability.ari_halves)),
        "unstable": [number for number, (jaccard, _) in clusters.items() if jaccard < _UNSTABLE],
    }


def _check_same(stability, labels):
    if len(stability.labels) != len(labels):
        raise ValueError(
            f"stability must be about the samples of X, got a report of {len(stability.labels)} "
            f"samples, and X has {len(labels)}. Call stability_report(estimator, X) with the "
            "fitted estimator and this X."
        )
    if stability.fitted and np.array_equal(np.asarray(stability.ids)[stability.labels], labels):
        return
    ari = adjusted_rand_score(stability.labels, labels)
    raise ValueError(
        "stability must be about the groups of this estimator, got a report about those of another "
        f"fit: they agree to an adjusted Rand index of {ari:.2f}. Call stability_report(estimator, "
        "X) with the fitted estimator."
    )


def _in_words(jaccard, share):
    """Return the words for an overlap, which a large cluster has by its size alone."""
    if jaccard < _UNSTABLE:
        return "does not come back"
    return "stable" if jaccard >= _STABLE and jaccard >= share + _BEYOND_SIZE else "unsure"
