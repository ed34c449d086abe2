"""Pictures of a fitted clusterer, as Display objects like those of scikit-learn.

A display is made from an estimator or from arrays. ``plot(ax=...)`` draws it and sets ``figure_``
and ``ax_``, or ``axes_`` if there are several panels. Matplotlib
(``pip install 'sklearn_cae[plot]'``) is imported when something is drawn.

Images may be (n, H, W), (n, C, H, W) or (n, H, W, C), with 1 to 4 channels, of any numeric type.
One channel is drawn in gray, three as red, green and blue, two and four as their mean in gray.
Volumes, (n, D, H, W), or with channels, are drawn as their middle slices across D, H and W, one
below the other.
"""

from ._check import ImageCheckDisplay
from ._clusters import ContingencyDisplay, PrototypeDisplay
from ._confounding import ConfoundingDisplay
from ._embedding import EmbeddingDisplay
from ._fit import ElbowDisplay, HistoryDisplay
from ._samples import AugmentationDisplay, ReconstructionDisplay

__all__ = [
    "AugmentationDisplay",
    "ConfoundingDisplay",
    "ContingencyDisplay",
    "ElbowDisplay",
    "EmbeddingDisplay",
    "HistoryDisplay",
    "ImageCheckDisplay",
    "PrototypeDisplay",
    "ReconstructionDisplay",
]
