"""Methods of a fitted model: assign, embed, decode, sample."""

import copy
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin
from sklearn.utils import Bunch, check_array, check_scalar
from sklearn.utils._param_validation import validate_parameter_constraints
from sklearn.utils.deprecation import deprecated
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from ._grouping import assignment
from ._grouping.fixed import NO_PROJECTION, fixed_part, skip_fixed
from ._grouping.gaussians import ClusterGaussians
from ._grouping.members import find_typical
from ._grouping.novelty import FEWEST, Novelty
from ._grouping.saliency import Pull, to_maps
from ._input import arrays, checks, formats, looks
from ._processes import complete, share_of
from ._utils.devices import choose_device
from ._utils.random import local_random_state, plain_torch
from ._utils.warnings import warn
from .clusterers._silhouette import closest_two, simplified_silhouette

OUTPUTS = ("soft_assignment", "embedding", "projection", "distance")
_REDRAWS = 10
_READ_AFTER_FIT = ("assignment_temperature", "batch_size", "device", "output")
NETWORKS = ("encoder_", "projection_head_", "decoder_", "log_variance_head_")


@dataclass(frozen=True)
class FittedState:
    """Private parts of a fitted model, which saving and export use.

    Attributes
    ----------
    format : ImageFormat or VectorFormat
        Form of the samples, and their conversion to tensors and back.
    built_for : dict
        Values on which the networks depend.
    posterior : Posterior or None
        Soft assignment by the clusterer, with ``assignment="clusterer"``.
    gaussians : ClusterGaussians
        Distribution of the embeddings of each cluster.
    novelty : Novelty or None
        Measure of how unusual samples are; None after a fit on few samples.
    """

    format: formats.ImageFormat | formats.VectorFormat | None = None
    built_for: dict | None = None
    posterior: assignment.Posterior | None = None
    gaussians: ClusterGaussians | None = None
    novelty: Novelty | None = None


def fitted_state(estimator) -> FittedState:
    """Return the state of a fitted estimator; raise if it is not fitted."""
    estimator._check_fitted()
    return estimator._state


def _returns_embedding(estimator):
    if estimator.output != "embedding":
        raise AttributeError(
            "inverse_transform decodes embeddings and needs output='embedding', got "
            f"{estimator.output!r}. Use set_params(output='embedding'), or decode."
        )
    return True


def _is_on(network, device):
    """Return whether a network is on a device.

    A device without an index stands for all devices of its type. All tensors are checked, because
    another thread may be moving the network.
    """
    return all(
        tensor.device.type == device.type and device.index in (None, tensor.device.index)
        for tensor in _tensors_of(network)
    )


def _tensors_of(network):
    return chain(network.parameters(), network.buffers())


class FittedMixin(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin):
    """Methods of a fitted `ContrastiveAutoencoderClusterer`.

    They use its networks, `cluster_centers_`, and the format of the training samples.
    scikit-learn wraps `transform` for ``set_output`` in the class that defines `transform`, so this
    class has the mixins.
    """

    # ---- Assigning ----

    def predict(self, X, *, reject=None) -> np.ndarray:
        """Assign samples to their closest prototype by cosine, or by the rule in `assignment`.

        Parameters
        ----------
        X : array-like, tensor or DataFrame
            Samples in the form that was fitted.
        reject : float, default=None
            Share of samples like those of the fit that may be rejected, in (0, 1), such as 0.05.
            Samples whose `novelty` is at least 1 - `reject` belong to no cluster. None assigns all
            samples.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            Cluster of each sample, from 0 to `n_clusters_` - 1, or -1 for a rejected sample.
        """
        if reject is None:
            return self._labels_of(self._check_input(X))
        check_scalar(reject, "reject", Real, min_val=0, max_val=1, include_boundaries="neither")
        if np.isnan(reject):
            raise ValueError("reject must be a share in (0, 1), got nan. Pass 0.05, or None.")
        X, measure, label = self._check_input(X), self._novelty_measure(), self._labeller()
        labels, novelty = self._run(
            self.encoder_, X, then=lambda embedding: (label(embedding),), beside=measure
        )
        return np.where(novelty.numpy() >= 1 - reject, -1, labels.numpy())

    def novelty(self, X) -> np.ndarray:
        """Measure how unusual samples are, compared with the training samples.

        Scores are computed for each sample: the error of 20 principal components of the training
        samples, the same error relative to the contrast of the sample, the distance to the closest
        cluster in these components, and the sharpness of images, which may be too high or too low.
        The most unusual score counts. It is compared with the scores of training samples that were
        held back: components are fitted five times without a fifth of them.

        Networks are not used. They reconstruct their training samples far better than new ones, so
        that new samples of the same kind would look unusual.

        Parameters
        ----------
        X : array-like, tensor or DataFrame
            Samples in the form that was fitted.

        Returns
        -------
        novelty : ndarray of shape (n_samples,)
            Share in [0, 1) of the held-back training samples that are less unusual. Of new samples
            of the same kind, about 5 % reach 0.95. At most 1000 training samples are used, at 32
            pixels per side at most, volumes at 16 voxels.

        Raises
        ------
        ValueError
            If the fit had fewer than 40 samples, or the model was saved by an older version.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_cae import ContrastiveAutoencoderClusterer
        >>> from sklearn_cae.datasets import make_toy_images
        >>> X, _ = make_toy_images(60, random_state=0, return_X_y=True)
        >>> clusterer = ContrastiveAutoencoderClusterer(
        ...     n_clusters=3, warm_up_epochs=2, conditioning_epochs=0, random_state=0
        ... ).fit(X)
        >>> bool((clusterer.novelty(255 - X) > 0.95).all())
        True
        """
        X, measure = self._check_input(X), self._novelty_measure()
        return self._in_batches(measure, X).numpy()

    def predict_proba(self, X) -> np.ndarray:
        """Compute the soft assignment of samples.

        It is the softmax of the cosines to the prototypes, divided by `assignment_temperature`.
        With ``assignment="clusterer"`` it is the ``predict_proba`` of the clusterer.

        Parameters
        ----------
        X : array-like, tensor or DataFrame
            Samples in the form that was fitted.

        Returns
        -------
        soft_assignment : ndarray of shape (n_samples, `n_clusters_`)
            Shares in [0, 1]; each row sums to 1.
        """
        return self._assignment_of(self._check_input(X))

    def assign(self, X) -> Bunch:
        """Embed and assign samples in one pass over `X`.

        Every other method reads and encodes `X` again. Use this method if you need several results.

        Parameters
        ----------
        X : array-like, tensor or DataFrame
            Samples in the form that was fitted.

        Returns
        -------
        assigned : Bunch
            Results, with the attributes

            labels : ndarray of shape (n_samples,)
                Clusters, as from `predict`.
            similarity : ndarray of shape (n_samples,)
                Cosine to the prototype of the sample's own cluster, in [-1, 1].
            margin : ndarray of shape (n_samples,)
                Margins, as from `margin`.
            soft_assignment : ndarray of shape (n_samples, `n_clusters_`)
                Soft assignment, as from `predict_proba`.
            embedding : ndarray of shape (n_samples, embedding_dim), float32
                Embedding, as from `embed`.
            novelty : ndarray of shape (n_samples,) or None
                Novelty, as from `novelty`; None if it cannot be measured.
        """
        answer = self._answerer()
        answers = self._run(
            self.encoder_,
            self._check_input(X),
            then=lambda embedding: (*answer(embedding), embedding),
            beside=self._state.novelty,
        )
        names = ("labels", "similarity", "margin", "soft_assignment", "embedding", "novelty")
        found = {name: each.numpy() for name, each in zip(names, answers, strict=False)}
        return Bunch(**{"novelty": None, **found})

    def transform(self, X) -> np.ndarray:
        """Compute the soft assignment, embedding, projection or distance, as `output` says.

        Parameters
        ----------
        X : array-like, tensor or DataFrame
            Samples in the form that was fitted.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_features_out), float32
            One of these results:

            - "soft_assignment": shares as from `predict_proba`, (n_samples, `n_clusters_`).
            - "distance": cosine distances to the prototypes in [0, 2], (n_samples, `n_clusters_`).
            - "embedding": embedding as from `embed`, (n_samples, embedding_dim).
            - "projection": output of the projection head, (n_samples, 128).
        """
        X = self._check_input(X)
        if self.output == "embedding":
            return self._embed(X)
        if self.output == "projection":
            if fixed_part(self.encoder_):
                raise ValueError(NO_PROJECTION)
            return self._run(self.projection_head_, torch.from_numpy(self._embed(X))).numpy()
        if self.output == "distance":
            return np.maximum(1 - self._similarity_of(X), 0)  # rounded cosines can exceed 1
        return self._assignment_of(X)

    def embed(self, X) -> np.ndarray:
        """Compute the embedding of samples, for any `output`.

        Parameters
        ----------
        X : array-like, tensor or DataFrame
            Samples in the form that was fitted.

        Returns
        -------
        embedding : ndarray of shape (n_samples, embedding_dim), float32
            Output of the encoder. In the variational setting it is the mean.
        """
        return self._embed(self._check_input(X))

    def margin(self, X) -> np.ndarray:
        """Measure how clearly each sample belongs to its cluster.

        Parameters
        ----------
        X : array-like, tensor or DataFrame
            Samples in the form that was fitted.

        Returns
        -------
        margin : ndarray of shape (n_samples,)
            Cosine to the closest prototype minus the cosine to the second closest, in [0, 2],
            for any `assignment`. A low margin marks a doubtful sample. It is 0 if there is only
            one prototype.
        """
        own, next_ = closest_two(self._similarity_of(self._check_input(X)))
        return own - next_

    @deprecated("It was renamed to margin, and will be removed in 0.2.")
    def score_samples(self, X) -> np.ndarray:
        """Return the `margin` of samples, under its old name.

        Parameters
        ----------
        X : array-like, tensor or DataFrame
            Samples in the form that was fitted.

        Returns
        -------
        margin : ndarray of shape (n_samples,)
        """
        return self.margin(X)

    def score(self, X, y=None) -> float:
        """Compute the mean simplified silhouette: high if clusters are well separated.

        Parameters
        ----------
        X : array-like, tensor or DataFrame
            Samples in the form that was fitted.
        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        score : float
            Mean silhouette in [0, 1]. It is 0 if there is only one prototype.
        """
        similarity = self._similarity_of(self._check_input(X))
        return float(simplified_silhouette(similarity).mean())

    def representatives(self, X, n=5) -> list[np.ndarray]:
        """Find the most typical members of each cluster.

        Parameters
        ----------
        X : array-like, tensor or DataFrame
            Samples in the form that was fitted.
        n : int, default=5
            Maximum number of members per cluster.

        Returns
        -------
        indices : list of `n_clusters_` ndarrays of shape (<= n,)
            Indices into X, with the member closest to the prototype first. The array is empty if a
            cluster has no members in X.
        """
        check_scalar(n, "n", Integral, min_val=1)
        X, answer = self._check_input(X), self._answerer()
        labels, similarity, *_ = self._run(
            self.encoder_, X, then=lambda embedding: answer(embedding)[:2]
        )
        return find_typical(similarity.numpy(), labels.numpy(), self.n_clusters_, n)

    def saliency(self, X) -> np.ndarray:
        """Show which pixels pull each image to the prototype of its cluster.

        It is the absolute gradient of the cosine between embedding and prototype with respect to
        the pixels or voxels [1]_, summed over channels, and smoothed by 1/32 of a side. It tells
        where a small change of the image changes this cosine most. It does not tell whether
        brighter or darker pixels are closer to the prototype, or what the other clusters lack.

        Parameters
        ----------
        X : array-like or tensor
            Images in the form that was fitted.

        Returns
        -------
        saliency : ndarray of shape (n_samples, H, W), or (n_samples, D, H, W) for volumes, float32
            Saliency in [0, 1]. The maximum of each image is 1, so that images cannot be compared by
            it. It is 0 everywhere if the cosine does not depend on the image.

        Raises
        ------
        ValueError
            If the samples are vectors, or the encoder does not compute gradients.

        References
        ----------
        .. [1] Simonyan, Vedaldi and Zisserman, "Deep inside convolutional networks: visualising
           image classification models and saliency maps", ICLR workshop, 2014.

        Examples
        --------
        >>> from sklearn_cae import ContrastiveAutoencoderClusterer
        >>> from sklearn_cae.datasets import make_toy_images
        >>> X, y = make_toy_images(60, random_state=0, return_X_y=True)
        >>> clusterer = ContrastiveAutoencoderClusterer(
        ...     n_clusters=3, warm_up_epochs=2, conditioning_epochs=1, random_state=0
        ... ).fit(X)
        >>> clusterer.saliency(X[:5]).shape
        (5, 16, 16)
        """
        self._check_fitted()
        if self.image_shape_ is None:
            raise ValueError(
                "saliency needs images, but the estimator was fitted on vectors. If the rows are "
                "images, fit with image_shape=(channels, height, width)."
            )
        pull = Pull(self.encoder_, self._labeller(), self._comparer())
        return to_maps(self._run(pull, self._check_input(X)).numpy())

    # ---- Decoding ----

    def decode(self, embedding) -> np.ndarray:
        """Decode embeddings, with their own soft assignment.

        Parameters
        ----------
        embedding : array-like of shape (n_samples, embedding_dim)
            Embeddings, as from `embed`.

        Returns
        -------
        X : ndarray of shape (n_samples, ...), float32
            Samples with the shape and the intensity scale of the training samples, within
            `intensity_range_`.
        """
        self._check_fitted()
        # Copy, because torch accepts neither negative strides nor read-only arrays.
        embedding = arrays.as_samples(embedding, "embedding")
        embedding = check_array(
            embedding, dtype=np.float32, order="C", copy=True, input_name="embedding"
        )
        embedding_dim = self.cluster_centers_.shape[1]
        if embedding.shape[1] != embedding_dim:
            raise ValueError(
                f"embedding must have embedding_dim={embedding_dim} columns, got "
                f"{embedding.shape[1]}. Pass the result of embed."
            )
        embedding = torch.from_numpy(embedding)
        soft_assignment = self._in_batches(self._assigner(), embedding)
        return self._state.format.to_array(self._run(self.decoder_, embedding, soft_assignment))

    @available_if(_returns_embedding)
    def inverse_transform(self, X) -> np.ndarray:
        """Decode embeddings; only available with ``output="embedding"``.

        Parameters
        ----------
        X : array-like of shape (n_samples, embedding_dim)

        Returns
        -------
        X_original : ndarray of shape (n_samples, ...), float32
        """
        return self.decode(X)

    def reconstruct(self, X) -> np.ndarray:
        """Encode and decode samples.

        Parameters
        ----------
        X : array-like, tensor or DataFrame
            Samples in the form that was fitted.

        Returns
        -------
        reconstruction : ndarray of the shape of X, float32
            Decoded samples, on the intensity scale of X.
        """
        return self.decode(self._embed(self._check_input(X)))

    def decode_prototypes(self) -> np.ndarray:
        """Decode the mean embedding of each cluster, as its typical sample.

        Returns
        -------
        X : ndarray of shape (`n_clusters_`, ...), float32
            Samples with the shape and the intensity scale of the training samples.
        """
        check_is_fitted(self)
        return self.decode(self.embedding_means_)

    def sample(self, n_samples=1, cluster=None, random_state=None) -> tuple[np.ndarray, np.ndarray]:
        """Draw new samples, from all clusters or from one.

        Embeddings are drawn from one Gaussian per cluster, and decoded. The Gaussian has the mean
        and the shrunk covariance of the cluster's embeddings. In the variational setting it is the
        aggregated posterior N(mean mu, Cov(mu) + mean diag(sigma^2)). If an embedding is assigned
        to another cluster, it is drawn again, at most 10 times.

        Parameters
        ----------
        n_samples : int, default=1
            Number of samples, at least 1.
        cluster : int, default=None
            Cluster to draw from, 0 to `n_clusters_` - 1. None draws from all clusters, in
            proportion to their sizes in training.
        random_state : int, RandomState instance or None, default=None
            Seed of the samples. None gives different results on each call.

        Returns
        -------
        X : ndarray of shape (n_samples, ...), float32
            Samples with the shape and the intensity scale of the training samples. If these were
            integers, `predict` accepts ``X.round().astype(dtype)``.
        labels : ndarray of shape (n_samples,)
            Cluster from which each sample was drawn, in ascending order.
        """
        self._check_fitted()
        check_scalar(n_samples, "n_samples", Integral, min_val=1)
        rng = local_random_state(random_state)
        if cluster is None:
            counts = rng.multinomial(n_samples, np.bincount(self.labels_) / len(self.labels_))
        else:
            check_scalar(cluster, "cluster", Integral, min_val=0, max_val=self.n_clusters_ - 1)
            counts = np.bincount([cluster] * n_samples, minlength=self.n_clusters_)
        embedding = [self._draw(label, count, rng) for label, count in enumerate(counts) if count]
        return self.decode(np.concatenate(embedding)), np.repeat(np.arange(len(counts)), counts)

    def _draw(self, label, count, rng):
        """Draw embeddings (count, embedding_dim) of a cluster from its Gaussian."""
        mean = self.embedding_means_[label].astype(np.float64)
        drawn = mean + self._state.gaussians.draw(label, count, rng)
        for _ in range(_REDRAWS):
            assigned = self._closest(drawn.astype(np.float32))
            strays = np.flatnonzero(assigned != label)
            if len(strays) == 0:
                break
            drawn[strays] = mean + self._state.gaussians.draw(label, len(strays), rng)
        return drawn

    @property
    def embedding_covariances_(self) -> np.ndarray:
        """Covariances of the embeddings of each cluster; see the attributes of the class."""
        if not self.__sklearn_is_fitted__():
            raise AttributeError(
                f"This {type(self).__name__} has no embedding_covariances_ before it is fitted."
            )
        return self._state.gaussians.covariances()

    # ---- Steps that `fit` uses too ----

    def _keep(self, **parts):
        """Replace parts of the state. A copy of this model does not change."""
        self._state = replace(vars(self).get("_state", FittedState()), **parts)

    def _check_fitted(self):
        """Raise if the model is not fitted, or if a parameter that was set later breaks a rule."""
        check_is_fitted(self)
        validate_parameter_constraints(
            {name: self._parameter_constraints[name] for name in _READ_AFTER_FIT},
            {name: getattr(self, name) for name in _READ_AFTER_FIT},
            caller_name=type(self).__name__,
        )

    def _check_input(self, X, *, reset=False):
        """Check X, and unless `reset` is True, compare it with the X of `fit`."""
        if not reset:
            self._check_fitted()
        return self._read_input(X, reset)

    def _read_input(self, X, reset):
        X = arrays.as_samples(X)
        is_image = (
            checks.holds_images(X, self.image_shape, self.spatial_dims)
            if reset
            else self.image_shape_ is not None
        )
        X = self._check_images(X, reset) if is_image else self._check_vectors(X, reset)
        return formats.Samples(X, self._state.format)

    def _check_vectors(self, X, reset):
        X = validate_data(
            self,
            X,
            reset=reset,
            dtype=[np.float64, np.float32],
            ensure_min_samples=2 if reset else 1,
        )
        if reset:
            self._keep(format=checks.infer_vector_format(X))
            self.image_shape_ = self.intensity_range_ = None
        else:
            self._state.format.check_new(X)
        return X

    def _check_images(self, X, reset):
        given, X = X, arrays.check_image_array(X, self, minimum=2 if reset else 1)
        if reset:
            format = checks.infer_image_format(
                X, self.image_shape, self.intensity_range, self.spatial_dims
            )
            self._check_names(given, reset)
            self.n_features_in_ = int(np.prod(format.image_shape))
            self.image_shape_ = format.image_shape
            self.intensity_range_ = format.intensity_range
            self._keep(format=format)
            if hint := looks.hint(X, format.image_shape, format.channels_last):
                warn(hint, UserWarning)
            return X
        if X.ndim == 2:
            self._check_names(given, reset)
        share = self._state.format.check_new(X)
        if share > 0:
            warn(
                f"X has intensities outside the intensity_range_ {self.intensity_range_} of the "
                f"training images: {100 * share:.3g} % of them are clipped. Check that X is on the "
                "same scale.",
                UserWarning,
            )
        return X

    def _check_names(self, X, reset):
        """Store or compare the column names of flat images; other images have no names."""
        # The format checks the number of columns, because it knows the shape of an image.
        validate_data(self, X, reset=reset, skip_check_array=True, ensure_2d=False)

    def _embed(self, X):
        """Compute the embedding of `Samples`, float32 (n_samples, embedding_dim)."""
        return self._run(self.encoder_, X).numpy()

    def _posterior_variance(self, embedding):
        """Return the variances of the posteriors, (n_samples, embedding_dim), or None."""
        if self.log_variance_head_ is None:
            return None
        return self._run(self.log_variance_head_, torch.from_numpy(embedding)).exp().numpy()

    def _run(self, network, *inputs, then=None, beside=None):
        """Run a network in float32 and in batches over `Samples` or tensors of equal length.

        If `then` is a function, it is applied to the output of each batch. Its result, one tensor
        or several, replaces the output. If `beside` is a function, it is applied to each batch of
        inputs, and its result is added to the results of `then`. What a fixed encoder computes is
        not computed again during a fit.
        """
        network, inputs = skip_fixed(network, inputs)
        device = choose_device(self.device)
        if not _is_on(network, device):  # a model that was loaded is on the CPU
            network.to(device)
        device = next((tensor.device for tensor in _tensors_of(network)), device)  # with its index

        def run(*batch):
            output = network(*(each.to(device) for each in batch)).cpu()
            output = output if then is None else then(output)
            return output if beside is None else (*output, beside(*batch))

        return self._in_batches(run, *inputs)

    def _in_batches(self, function, *inputs):
        """Apply a function to batches of `Samples` or tensors of equal length.

        In a fit of several processes, each computes its share of the batches.
        """
        n_samples, outputs, output = len(inputs[0]), None, None
        starts = share_of(range(0, n_samples, self.batch_size))
        with plain_torch(), torch.no_grad():
            for start in starts:
                batch = slice(start, start + self.batch_size)
                output = function(*(each[batch] for each in inputs))
                made = output if isinstance(output, tuple) else (output,)
                # Allocate one block for all batches: small blocks would fragment the memory.
                if outputs is None:
                    outputs = tuple(each.new_empty((n_samples, *each.shape[1:])) for each in made)
                for all_of_it, each in zip(outputs, made, strict=True):
                    all_of_it[batch] = each
        outputs = complete(outputs, starts.start, min(starts.stop, n_samples))
        return outputs if isinstance(output, tuple) else outputs[0]

    def _novelty_measure(self):
        """Return the measure of `novelty`; raise if there is none."""
        if self._state.novelty is None:
            raise ValueError(
                f"novelty needs a fit on at least {FEWEST} samples, by a version of this package "
                f"that measures it, got a fit on {len(self.labels_)} samples. Fit again, with more "
                "samples if there were fewer."
            )
        return self._state.novelty

    def _similarity_of(self, X):
        """Compute the cosines of `Samples` to the prototypes, (n_samples, `n_clusters_`)."""
        return self._run(self.encoder_, X, then=self._comparer()).numpy()

    def _assignment_of(self, X):
        """Compute the soft assignments of `Samples`, (n_samples, `n_clusters_`)."""
        return self._run(self.encoder_, X, then=self._assigner()).numpy()

    def _labels_of(self, X):
        """Compute the clusters of `Samples`, (n_samples,), without keeping soft assignments."""
        return self._run(self.encoder_, X, then=self._labeller()).numpy()

    def _closest(self, embedding):
        """Compute the clusters of embeddings, in the batches of `_labels_of` so that both agree."""
        return self._in_batches(self._labeller(), torch.from_numpy(embedding)).numpy()

    def _answerer(self):
        """Return a function from embeddings to labels, own cosines, margins, soft assignments."""
        compare, posterior = self._comparer(), self._state.posterior
        temperature = float(self.assignment_temperature)

        def answer(embedding):
            similarity = compare(embedding)
            if posterior is None:
                labels = similarity.argmax(dim=1)
                soft_assignment = assignment.soft_assignment(similarity, temperature)
            else:
                soft_assignment = posterior(embedding)
                labels = soft_assignment.argmax(dim=1)
            closest, next_ = closest_two(similarity.numpy())
            own = similarity.gather(1, labels[:, None])[:, 0]
            return labels, own, torch.from_numpy(closest - next_), soft_assignment

        return answer

    def _labeller(self):
        """Return a function from embeddings to clusters: the closest, or the most probable ones."""
        # The soft assignment is not used: a high temperature rounds cosines to the same share.
        compare = self._state.posterior or self._comparer()
        return lambda embedding: compare(embedding).argmax(dim=1)

    def _assigner(self, device="cpu"):
        """Return a function from embeddings to soft assignments, tensors on a device."""
        if self._state.posterior is not None:
            return self._state.posterior
        return partial(
            assignment.assign_by_cosine,
            cluster_centers=torch.tensor(self.cluster_centers_, device=device),
            assignment_temperature=float(self.assignment_temperature),
        )

    def _comparer(self):
        """Return a function from embeddings on the CPU to their cosines to the prototypes."""
        return partial(
            assignment.cosine_similarity,
            cluster_centers=torch.tensor(self.cluster_centers_, device="cpu"),
        )

    @property
    @deprecated("It was renamed to search_, and will be removed in 0.2.")
    def elbow_(self) -> dict | None:
        """Record of the search for an elbow, under its old name; None if there was none."""
        return self.search_ if self.search_ and "knee" in self.search_ else None

    # ---- Protocol of scikit-learn ----

    @property
    def _n_features_out(self):
        """Number of columns that `transform` returns, for `get_feature_names_out`."""
        if not self.__sklearn_is_fitted__():
            raise AttributeError("_n_features_out is only known after a complete fit")
        if self.output == "embedding":
            return self.cluster_centers_.shape[1]
        if self.output == "projection":
            return self.projection_head_[-1].out_features
        return self.n_clusters_

    def __sklearn_is_fitted__(self):
        """Return whether a fit is complete."""
        return hasattr(self, "n_iter_")

    def __getstate__(self):
        """Return the state with the networks on the CPU, so that it loads on any machine."""
        state = dict(super().__getstate__())  # a copy, because it may be this object's __dict__
        for name in NETWORKS:
            network = state.get(name)
            if network is not None and not _is_on(network, torch.device("cpu")):
                state[name] = copy.deepcopy(network).cpu()
        return state

    def __sklearn_tags__(self):
        """Return the tags: X may have three or more dimensions, and outputs are float32."""
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = []
        return tags
