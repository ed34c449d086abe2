"""What both clusterers share: labels are the largest of their probabilities."""

import numpy as np
from sklearn.base import ClusterMixin


class PosteriorMixin(ClusterMixin):
    """A clusterer that assigns samples to their most probable cluster."""

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
