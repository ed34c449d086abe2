"""Pictures of a fitted clusterer, as scikit-learn's Display objects.

A display is made from an estimator or from arrays, draws itself with ``plot(ax=...)`` and keeps
``figure_`` with ``ax_``, or with ``axes_`` where there are several panels. Matplotlib
(``pip install 'sklearn_cae[plot]'``) is imported when something is drawn.

Images may be (n, H, W), (n, C, H, W) or (n, H, W, C), with 1 to 4 channels, of any numeric type.
One channel is drawn gray, three as red, green and blue, two and four as the gray of their mean.
"""

from ._clusters import ContingencyDisplay, PrototypeDisplay
from ._embedding import EmbeddingDisplay
from ._fit import ElbowDisplay, HistoryDisplay
from ._samples import AugmentationDisplay, ReconstructionDisplay

__all__ = [
    "AugmentationDisplay",
    "ContingencyDisplay",
    "ElbowDisplay",
    "EmbeddingDisplay",
    "HistoryDisplay",
    "PrototypeDisplay",
    "ReconstructionDisplay",
]
