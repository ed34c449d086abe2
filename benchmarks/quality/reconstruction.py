"""Quality of reconstructions, and the use of samples for training a classifier."""

import copy

import numpy as np
import torch
from skimage.metrics import structural_similarity
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from skorch.callbacks import Callback
from torch import nn

from benchmarks.quality.baselines import (
    BATCH_SIZE,
    fit_classifier,
    rows_of_classifier,
    run_network,
    small_classifier,
)
from benchmarks.quality.evaluation import flat
from sklearn_cae import ClusterLabelMapper, ContrastiveAutoencoderClusterer


class KeepWarmAutoencoder(Callback):
    """Keep a copy of encoder and decoder after the warm-up, as an attribute of the class."""

    network = None

    def on_train_end(self, net, **kwargs):
        if hasattr(net.module_, "projection_head"):
            warm = nn.Sequential(net.module_.encoder, net.module_.decoder)
            type(self).network = copy.deepcopy(warm).cpu()


class WithoutCondition(Callback):
    """Keep the condition at zero, so that the decoder is trained as long without clusters."""

    def on_train_begin(self, net, **kwargs):
        if getattr(net.module_, "condition", None) is not None:
            net.module_.condition.weight.requires_grad_(False)


def images_job(parameters_for, splits, seed):
    """Judge reconstructions, and a classifier that is trained with samples."""
    X = splits["train"][0]
    params = parameters_for(len(X))
    model = ContrastiveAutoencoderClusterer(
        **{**params, "callbacks": [KeepWarmAutoencoder()]}, random_state=seed
    ).fit(X)
    unconditional = ContrastiveAutoencoderClusterer(
        **{**params, "callbacks": [WithoutCondition()]}, random_state=seed
    ).fit(X)
    return [
        *reconstruction_rows(model, unconditional, splits, seed),
        *sample_rows(model, splits, seed),
    ]


def reconstruction_rows(model, unconditional, splits, seed):
    """Judge reconstructions after each phase, without clusters, and with other images' clusters."""
    rng = np.random.RandomState(seed)
    pca = PCA(128, random_state=seed).fit(flat(splits["train"][0]))
    model.set_params(output="embedding")
    decoder = copy.deepcopy(model.decoder_).cpu()
    rows = []
    for split, (images, _) in splits.items():
        if split == "train":
            continue
        embedding = torch.from_numpy(model.transform(images))
        assignment = torch.from_numpy(model.predict_proba(images))
        shuffled = assignment[rng.permutation(len(images))]
        with torch.no_grad():
            decoded = {
                "conditioning": decoder(embedding, assignment),
                "shuffled_condition": decoder(embedding, shuffled),
            }
        decoded = {name: each.numpy() for name, each in decoded.items()}
        decoded["warm_up"] = run_network(KeepWarmAutoencoder.network, images)
        decoded = {name: each[:, 0].clip(0, 1) for name, each in decoded.items()}
        decoded["without_condition"] = unconditional.reconstruct(images) / 255.0
        back = pca.inverse_transform(pca.transform(flat(images)))
        decoded["pca_128"] = back.reshape(images.shape).clip(0, 1)
        rows += [
            {"model": f"reconstruction_{name}", "split": split, "metrics": compare(images, each)}
            for name, each in decoded.items()
        ]
    return rows


def compare(images, reconstruction):
    """Return means over images of the squared error of pixels in [0, 1], PSNR in dB, and SSIM."""
    images = images / 255.0
    errors = np.square(images - reconstruction).mean(axis=(1, 2))
    similarity = [
        structural_similarity(one, other, data_range=1.0)
        for one, other in zip(images, reconstruction.astype(float), strict=True)
    ]
    return {
        "mse": float(errors.mean()),
        "psnr": float((-10 * np.log10(np.maximum(errors, 1e-10))).mean()),
        "ssim": float(np.mean(similarity)),
    }


def sample_rows(model, splits, seed, fraction=0.05, n_steps=600):
    """Train a small classifier on few labels, with and without samples of the mapped clusters.

    The number of samples is that of the unlabelled training images, at most 10 000, in the
    proportions of the clusters. Each sample has the most frequent label of its cluster. Both
    trainings have `n_steps` steps.
    """
    X, y = splits["train"]
    few, _ = train_test_split(np.arange(len(X)), train_size=fraction, stratify=y, random_state=seed)
    mapper = ClusterLabelMapper().fit(model.predict_proba(X[few]), y[few])
    drawn, clusters = model.sample(min(len(X) - len(few), 10_000), random_state=seed)
    drawn = drawn.round().astype(np.uint8)
    names = mapper.mapping_[clusters]
    sets = {
        "few_labels": (X[few], y[few]),
        "few_labels_and_samples": (np.concatenate([X[few], drawn]), np.append(y[few], names)),
    }
    rows = []
    for name, (images, labels) in sets.items():
        network = small_classifier(seed)
        n_epochs = round(n_steps / np.ceil(len(images) / BATCH_SIZE))
        fit_classifier(network, images, labels, seed, n_epochs)
        rows += rows_of_classifier(name, network, splits, epochs=n_epochs)
    return rows
