"""Callbacks for the phases of a fit, beside those of ``skorch.callbacks``.

They see the net of the phase being trained: its ``phase``, its ``history``, and in ``earlier`` the
rows of the phases before it.
"""

from importlib import import_module
from numbers import Integral

from sklearn.utils import check_scalar
from skorch.callbacks import Callback

from .plotting import HistoryDisplay
from .plotting._pictures import check_matplotlib

__all__ = ["LiveHistory"]


class LiveHistory(Callback):
    """Draw the losses in a notebook while they fall.

    The picture is that of :class:`sklearn_cae.plotting.HistoryDisplay`. It takes the place of what
    the cell has shown so far.

    Parameters
    ----------
    every : int, default=1
        Epochs between two drawings, each of which takes about as long as a hundred steps; at
        least 1.

    Raises
    ------
    ImportError
        When training starts, if IPython or matplotlib is not installed.
    ValueError, TypeError
        When training starts, if `every` breaks its rule.

    Examples
    --------
    >>> from sklearn_cae import ContrastiveAutoencoderClusterer
    >>> from sklearn_cae.callbacks import LiveHistory
    >>> clusterer = ContrastiveAutoencoderClusterer(callbacks=[LiveHistory(every=5)])
    """

    def __init__(self, every=1):
        self.every = every

    def on_train_begin(self, net, **kwargs) -> None:
        """Fail before the training where nothing could be drawn."""
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
        """Draw, where it is time."""
        if len(net.history) % self.every == 0:
            self._draw(net)

    def on_train_end(self, net, **kwargs) -> None:
        """Draw what came after the last drawing."""
        if len(net.history) % self.every:
            self._draw(net)

    def _draw(self, net):
        import matplotlib.pyplot as plt
        from IPython.display import clear_output, display

        figure = HistoryDisplay(net.history_so_far()).plot().figure_
        clear_output(wait=True)
        display(figure)
        plt.close(figure)
