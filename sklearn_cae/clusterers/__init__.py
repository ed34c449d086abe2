"""Clusterers for embeddings whose groups are no balls: communities of neighbours, and mixtures.

Both are scikit-learn clusterers with ``predict_proba``, and go into
``ContrastiveAutoencoderClusterer(clusterer=...)`` as any other clusterer does; with
``n_clusters="auto"`` there, they find the number of clusters by themselves.

Imports `_input` and `_utils`.
"""

from ._communities import CommunityClusterer
from ._mixture import MixtureClusterer

__all__ = ["CommunityClusterer", "MixtureClusterer"]
