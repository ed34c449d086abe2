"""Clusterers of embeddings: communities of neighbours, mixtures, and the search for an elbow.

All are scikit-learn clusterers, and go into ``ContrastiveAutoencoderClusterer(clusterer=...)`` as
any other clusterer does; each finds the number of clusters if it is not told one.

Imports `_input` and `_utils`.
"""

from ._communities import CommunityClusterer
from ._elbow import ElbowClusterer
from ._mixture import MixtureClusterer

__all__ = ["CommunityClusterer", "ElbowClusterer", "MixtureClusterer"]
