"""Clusterers of embeddings: communities of neighbours, mixtures, and the search for an elbow.

All are scikit-learn clusterers, and can be passed as
``ContrastiveAutoencoderClusterer(clusterer=...)``. Each one can find the number of clusters.

Imports `_input` and `_utils`.
"""

from ._communities import CommunityClusterer
from ._elbow import ElbowClusterer
from ._halves import HalvesClusterer
from ._mixture import MixtureClusterer

__all__ = ["CommunityClusterer", "ElbowClusterer", "HalvesClusterer", "MixtureClusterer"]
