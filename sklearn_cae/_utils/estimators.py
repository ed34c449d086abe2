"""Checks of estimators that users pass."""

from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

_CLUSTERER = "ContrastiveAutoencoderClusterer"


def check_fitted(estimator, *needed, kind=_CLUSTERER):
    """Raise if an estimator is a pipeline, is not fitted, or lacks a name that it needs.

    Other estimators of the same names are welcome, so the class itself is not checked.
    """
    if isinstance(estimator, Pipeline):
        raise TypeError(
            f"estimator must be a fitted {kind}, got a Pipeline. Pass its last step, pipeline[-1]. "
            "Pass X as this step gets it, pipeline[:-1].transform(X)."
        )
    check_is_fitted(estimator)
    missing = next((name for name in needed if not hasattr(estimator, name)), None)
    if missing is not None:
        raise TypeError(
            f"estimator must be a fitted {kind}, got {type(estimator).__name__} without {missing}. "
            f"Fit a {kind}, and pass it."
        )
