"""Warnings that point to a line of the user's code."""

import sys
import warnings
from pathlib import Path

#: Packages between the user's line and ours: decorators, searches, pipelines, training loops.
_BETWEEN = {"contextlib", "joblib", "sklearn", "sklearn_cae", "skorch", "torch", "tqdm"}


def warn(message, category):
    """Warn at the innermost line that is outside this package and the packages that call it.

    If there is no such line (in a worker process), warn at the outermost line.

    Parameters
    ----------
    message : str
    category : type
        A subclass of Warning.
    """
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and _package_of(frame) in _BETWEEN:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def _package_of(frame):
    """Return the name of the package, or of the module, that contains the code of a frame."""
    return frame.f_globals.get("__name__", Path(frame.f_code.co_filename).stem).split(".")[0]
