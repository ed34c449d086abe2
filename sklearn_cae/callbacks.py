"""Callbacks for the phases of a fit, in addition to ``skorch.callbacks``.

A callback gets the net of the current phase. The net has the attributes ``phase``, ``history``, and
``earlier``, which contains the rows of the phases before.
"""

from importlib import import_module
from numbers import Integral

from sklearn.utils import check_scalar
from skorch.callbacks import Callback

from .plotting import HistoryDisplay
from .plotting._pictures import check_matplotlib

__all__ = ["LiveHistory"]


class LiveHistory(Callback):
    """Draw the losses in a notebook during the training.

    The picture is a :class:`sklearn_cae.plotting.HistoryDisplay`. It replaces the output of the
    cell.

    Parameters
    ----------
    every : int, default=1
        Number of epochs between two drawings, at least 1. One drawing takes about as long as a
        hundred steps.

    Raises
    ------
    ImportError
        At the start of the training, if IPython or matplotlib is not installed.
    ValueError, TypeError
        At the start of the training, if `every` breaks its rule.

    Examples
    --------
    >>> from sklearn_cae import ContrastiveAutoencoderClusterer
    >>> from sklearn_cae.callbacks import LiveHistory
    >>> clusterer = ContrastiveAutoencoderClusterer(callbacks=[LiveHistory(every=5)])
    """

    def __init__(self, every=1):
        self.every = every

    def on_train_begin(self, net, **kwargs) -> None:
        """Raise before the training if nothing can be drawn."""
        check_scalar(self.every, "every", Integral, min_val=1)
        check_matplotlib()
        try:
            import_module("IPython.display")
        except ImportError as error:
            raise ImportError(
                "LiveHistory draws into a notebook, but IPython is not installed. Install it with: "
                "pip install ipython, or leave the callback out."
            ) from error

    def on_epoch_end(self, net, **kwargs) -> None:
        """Draw after each `every` epochs."""
        if len(net.history) % self.every == 0:
            self._draw(net)

    def on_train_end(self, net, **kwargs) -> None:
        """Draw the epochs after the last drawing."""
        if len(net.history) % self.every:
            self._draw(net)

    def _draw(self, net):
        import matplotlib.pyplot as plt
        from IPython.display import clear_output, display

        figure = HistoryDisplay(net.history_so_far()).plot().figure_
        clear_output(wait=True)
        display(figure)
        plt.close(figure)
