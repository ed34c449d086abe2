"""The estimator: its parameters, and Algorithm 1 of the paper as ``fit``."""

import copy
import os
import warnings
from functools import partial
from numbers import Integral, Real
from typing import Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, _fit_context
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import normalize
from sklearn.utils._param_validation import HasMethods, Interval, Options, StrOptions
from torch.utils.data import Subset

from ._fitted import NETWORKS, OUTPUTS, FittedMixin
from ._grouping import assignment, gaussians, neighbors, search
from ._grouping.fixed import has_correction, with_correction
from ._grouping.novelty import Novelty
from ._grouping.whitening import change_basis, whitening
from ._input.nuisances import encode_nuisances
from ._input.passes import fingerprint
from ._processes import check_alike, is_first, n_processes, on_first, share_weights, together
from ._storage.checkpoint import Checkpoint
from ._storage.fingerprint import describe, digest, fingerprint_start
from ._training import batches, phases
from ._training.across import find_apart
from ._training.frozen import (
    check_fixed,
    embed_once,
    embedded_batches,
    neighboring_embeddings,
)
from ._training.networks import build_networks
from ._training.own_callbacks import CallbackParamsMixin, check_callbacks
from ._training.resume import tells_what_is_kept
from ._training.tasks import CallbackSupportMixin, FitTasks
from ._training.trainer import OPTIMIZERS, Trainer, check_batch_size, describe_run
from ._utils.random import draw_seed, forked_rng, local_random_state, plain_torch
from ._utils.warnings import warn
from .augmentations import PRESETS
from .backbones import is_named
from .clusterers._steps import mean_directions
from .modules import LinearDecoder

#: Parameters that may differ between the processes of one fit.
_MAY_DIFFER = {"callbacks", "checkpoint_dir", "device", "output", "verbose"}
_KL_WEIGHT = 1e-3  # for ``variational=True``
_SMALLEST = float(np.finfo(np.float32).tiny)  # smallest number that is not 0 on any device


class ContrastiveAutoencoderClusterer(
    CallbackSupportMixin, CallbackParamsMixin, FittedMixin, BaseEstimator
):
    """Cluster images without labels, and decode the clusters.

    This is Algorithm 1 of [1]_. First, an autoencoder is trained with a contrastive loss on two
    random views of each image (warm-up). Then its embeddings are clustered, and each cluster gets a
    prototype. Finally, the decoder is trained with the soft assignment to the prototypes as an
    additional input (conditioning). Optionally, encoder and prototypes are refined together before
    the conditioning. A fitted model assigns, embeds and reconstructs images, decodes the typical
    image of each cluster, and draws new images.

    The shape of images is (n, H, W), (n, C, H, W) or (n, H, W, C), or (n, n_features) if they are
    flat rows with `image_shape`. Images have sides of 8 to 512 pixels and 1 to 4 channels. Their
    type is any integer type, bool or float. They are arrays, torch tensors or lists of PIL images,
    in memory or mapped from a file. Flat rows without `image_shape` are vectors (arrays or
    DataFrames). They are standardised, and their networks are multilayer perceptrons.

    With ``spatial_dims=3``, samples are volumes: (n, D, H, W), (n, C, D, H, W), (n, D, H, W, C), or
    flat rows with `image_shape`. Volumes have sides of 8 to 128 voxels. Their networks and views
    are three-dimensional, and all results that are images, such as prototypes, are volumes.

    The parameters form six groups: the clusters (`n_clusters` to `refinement_epochs`), the
    networks (`embedding_dim` to `variational`), the objective (`temperature` to `augmentation`),
    its optimisation (`warm_up_epochs` to `learning_rate`), the samples (`image_shape` and
    `intensity_range`), and how the fit runs (`output` to `verbose`).

    Parameters
    ----------
    n_clusters : int, "elbow" or "auto", default="elbow"
        Number of clusters, or how it is found:

        - int: this number of clusters. If some are empty, for example after the refinement, they
          are dropped with a warning.
        - "elbow": the number at the elbow of the inertia, by
          :class:`~sklearn_cae.clusterers.ElbowClusterer`. If `clusterer` has a number of clusters
          that differs from its default, such as ``KMeans(7)``, this number is used without a
          search. ``KMeans(8)`` is searched, because 8 is its default: pass ``n_clusters=8``.
        - "auto": the number that `clusterer` finds. By default it is the most stable number of
          communities of neighbours, by :class:`~sklearn_cae.clusterers.CommunityClusterer`.

        At most 20 000 samples, drawn at random, are clustered. All samples are assigned.
    clusterer : estimator, default=None
        Clusterer of the normalised embeddings. None is KMeans for an int `n_clusters`,
        `ElbowClusterer` for "elbow" and `CommunityClusterer` for "auto". If it, or the last step of
        a pipeline, has a parameter `n_clusters` or `n_components`, an int `n_clusters` is copied
        into that parameter, and with "elbow" several values of it are tried. Its other parameters
        are ``clusterer__NAME``, such as ``clusterer__max_clusters`` of `CommunityClusterer`, if it
        is not None. A clusterer of another package needs `fit_predict` and scikit-learn's
        `get_params`. The mean directions of the clusters become the prototypes. Samples with
        negative labels (noise) go to the closest prototype.
    assignment : {"cosine", "clusterer"}, default="cosine"
        Rule that assigns samples to clusters: the cosine to the prototypes, or the
        ``predict_proba`` of the clusterer, if samples need not be closest to their own prototype.
    assignment_temperature : float, default=0.1
        Positive divisor of the cosines in the soft assignment. Without refinement it changes no
        label. The refinement trains with it, so it can change labels there. Above about 1e5 all
        shares are equal, because float32 has no more digits.
    whiten : bool, default=False
        Whether the basis of the embedding is changed after the warm-up, so that its principal
        components count more alike: their standard deviations are replaced by the square roots of
        these. Groups that differ in directions of little variance are then found more easily, and
        groups that differ in directions of much variance stand out less. It helps clusterers that
        look at neighbours. It cannot be combined with `variational`.
    refinement_epochs : int, default=0
        Number of epochs in which encoder and prototypes are trained together, so that views of
        neighbours agree on their cluster [2]_, starting from the labels of the clusterer. The
        optimizer is AdamW with a learning rate of 1e-4 for the encoder and 1e-2 for the prototypes,
        for any `optimizer` and `learning_rate`. Clusters tend to keep the sizes that the clusterer
        found; a cluster that loses all its members is dropped. The projection head is not trained
        again, and the decoder is trained again only if `conditioning_epochs` > 0. It cannot be
        combined with `variational`.
    embedding_dim : int, default=128
        Number of dimensions of the embedding.
    encoder : callable or str, default=None
        Network from samples to the embedding:

        - None: the paper's encoder, or a multilayer perceptron for vectors.
        - str: the name of a model of torchvision, such as "resnet18", or of timm, such as
          "timm:resnet18.a1_in1k", with a linear layer in place of its classifier.
          :class:`~sklearn_cae.backbones.Backbone` takes its weights from a file.
        - callable: a factory of an ``nn.Module`` from (n, C, H, W), or (n, C, D, H, W) for volumes,
          to (n, embedding_dim). It is called with the keywords `image_shape` and `embedding_dim`,
          if its signature has them. Each fit trains a copy of the module that it returns: with
          ``lambda: backbone`` every fit starts from the weights of ``backbone``, and does not
          change them.
    train_encoder : bool or float, default=True
        Whether the encoder is trained, and how fast:

        - True: it is trained like the other networks.
        - float in (0, 1]: its learning rate, as a share of that of the other networks, such as 0.1
          for an encoder that was trained on other images.
        - False: it is fixed, in eval mode. It may return features of any shape, (n, ...), and is
          run once for each training sample, and for four views of at most 500 of them. The
          embedding is a linear map of the features, in which images differ, and views of one image
          hardly do. If there are fewer components than dimensions, the other dimensions are 0. The
          warm-up trains only the decoder, on the samples themselves; `temperature` and
          `reconstruction_weight` are not used. The refinement trains a small network that is added
          to the embedding. With `checkpoint_dir`, the embedding is kept in that folder, and other
          fits with the same encoder, views and samples use it. It cannot be combined with
          `variational`, or with an `output` of "projection".
    decoder : callable, default=None
        Factory of an ``nn.Module`` from (n, embedding_dim) to (n, C, H, W), or (n, C, D, H, W) for
        volumes, called and copied like `encoder`.
    variational : bool or float, default=False
        Weight of a KL term in the reconstruction loss, for an encoder that returns a distribution.
        True is 1e-3; False is an ordinary encoder. The KL term is a mean over the dimensions of
        the embedding, and the reconstruction loss a mean over pixels; `reconstruction_weight`
        multiplies both. The weight is reached linearly over the warm-up.
    temperature : float, default=0.5
        Positive divisor of the cosines in the contrastive loss.
    reconstruction_weight : float, default=0.1
        Weight of the reconstruction loss in the warm-up, at least 0.
    augmentation : str or callable, default="paper"
        Random views of each sample:

        - "paper": rotations up to 30 degrees, crops, flips, blur and noise. Volumes are rotated
          about any axis, and flipped along the last one, W.
        - "xray", "slices": gentler, without flips.
        - "microscopy", "fundus", "skin": any rotation, flips, and slightly other colours.
        - "ultrasound": small rotations, flips, and other intensities.
        - "digits": as "paper", without flips.
        - "vector": noise and masked features; "paper" means the same for vectors.
        - callable: it takes a batch, a tensor (n, C, ...) in [0, 1] or (n, n_features) on the
          device of the fit, and returns its views. A transform that draws one set of parameters
          per call, such as one of torchvision, should be applied per image. If it has a method
          `set_random_state`, such as one of MONAI, a copy of it is seeded for each batch.
    warm_up_epochs : int, default=50
        Number of epochs of phase one, at least 1.
    conditioning_epochs : int, default=50
        Number of epochs of phase two. With 0 it is left out. The learning rate follows one curve
        over both phases.
    batch_size : int, default=256
        Number of samples per step, at least 2. Two views are drawn per sample. Inference uses the
        same batch size.
    optimizer : {"lars", "adamw"}, default="lars"
        LARS, for large batches, as in the paper (trust coefficient 0.02), or AdamW, which also
        works with small batches.
    learning_rate : float, default=None
        Peak of the learning rate. None is 0.25 for LARS and 1e-3 for AdamW.
    image_shape : tuple of int, default=None
        Shape of one image in flat rows: (H, W), (C, H, W) or (H, W, C). For volumes there is an
        axis D before H.
    spatial_dims : {2, 3}, default=2
        Number of axes besides the channels: 2 for images, 3 for volumes. It is never guessed,
        because (n, 4, 64, 64) may hold four channels or four slices.
    intensity_range : tuple of float, default=None
        (low, high) of the intensities of the images. None is the full range for uint8 and bool,
        and the minimum and maximum of the training images for other types.
    output : {"soft_assignment", "embedding", "projection", "distance"}, default="soft_assignment"
        Kind of output of `transform`. `fit` does not use it, so ``set_params`` can change it on a
        fitted model. `inverse_transform` exists only with "embedding".
    device : str or torch.device, default="auto"
        Device of the networks. "auto" is CUDA if there is one, then MPS, then the CPU.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Precision of the networks in training. Losses and inference use float32, on a GPU as torch
        is set (``torch.backends.cudnn.allow_tf32``). "auto" is bfloat16 if the device multiplies it
        in hardware.
    callbacks : list of skorch callbacks, default=None
        Callbacks of skorch, the package that runs the training, or tuples of a name and a callback.
        There is no validation data: pass ``EarlyStopping(monitor="train_loss")``. Their parameters
        are ``callbacks__NAME__PARAMETER``; a callback without a name has the name of its class.
        None in place of a callback leaves it out. Each phase clones them. Their state must be in
        attributes with a trailing underscore, as in the callbacks of skorch. A callback acts only
        in phases whose history has the column that it monitors. With scikit-learn 1.9,
        `set_callbacks` also takes callbacks of scikit-learn, which follow phases and epochs.
    checkpoint_dir : str or path-like, default=None
        Folder that keeps every epoch, in a subfolder named by the fingerprint of parameters
        and data. A fit with the same parameters and data resumes from it, to the same bits; if that
        fit was finished, it is loaded. If the folder is such a subfolder itself, it must be the one
        of this fit. Callables are identified by their names, not by their code.
    warm_start : bool, default=False
        Whether `fit` starts from the fitted weights. Pass the same `intensity_range` in both fits,
        unless images are uint8 or bool. Prototypes are found again. A cluster keeps
        its number if it shares samples of X with a cluster of the previous fit: pairs are formed so
        that they share the most samples, and numbers stay contiguous from 0.
    random_state : int, RandomState instance or None, default=None
        Seed of all random numbers of the fit. None gives different results on each call. Global
        generators are not changed.
    verbose : int, default=0
        Whether progress bars are shown for the phases, for the search, and while a fixed encoder
        embeds the samples.

    Attributes
    ----------
    cluster_centers_ : ndarray of shape (`n_clusters_`, embedding_dim)
        The prototypes, of unit length: the mean directions of the clusters, which the refinement
        trains further.
    labels_ : ndarray of shape (n_samples,)
        Cluster of each training sample, equal to its ``predict``.
    n_clusters_ : int
        Number of clusters found.
    clusterer_ : estimator
        The fitted clusterer.
    clustered_indices_ : ndarray of shape (n_clustered,)
        Indices of the training samples that the clusterer saw, in ascending order: all, or 20 000,
        of which `CommunityClusterer` uses at most 10 000 to find the clusters.
    clustered_labels_ : ndarray of shape (n_clustered,)
        Labels of these samples by the clusterer, contiguous from 0; noise is -1. In `labels_`,
        noise is in the closest cluster, and the numbers may differ.
    search_ : dict or None
        Record of the search for the number of clusters, as in `ElbowClusterer` and
        `CommunityClusterer`. Its "found" is False if no number was clear. None if there was no
        search, or if the clusterer keeps no record.
    embedding_means_ : ndarray of shape (`n_clusters_`, embedding_dim)
        Mean embedding of each cluster. `decode_prototypes` decodes these, not `cluster_centers_`.
    embedding_covariances_ : ndarray of shape (`n_clusters_`, embedding_dim, embedding_dim)
        Shrunk covariances. `sample` draws from Gaussians with these and the means. They are stored
        in a form that takes less memory, and computed in float32 each time they are read.
    encoder_, projection_head_, decoder_, log_variance_head_ : nn.Module
        The networks; the last one is None unless `variational`.
    history_ : skorch History
        One row per epoch, with its "phase", losses and learning rate.
        ``pandas.DataFrame(list(history_))`` converts it to a table.
    n_iter_ : int
        Number of epochs run.
    interrupted_ : bool
        Whether a phase, or the search for clusters, was interrupted, so that later steps were left
        out.
    provenance_ : dict
        Record of the fit: "versions" of packages, "device", "precision", "threads" of the CPU,
        "processes" that trained together, "platform", and "data_sha256", the digest of the
        samples. If the fit was resumed from `checkpoint_dir`, it describes the first start, and
        "resumed_with" contains the values that differed later.
    image_shape_ : tuple of int or None
        (C, H, W), or (C, D, H, W) for volumes; None for vectors.
    intensity_range_ : tuple of float or None
        The intensities that became 0 and 1; None for vectors.
    n_features_in_ : int
        Number of features of a sample: C x H x W for images, C x D x H x W for volumes.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns of a DataFrame, for vectors and for flat images.

    See Also
    --------
    ClusterLabelMapper : Name clusters with a few labels.
    KNNProbe, LinearProbe : Measure how well an embedding predicts labels.

    Notes
    -----
    ========================================= =============================================
    symbol in [1]_                            here
    ========================================= =============================================
    e, p, d                                   `encoder_`, `projection_head_`, `decoder_`
    h = e(x), z = p(h)                        embedding, projection
    tau, alpha                                `temperature`, `reconstruction_weight`
    L = L_contrastive + alpha * L_recon       ``train_loss`` of the warm-up in `history_`
    centroids of KMeans                       `cluster_centers_`
    ========================================= =============================================

    On the same CPU, with the same number of threads, the same `random_state` leads to the same
    bits. If a fit uses your own callables, it seeds torch's global generator while it trains, and
    restores it afterwards. During such a fit, do not use ``torch.rand`` in other threads. Other
    fits in the same process wait for it. If an `augmentation` has the method
    `set_random_state(seed=...)`, it is seeded with that method. Random numbers that your callables
    draw from other sources are not seeded.

    References
    ----------
    .. [1] Ferrante, Boccato, Duggento, Spasov, Toschi, "Contrastive learning for unsupervised
       medical image clustering and reconstruction", arXiv 2209.12005.
    .. [2] Van Gansbeke, Vandenhende, Georgoulis, Proesmans, Van Gool, "SCAN: learning to classify
       images without labels", ECCV 2020.

    Examples
    --------
    >>> from sklearn_cae import ContrastiveAutoencoderClusterer
    >>> from sklearn_cae.datasets import make_toy_images
    >>> X, y = make_toy_images(60, random_state=0, return_X_y=True)
    >>> clusterer = ContrastiveAutoencoderClusterer(
    ...     n_clusters=3, warm_up_epochs=2, conditioning_epochs=1, random_state=0
    ... ).fit(X)
    >>> clusterer.predict(X).shape
    (60,)
    >>> clusterer.decode_prototypes().shape
    (3, 16, 16)
    """

    _parameter_constraints: dict = {
        "n_clusters": [Interval(Integral, 1, None, closed="left"), StrOptions({"elbow", "auto"})],
        "clusterer": [HasMethods(["fit_predict", "get_params"]), None],
        "assignment": [StrOptions({"cosine", "clusterer"})],
        "assignment_temperature": [Interval(Real, _SMALLEST, None, closed="left")],
        "whiten": ["boolean"],
        "refinement_epochs": [Interval(Integral, 0, None, closed="left")],
        "embedding_dim": [Interval(Integral, 1, None, closed="left")],
        "encoder": [callable, str, None],
        "train_encoder": ["boolean", Interval(Real, 0, 1, closed="right")],
        "decoder": [callable, None],
        "variational": ["boolean", Interval(Real, 0, None, closed="neither")],
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "reconstruction_weight": [Interval(Real, 0, None, closed="left")],
        "augmentation": [StrOptions(set(PRESETS)), callable],
        "warm_up_epochs": [Interval(Integral, 1, None, closed="left")],
        "conditioning_epochs": [Interval(Integral, 0, None, closed="left")],
        "batch_size": [Interval(Integral, 2, None, closed="left")],
        "optimizer": [StrOptions(set(OPTIMIZERS))],
        # Far below the largest float32, so that no step of an optimizer overflows.
        "learning_rate": [Interval(Real, 0, 1e30, closed="neither"), None],
        "image_shape": [tuple, list, None],
        "spatial_dims": [Options(Integral, {2, 3})],
        "intensity_range": [tuple, list, None],
        "output": [StrOptions(set(OUTPUTS))],
        "device": [str, torch.device],
        "precision": [StrOptions({"auto", "float32", "bfloat16"})],
        "callbacks": [list, None],
        "checkpoint_dir": [str, os.PathLike, None],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        n_clusters="elbow",
        *,
        clusterer=None,
        assignment="cosine",
        assignment_temperature=0.1,
        whiten=False,
        refinement_epochs=0,
        embedding_dim=128,
        encoder=None,
        train_encoder=True,
        decoder=None,
        variational=False,
        temperature=0.5,
        reconstruction_weight=0.1,
        augmentation="paper",
        warm_up_epochs=50,
        conditioning_epochs=50,
        batch_size=256,
        optimizer="lars",
        learning_rate=None,
        image_shape=None,
        spatial_dims=2,
        intensity_range=None,
        output="soft_assignment",
        device="auto",
        precision="auto",
        callbacks=None,
        checkpoint_dir=None,
        warm_start=False,
        random_state=None,
        verbose=0,
    ):
        self.n_clusters = n_clusters
        self.clusterer = clusterer
        self.assignment = assignment
        self.assignment_temperature = assignment_temperature
        self.whiten = whiten
        self.refinement_epochs = refinement_epochs
        self.embedding_dim = embedding_dim
        self.encoder = encoder
        self.train_encoder = train_encoder
        self.decoder = decoder
        self.variational = variational
        self.temperature = temperature
        self.reconstruction_weight = reconstruction_weight
        self.augmentation = augmentation
        self.warm_up_epochs = warm_up_epochs
        self.conditioning_epochs = conditioning_epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.image_shape = image_shape
        self.spatial_dims = spatial_dims
        self.intensity_range = intensity_range
        self.output = output
        self.device = device
        self.precision = precision
        self.callbacks = callbacks
        self.checkpoint_dir = checkpoint_dir
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    # ---- Fitting: Algorithm 1 of [1]_ ----

    @plain_torch()
    @together
    @_fit_context(prefer_skip_nested_validation=False)
    @tells_what_is_kept
    def fit(self, X, y=None, *, nuisance=None) -> Self:
        """Train the networks and find the prototypes.

        Parameters
        ----------
        X : array-like, tensor or DataFrame
            Training samples, in one of the forms that the class lists.
        y : array-like of shape (n_samples,), default=None
            Not used for training, present for API consistency by convention. If there is a
            `nuisance`, it must not be equal to these labels.
        nuisance : array-like or DataFrame of shape (n_samples,) or (n_samples, n_columns), \
                default=None
            What the groups should not follow, such as the scanner or the hospital of each sample.
            It needs ``train_encoder=False`` or ``whiten=True``. It is not needed to predict.
            Samples of each value are changed so that they look like those of the other values, and
            the embedding ignores most of what such a change does. An encoder that is trained
            ignores less than a fixed one. Each value needs at least five samples. Numbers with more
            than 12 different values, such as ages, are cut at their quartiles. If numbers are
            names, such as those of hospitals, convert them to text. Several columns are several
            nuisances. Never pass a label that the groups should show. If nuisance and label go
            together, no method can tell them apart.

        Returns
        -------
        self : ContrastiveAutoencoderClusterer

        Raises
        ------
        ValueError, TypeError
            Before training, if a parameter, X or `nuisance` breaks a rule. During training, if the
            loss, the weights or the embedding become NaN or infinite.

        Warns
        -----
        UserWarning
            If no elbow is found, a batch has fewer than 16 samples, or one image in a hundred is
            constant, a copy of another, or inverted.
        ConvergenceWarning
            If one cluster contains over 95 % of the samples, a cluster is empty, no number of
            communities is stable, or the fit was interrupted.
        """
        given = X, y
        keeps_numbers = self._starts_warm() and self.__sklearn_is_fitted__()
        range_before = getattr(self, "intensity_range_", None)
        self._forget_fit()
        X = self._check_input(X, reset=True)
        self._check_params_vs_input(X)
        nuisance = self._check_nuisance(nuisance, len(X), y)
        if self._starts_warm():
            self._check_warm_start(X, range_before)
        data, rng = fingerprint(X.X), local_random_state(self.random_state)
        params = self.get_params(deep=False)
        ran_with = describe_run(params, X.format.image_shape)
        self._check_processes(X, data, nuisance, ran_with)
        on_first(lambda: None, rng=rng)
        before = self._labels_of(X) if keeps_numbers else None
        as_if_stopped = partial(self._as_if_stopped, X, rng, before, nuisance)
        tasks = FitTasks(self, *given, self._n_phases(), as_if_stopped)
        # A checkpoint of the same fit sets the random numbers back to where that fit began.
        keys = [data] if nuisance is None else [data, nuisance]
        open_it = partial(self._open_checkpoint, params, keys, rng, ran_with, before)
        checkpoint = on_first(open_it, rng=rng)
        self._build_networks(X, rng)
        if checkpoint:
            networks = [getattr(self, name) for name in NETWORKS]
            states = [net.state_dict() for net in networks if net is not None]
            on_first(checkpoint.check, states)
        trainer = Trainer(X, params, rng, tasks, checkpoint)
        if not self.train_encoder:
            keys = [*keys, X.format, self.augmentation]
            embed_once(self.encoder_, trainer, self._run, keys, nuisance)
        self.history_ = trainer.history
        ran_with = checkpoint.ran_with if checkpoint else ran_with
        self.provenance_ = {**ran_with, "data_sha256": data}

        # Phase one: contrastive and reconstruction loss update e, p and d together.
        self._warm_up(trainer)
        # KMeans with the elbow, on the embedding. The mean directions of the clusters are the
        # centroids.
        embedding, labels = self._cluster(X, rng, nuisance)
        if trainer.goes_on and self.refinement_epochs > 0:
            self._refine(trainer, embedding, labels)
            # The refinement changed the encoder as well as the prototypes: embed the samples
            # again. From here on e is fixed.
            embedding = self._embed_clustered(X)
        # The decoder gets one input per prototype. Prototypes without members are therefore
        # dropped before it is conditioned.
        self._describe_clusters(X, embedding, before)
        if trainer.goes_on and self.conditioning_epochs > 0:
            # Phase two: the reconstruction loss updates only d, which gets the soft assignment.
            self._condition_decoder(trainer)
        self._end(interrupted=not trainer.goes_on)
        # A later fit may load this one only if no phase was cut short.
        if checkpoint and trainer.is_whole:
            on_first(checkpoint.finish)
        tasks.end()
        return self

    @_fit_context(prefer_skip_nested_validation=False)
    @plain_torch()
    def recluster(self, X) -> Self:
        """Cluster again in the same embedding, without training.

        The current parameters are used, so `n_clusters` or `clusterer` can be changed before. If a
        fit ended in the search for clusters, by an error or by Ctrl-C, this method completes it.
        Clusters keep their numbers as with `warm_start`. They are not refined. The decoder loses
        its condition, which was trained for other clusters, and decodes only the embedding. To
        refine and to condition, fit with ``warm_start=True``.

        Parameters
        ----------
        X : array-like, tensor or DataFrame
            At least 2 samples in the form that was fitted, usually the training samples. `labels_`
            contains their clusters.

        Returns
        -------
        self : ContrastiveAutoencoderClusterer

        Raises
        ------
        NotFittedError
            If no fit has reached the search for clusters.
        ValueError, TypeError
            If a parameter or X breaks a rule. After an error, the model is as it was before.

        Examples
        --------
        >>> from sklearn_cae import ContrastiveAutoencoderClusterer
        >>> from sklearn_cae.datasets import make_toy_images
        >>> X, _ = make_toy_images(60, random_state=0, return_X_y=True)
        >>> clusterer = ContrastiveAutoencoderClusterer(
        ...     n_clusters=3, warm_up_epochs=2, conditioning_epochs=0, random_state=0
        ... ).fit(X)
        >>> clusterer.set_params(n_clusters=2).recluster(X).n_clusters_
        2
        """
        was_fitted = self.__sklearn_is_fitted__()
        if not was_fitted and not hasattr(self, "clustered_indices_"):
            raise NotFittedError(
                "recluster needs networks that were trained up to the search for clusters. Call "
                "fit first."
            )
        X = self._read_input(X, reset=False)
        if len(X) < 2:
            raise ValueError("X must have at least 2 samples to be clustered, got 1. Pass more.")
        search.check_clusterer(self.clusterer, self.n_clusters, len(X))
        search.check_assignment(
            self.assignment, self.clusterer, self.n_clusters, refinement_epochs=0
        )
        before = self._labels_of(X) if was_fitted else None
        rng, kept = local_random_state(self.random_state), dict(vars(self))
        try:
            self.clustered_indices_ = search.draw_clustered(len(X), rng)
            embedding = self._embed_clustered(X)
            self._find_prototypes(embedding, rng)
            self._describe_clusters(X, embedding, before)
        except BaseException:
            self.__dict__ = kept
            raise
        self.decoder_.condition = None
        self._end(interrupted=self.interrupted_ if was_fitted else True)
        return self

    def set_params(self, **params) -> Self:
        """Set parameters, including those of the clusterer and of callbacks.

        Parameters
        ----------
        **params : dict
            Values by the names that `get_params` returns.

        Returns
        -------
        self : ContrastiveAutoencoderClusterer

        Raises
        ------
        ValueError
            If there is no such parameter, or if it belongs to a clusterer that is None.
        """
        nested = [name for name in params if name.startswith("clusterer__")]
        if nested and params.get("clusterer", self.clusterer) is None:
            raise ValueError(
                f"{nested[0]} cannot be set, because clusterer is None. Pass a clusterer first, "
                "such as clusterer=ElbowClusterer() or CommunityClusterer() of "
                "sklearn_cae.clusterers."
            )
        return super().set_params(**params)

    def _check_params_vs_input(self, X):
        search.check_clusterer(self.clusterer, self.n_clusters, len(X))
        search.check_assignment(
            self.assignment, self.clusterer, self.n_clusters, self.refinement_epochs
        )
        if self.whiten and self.variational:
            raise ValueError(
                f"whiten must be False with variational={self.variational}, because the noise "
                "belongs to the basis that was trained, got True. Pass whiten=False or "
                "variational=False."
            )
        if self.refinement_epochs > 0 and self.variational:
            raise ValueError(
                f"refinement_epochs must be 0 with variational={self.variational}, because the "
                "noise belongs to the embedding before the refinement, got "
                f"{self.refinement_epochs}. Pass refinement_epochs=0 or variational=False."
            )
        if not self.train_encoder:
            check_fixed(self.get_params(deep=False))
        if torch.get_default_dtype() != torch.float32:
            raise ValueError(
                "Networks are trained in float32, but torch's default dtype is "
                f"{torch.get_default_dtype()}. Call torch.set_default_dtype(torch.float32) first."
            )
        check_callbacks(self.callbacks, phases.recorded_columns(self.get_params(deep=False)))
        check_batch_size(self.batch_size, len(X))

    def _check_processes(self, X, data, nuisance, ran_with):
        """Raise if the processes of this fit would not train the same model."""
        if n_processes() == 1:
            return
        if self.verbose and is_first():
            print(f"Fitting in {n_processes()} processes.")
        params = self.get_params(deep=False)
        networks = [getattr(self, name) for name in NETWORKS] if self._starts_warm() else []
        check_alike(
            {
                "number of samples": len(X),
                "shape of a sample": X.format.image_shape,
                "X": data,
                "nuisance": digest(describe(nuisance)),
                "intensity_range": self.intensity_range_,
                **ran_with["versions"],
                "precision": ran_with["precision"],
                "networks of the previous fit": fingerprint_start(*networks),
                **{
                    name: describe(value)
                    for name, value in params.items()
                    if name not in _MAY_DIFFER
                },
            }
        )

    def _check_nuisance(self, nuisance, n_samples, y):
        """Return the codes of each nuisance, or None; raise if they cannot be used."""
        if nuisance is None:
            return None
        if self.train_encoder and not self.whiten:
            raise ValueError(
                "nuisance needs whiten=True or train_encoder=False, because it is removed from the "
                f"basis of the embedding, got whiten={self.whiten} and train_encoder="
                f"{self.train_encoder}. Pass the parameters of recommended(n_samples, "
                "nuisance=True)."
            )
        if self._starts_warm():
            raise ValueError(
                "nuisance must be None with warm_start=True, because the embedding of the previous "
                "fit is kept. Leave it out, or pass warm_start=False."
            )
        return encode_nuisances(nuisance, n_samples, y)

    def _forget_fit(self):
        """Make the estimator unfitted, because old clusters are invalid for new networks."""
        for name in ("n_iter_", "clustered_indices_"):
            vars(self).pop(name, None)

    def _n_phases(self):
        return 1 + (self.refinement_epochs > 0) + (self.conditioning_epochs > 0)

    def _starts_warm(self):
        return self.warm_start and hasattr(self, "encoder_")

    def _open_checkpoint(self, params, keys, rng, ran_with, before):
        """Return the checkpoint of this fit, or None without `checkpoint_dir`."""
        if self.checkpoint_dir is None:
            return None
        start = [getattr(self, name) for name in NETWORKS] if self._starts_warm() else []
        if before is not None:
            start.append(before)
        return Checkpoint(
            self.checkpoint_dir,
            params,
            data=keys[0] if len(keys) == 1 else digest(describe(keys)),
            start=fingerprint_start(*start),
            rng=rng,
            ran_with=ran_with,
        )

    def _build_networks(self, X, rng):
        """Build new networks, or keep the fitted ones with `warm_start`."""
        if self._starts_warm():
            self.decoder_.condition = None  # it belongs to the old prototypes
            return
        with forked_rng(draw_seed(rng)):
            networks = build_networks(
                X.format.image_shape,
                self.embedding_dim,
                encoder=self.encoder,
                train_encoder=self.train_encoder,
                decoder=self.decoder,
                variational=bool(self.variational),
            )
        for name, network in networks.items():
            setattr(self, f"{name}_", network)
            if network is not None:  # own factories may draw other weights in each process
                share_weights(network.state_dict().values())
        self._keep(built_for=self._network_params(X))

    def _network_params(self, X):
        """Return the values on which the networks and the basis of the embedding depend."""
        return {
            "shape of a sample": X.format.image_shape,
            "embedding_dim": self.embedding_dim,
            "variational": bool(self.variational),
            "whiten": self.whiten,
            "encoder": self.encoder,
            "train_encoder": bool(self.train_encoder),
            "decoder": self.decoder,
        }

    def _check_warm_start(self, X, range_before):
        asked = self._network_params(X)
        for name, built in self._state.built_for.items():
            if asked[name] != built:
                raise ValueError(
                    f"warm_start needs the {name} of the previous fit, {built}, got {asked[name]}. "
                    "Pass warm_start=False to train new networks."
                )
        if self.intensity_range_ != range_before:
            warn(
                f"The previous fit had the intensity_range_ {range_before}, and these images have "
                f"{self.intensity_range_}. The same image is now darker or lighter for the "
                f"networks. Pass intensity_range={range_before} to both fits.",
                UserWarning,
            )

    def _warm_up(self, trainer):
        """Train encoder, projection head and decoder, or only the decoder for a fixed encoder."""
        if not self.train_encoder:
            self._train_decoder("warm_up", trainer, lambda embedding: None)
            return
        generator = trainer.new_generator()
        module = phases.ContrastiveAutoencoder(
            self.encoder_,
            self.projection_head_,
            self.decoder_,
            self.log_variance_head_,
            generator,
        )

        trainer.run(
            "warm_up",
            phases.WarmUpNet,
            module,
            generator,
            temperature=float(self.temperature),
            reconstruction_weight=float(self.reconstruction_weight),
            kl_weight=_KL_WEIGHT
            if isinstance(self.variational, bool | np.bool_)
            else float(self.variational),
            **phases.encoder_rate(float(self.train_encoder), has_new_head=is_named(self.encoder)),
        )

    def _cluster(self, X, rng, nuisance):
        """Embed samples, and find the prototypes.

        Returns
        -------
        embedding : ndarray of shape (n_clustered, embedding_dim)
            Embedding of the samples at `clustered_indices_`.
        labels : ndarray of shape (n_clustered,)
            Their clusters; noise is in the closest one.
        """
        indices = search.draw_clustered(len(X), rng)
        embedding = self._embed(Subset(X, indices))
        search.check_finite(embedding)
        if self.whiten and not has_correction(self.encoder_):
            # The new basis becomes a part of the encoder, and of the input of head and decoder, so
            # that both compute what they did before. The samples are embedded again in it.
            apart = None
            if nuisance is not None and self.train_encoder:
                params = self.get_params(deep=False)
                apart = find_apart(self.encoder_, X, params, self._run, nuisance)
            basis = on_first(whitening, embedding, apart)
            self.encoder_ = change_basis(self.encoder_, self.projection_head_, self.decoder_, basis)
            embedding = self._embed(Subset(X, indices))
        self.clustered_indices_ = indices  # from here on, `recluster` can be called
        return embedding, self._find_prototypes(embedding, rng)

    def _embed_clustered(self, X):
        return self._embed(Subset(X, self.clustered_indices_))

    def _find_prototypes(self, embedding, rng):
        """Cluster the embeddings; the clusters' mean directions are the prototypes."""
        found, posterior = on_first(self._search, embedding, rng, rng=rng)
        self.cluster_centers_, labels, self.clustered_labels_, self.clusterer_, self.search_ = found
        self._keep(posterior=posterior)
        return labels

    def _search(self, embedding, rng):
        """Return what a search found, and the soft assignment by the clusterer, or None."""
        found = search.find_prototypes(
            embedding,
            self.clusterer,
            self.n_clusters,
            rng,
            verbose=self.verbose,
        )
        if self.assignment != "clusterer":
            return found, None
        # The posterior may leave out clusters that the clusterer's labels have. Each prototype
        # then belongs to one column of the posterior.
        posterior, own = assignment.assign_by_clusterer(found.clusterer, embedding)
        return found._replace(cluster_centers=mean_directions(embedding, own)), posterior

    def _refine(self, trainer, embedding, labels):
        """Train encoder and prototypes together.

        The neighbours of a sample are clustered samples. In the first epoch, the sample has the
        label of the nearest one.
        """
        nearest = self._run(
            self.encoder_,
            trainer.X,
            then=neighbors.NearestClustered(embedding, phases.N_NEIGHBORS),
        ).numpy()
        generator = trainer.new_generator()
        # The loss keeps clusters near the shares that the clusterer found: without this, all
        # neighbours agree best if they are all in one cluster.
        proportions = np.bincount(labels) / len(labels)
        trained, read = self._refined_part(trainer)
        module = phases.LearnedPrototypes(
            trained,
            torch.tensor(self.cluster_centers_),
            torch.tensor(proportions, dtype=torch.float32),
            float(self.assignment_temperature),
        )
        trainer.run(
            "refinement",
            phases.RefinementNet,
            module,
            generator,
            depends_on=[nearest, labels],
            optimizer=torch.optim.AdamW,
            # `history_` records the rate of the first group.
            optimizer__param_groups=[
                ("encoder.*", {"lr": phases.ENCODER_RATE * (float(self.train_encoder) or 1.0)})
            ],
            lr=phases.PROTOTYPE_RATE,
            iterator_train__neighbors=neighbors.without_itself(self.clustered_indices_[nearest]),
            iterator_train__labels=labels[nearest[:, 0]],
            **read,
        )
        self._take_prototypes(module)

    def _refined_part(self, trainer):
        """Return the network that the refinement trains, and the options that read its input.

        It is the encoder, which reads views, or the correction of a fixed one, which reads
        embeddings.
        """
        if self.train_encoder:
            return self.encoder_, {"iterator_train": batches.NeighborBatches}
        with forked_rng(draw_seed(trainer.rng)):
            self.encoder_ = with_correction(self.encoder_, self.embedding_dim)
        fixed = self._run(self.encoder_[:-1], trainer.X)
        return self.encoder_[-1], neighboring_embeddings(fixed)

    def _take_prototypes(self, module):
        self.cluster_centers_ = normalize(module.cluster_centers.detach().cpu().numpy())

    def _drop_empty(self, embedding):
        """Drop prototypes that are not the closest one of any clustered sample."""
        if self._state.posterior is None:
            n_clusters = None
            while n_clusters != len(self.cluster_centers_):  # dropping one may change ties
                n_clusters = len(self.cluster_centers_)
                self.cluster_centers_ = assignment.drop_empty(
                    self.cluster_centers_, self._closest(embedding)
                )
        self.n_clusters_ = len(self.cluster_centers_)

    def _number_clusters(self, X, before):
        """Keep the numbers of the previous clusters, if the samples have labels `before`."""
        if before is None:
            return
        order = assignment.order_as_before(before, self._labels_of(X), self.n_clusters_)
        self.cluster_centers_ = self.cluster_centers_[order]
        posterior = self._state.posterior
        if posterior is not None:
            self._keep(posterior=assignment.Posterior(self.clusterer_, posterior.kept[order]))

    def _describe_clusters(self, X, embedding, before):
        """Drop empty clusters, number the others, assign samples, and describe each cluster.

        `sample` draws from the Gaussians, `decode_prototypes` decodes their means, and `novelty`
        compares samples with the clusters.
        """
        self._drop_empty(embedding)
        self._number_clusters(X, before)
        self.labels_ = self._labels_of(X)
        assignment.check_spread(self.labels_, self.n_clusters_)
        closest, variance = self._closest(embedding), self._posterior_variance(embedding)
        self.embedding_means_, drawn_from = on_first(
            gaussians.cluster_gaussians, embedding, closest, variance
        )
        self._keep(gaussians=drawn_from, novelty=on_first(Novelty.of, X, self.labels_))

    def _train_decoder(self, phase, trainer, assign, *depends_on):
        """Train the decoder on the known embeddings of a fixed encoder; solve a linear one."""
        embedding = self._embed(trainer.X)
        if isinstance(self.decoder_, LinearDecoder):
            self._solve_decoder(trainer.X, torch.from_numpy(embedding))
            return
        trainer.run(
            phase,
            phases.ConditioningNet,
            self.decoder_,
            trainer.new_generator(),
            depends_on=[embedding, *depends_on],
            encode=phases.already_encoded,
            assign=assign,
            **embedded_batches(embedding),
        )

    def _solve_decoder(self, X, embedding):
        """Compute the weights of a linear decoder; no epoch is needed."""
        is_conditional = self.decoder_.condition is not None
        assigned = self._in_batches(self._assigner(), embedding) if is_conditional else None
        self.decoder_.solve(embedding, X, assigned).eval()

    def _condition_decoder(self, trainer):
        """Train the decoder with soft assignments as input; the encoder is fixed."""
        self.decoder_.add_condition(self.n_clusters_)
        if not self.train_encoder:
            assign = self._assigner(trainer.device)
            self._train_decoder("conditioning", trainer, assign, self.cluster_centers_)
            return
        generator = trainer.new_generator()
        trainer.run(
            "conditioning",
            phases.ConditioningNet,
            self.decoder_,
            generator,
            depends_on=[self.encoder_, self.cluster_centers_],
            encode=partial(
                phases.encode, self.encoder_, self.log_variance_head_, generator=generator
            ),
            assign=self._assigner(trainer.device),
        )

    def _end(self, *, interrupted):
        """Mark the estimator as fitted."""
        self.n_iter_ = len(self.history_)
        self.interrupted_ = interrupted

    def _as_if_stopped(self, X, rng, before, nuisance, net):
        """Return the attributes that the fit would set if the phase of a net ended now.

        Callbacks of scikit-learn use them while a phase is trained.
        """
        model = copy.copy(self)
        model.verbose = 0
        for name in NETWORKS:
            network = getattr(self, name)
            setattr(model, name, None if network is None else copy.deepcopy(network).eval())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the end of the fit warns if there is no elbow
            if net.phase == "warm_up":
                embedding, _ = model._cluster(X, copy.deepcopy(rng), nuisance)
            elif net.phase == "refinement":
                model._take_prototypes(net.module_)
                embedding = model._embed_clustered(X)
            if net.phase != "conditioning":  # the conditioning starts with described clusters
                model._describe_clusters(X, embedding, before)
        model.history_ = net.history_so_far()
        model._end(interrupted=False)
        return {**vars(model), "verbose": self.verbose}
