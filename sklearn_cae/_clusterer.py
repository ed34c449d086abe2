"""The estimator: its parameters, and Algorithm 1 of the paper as ``fit``."""

import warnings
from functools import partial
from numbers import Integral, Real

import torch
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    ClusterMixin,
    TransformerMixin,
    _fit_context,
    clone,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from . import _prototypes
from . import _training as training
from ._fitted import OUTPUTS, FittedMixin
from ._networks import build_networks
from ._random import draw_seed, forked_rng, local_random_state
from .augmentations import PRESETS

_FEW_SAMPLES = 16


class ContrastiveAutoencoderClusterer(
    FittedMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, BaseEstimator
):
    """Cluster images."""

    _parameter_constraints: dict = {
        "n_clusters": [Interval(Integral, 1, None, closed="left"), StrOptions({"elbow"})],
        "max_clusters": [Interval(Integral, 2, None, closed="left")],
        "embedding_dim": [Interval(Integral, 1, None, closed="left")],
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "assignment_temperature": [Interval(Real, 0, None, closed="neither")],
        "reconstruction_weight": [Interval(Real, 0, None, closed="left")],
        "warm_up_epochs": [Interval(Integral, 1, None, closed="left")],
        "conditioning_epochs": [Interval(Integral, 0, None, closed="left")],
        "batch_size": [Interval(Integral, 2, None, closed="left")],
        "optimizer": [StrOptions(set(training.OPTIMIZERS))],
        "learning_rate": [Interval(Real, 0, None, closed="neither"), None],
        "augmentation": [StrOptions(set(PRESETS)), callable],
        "encoder": [callable, None],
        "decoder": [callable, None],
        "clusterer": [HasMethods(["fit_predict", "get_params"]), None],
        "variational": ["boolean"],
        "kl_weight": [Interval(Real, 0, None, closed="left")],
        "image_shape": [tuple, list, None],
        "intensity_range": [tuple, list, None],
        "output": [StrOptions(set(OUTPUTS))],
        "device": [str, torch.device],
        "precision": [StrOptions({"auto", "float32", "bfloat16"})],
        "callbacks": [list, None],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        n_clusters="elbow",
        *,
        max_clusters=20,
        embedding_dim=128,
        temperature=0.5,
        assignment_temperature=0.1,
        reconstruction_weight=0.1,
        warm_up_epochs=50,
        conditioning_epochs=50,
        batch_size=256,
        optimizer="lars",
        learning_rate=None,
        augmentation="paper",
        encoder=None,
        decoder=None,
        clusterer=None,
        variational=False,
        kl_weight=1e-3,
        image_shape=None,
        intensity_range=None,
        output="soft_assignment",
        device="auto",
        precision="auto",
        callbacks=None,
        warm_start=False,
        random_state=None,
        verbose=0,
    ):
        self.n_clusters = n_clusters
        self.max_clusters = max_clusters
        self.embedding_dim = embedding_dim
        self.temperature = temperature
        self.assignment_temperature = assignment_temperature
        self.reconstruction_weight = reconstruction_weight
        self.warm_up_epochs = warm_up_epochs
        self.conditioning_epochs = conditioning_epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.augmentation = augmentation
        self.encoder = encoder
        self.decoder = decoder
        self.clusterer = clusterer
        self.variational = variational
        self.kl_weight = kl_weight
        self.image_shape = image_shape
        self.intensity_range = intensity_range
        self.output = output
        self.device = device
        self.precision = precision
        self.callbacks = callbacks
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    # ---- Fitting: Algorithm 1 of [1]_ ----

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Train the networks and find the prototypes.

        Parameters
        ----------
        X : array-like, tensor or DataFrame
            Training samples, in one of the forms listed at the top.
        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        self : ContrastiveAutoencoderClusterer

        Raises
        ------
        ValueError, TypeError
            Before training, if a parameter or X breaks a rule; during training, if the loss
            becomes NaN or infinite.

        Warns
        -----
        UserWarning
            If no elbow is found, or a batch has hardly a negative.
        ConvergenceWarning
            If a cluster holds over 95 % of the samples, clusters are empty, or the fit was
            interrupted.
        """
        X = self._check_input(X, reset=True)
        self._check_params_vs_input(X)
        rng = local_random_state(self.random_state)
        self._build_networks(X, rng)
        finished = self._warm_up(X, rng)  # phase one: update e, p, d
        embedding = self._embed(X)  # e is fixed from here on
        self._find_prototypes(embedding, rng)  # KMeans, elbow
        if finished and self.conditioning_epochs > 0:
            self._condition_decoder(X, rng)  # phase two: update d only
        self._describe_clusters(embedding)
        return self

    def _check_params_vs_input(self, X):
        if self.n_clusters != "elbow":
            if self.n_clusters > len(X):
                raise ValueError(
                    f"n_clusters must be at most n_samples={len(X)}, got {self.n_clusters}. Pass "
                    "fewer clusters or more samples."
                )
            if self.clusterer is not None and not _prototypes.number_parameter(self.clusterer):
                raise ValueError(
                    "n_clusters must stay 'elbow' with a clusterer that finds the number by "
                    f"itself, got {self.n_clusters} with {self.clusterer!r}. Leave it out."
                )
        batch = min(self.batch_size, len(X))
        if batch < _FEW_SAMPLES:
            warnings.warn(
                f"A batch of {batch} samples leaves the contrastive loss {2 * batch - 2} "
                "negatives for each view, hardly enough to learn from. Raise batch_size, or "
                "gather more samples.",
                UserWarning,
                stacklevel=3,
            )

    def _build_networks(self, X, rng):
        """Build new networks, or with `warm_start` go on with the fitted ones."""
        if self.warm_start and hasattr(self, "encoder_"):
            self.decoder_.condition = None  # of prototypes that are found anew
            return
        with forked_rng(draw_seed(rng)):
            networks = build_networks(
                X.format.image_shape,
                self.embedding_dim,
                encoder=self.encoder,
                decoder=self.decoder,
                variational=self.variational,
            )
        for name, network in networks.items():
            setattr(self, f"{name}_", network)

    def _warm_up(self, X, rng):
        """Update encoder, projection head and decoder; say whether the phase came to its end."""
        generator = torch.Generator().manual_seed(draw_seed(rng))
        module = training.ContrastiveAutoencoder(
            self.encoder_,
            self.projection_head_,
            self.decoder_,
            self.log_variance_head_,
            generator,
        )
        net = training.WarmUpNet(
            module,
            temperature=self.temperature,
            reconstruction_weight=self.reconstruction_weight,
            kl_weight=self.kl_weight,
            **self._net_params("warm_up", generator, first_epoch=0),
        )
        self.history_ = training.History()
        return self._train(net, X, "warm_up", rng)

    def _find_prototypes(self, embedding, rng):
        """Cluster the embeddings; the clusters' mean directions are the prototypes."""
        self.cluster_centers_, self.elbow_ = _prototypes.find_prototypes(
            embedding,
            self.clusterer,
            self.n_clusters,
            self.max_clusters,
            rng,
            verbose=self.verbose,
        )
        self.n_clusters_ = len(self.cluster_centers_)
        self.labels_ = self._assign(self._similarity(embedding)).argmax(axis=1)
        _prototypes.check_spread(self.labels_, self.n_clusters_)

    def _condition_decoder(self, X, rng):
        """Update the decoder under soft assignments; the encoder only encodes."""
        generator = torch.Generator().manual_seed(draw_seed(rng))
        self.decoder_.add_condition(self.n_clusters_)
        net = training.ConditioningNet(
            self.decoder_,
            encode=partial(
                training.encode, self.encoder_, self.log_variance_head_, generator=generator
            ),
            cluster_centers=torch.from_numpy(self.cluster_centers_),
            assignment_temperature=self.assignment_temperature,
            **self._net_params("conditioning", generator, first_epoch=self.warm_up_epochs),
        )
        self._train(net, X, "conditioning", rng)

    def _describe_clusters(self, embedding):
        """Fit the Gaussians that `sample` draws from, and whose means are decoded as prototypes."""
        self.embedding_means_, self.embedding_covariances_ = _prototypes.cluster_gaussians(
            embedding, self.labels_, self._posterior_variance(embedding)
        )

    def _net_params(self, phase, generator, *, first_epoch):
        """Parameters that the nets of both phases share."""
        device = training.choose_device(self.device)
        epochs = {"warm_up": self.warm_up_epochs, "conditioning": self.conditioning_epochs}
        return {
            "max_epochs": epochs[phase],
            "batch_size": self.batch_size,
            "optimizer": training.OPTIMIZERS[self.optimizer],
            "lr": 1.0,  # times the schedule's
            "device": device,
            "precision": training.choose_precision(self.precision, device),
            "iterator_train": training.ViewBatches,
            "iterator_train__augment": training.choose_views(
                self.augmentation, is_image=self.image_shape_ is not None
            ),
            "iterator_train__generator": generator,
            "iterator_train__device": device,
            "callbacks": training.phase_callbacks(
                phase,
                first_epoch=first_epoch,
                n_epochs=sum(epochs.values()),
                peak=self.learning_rate or training.PEAK_LEARNING_RATES[self.optimizer],
                verbose=self.verbose,
                user_callbacks=clone(self.callbacks or [], safe=False),
            ),
        }

    def _train(self, net, X, phase, rng):
        """Run a phase and log it; say whether it came to its end."""
        net.fit(X)
        net.module_.zero_grad(set_to_none=True)
        net.module_.eval()
        rows = training.epoch_history(phase, net.history, first_epoch=len(self.history_))
        self.history_.extend(rows)
        self.n_iter_ = len(self.history_)
        finished = len(rows) == len(net.history)
        if not finished:
            warnings.warn(
                f"The fit was interrupted after {len(rows)} of {net.max_epochs} epochs of the "
                f"phase {phase!r}. The estimator is usable as far as it came; fit again for all "
                "of it.",
                ConvergenceWarning,
                stacklevel=4,
            )
        return finished
