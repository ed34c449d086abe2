"""Labels from probabilities, for both clusterers."""

import numpy as np
from sklearn.base import ClusterMixin


class PosteriorMixin(ClusterMixin):
    """Mixin for clusterers that assign samples to their most probable cluster."""

    def predict(self, X) -> np.ndarray:
        """Assign samples to their most probable cluster.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        labels : ndarray of shape (n_samples,)
        """
        return self.predict_proba(X).argmax(axis=1)
