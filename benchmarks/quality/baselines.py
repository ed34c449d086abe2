"""Baselines: pixels, other features, other clusterers, supervised training."""

import os
from pathlib import Path

import numpy as np
import torch
from joblib import Memory
from joblib import hash as hash_of
from kneed import KneeLocator
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.preprocessing import normalize
from torch import nn
from torch.nn import functional as F

from benchmarks.quality.evaluation import (
    count_classes,
    flat,
    rows_of_clusterer,
    rows_of_features,
    rows_of_kmeans,
    rows_of_predictions,
)
from benchmarks.quality.settings import N_CLUSTERS
from sklearn_cae import LinearProbe
from sklearn_cae._utils.devices import choose_device, choose_precision
from sklearn_cae.clusterers import CommunityClusterer
from sklearn_cae.modules import Encoder, image_decoder

CACHE = Memory(Path(__file__).parents[1] / ".cache", verbose=0)
SQUEEZENET = "squeezenet1_1_imagenet.pth"
BATCH_SIZE = 256

# ---- features without training ----


def pixels(dataset, splits, seed):
    """Judge pixels by KMeans, kNN and linear layers."""
    features = {split: flat(X) for split, (X, _) in splits.items()}
    n_clusters = N_CLUSTERS[dataset]
    return rows_of_features("pixels", splits, features, n_clusters, seed, standardize=False)


def pca(dataset, splits, seed):
    """Judge as many principal components as the embedding has dimensions."""
    model = PCA(128, random_state=seed).fit(flat(splits["train"][0]))
    features = {split: model.transform(flat(X)) for split, (X, _) in splits.items()}
    n_clusters = N_CLUSTERS[dataset]
    return rows_of_features("pca", splits, features, n_clusters, seed, standardize=False)


def umap(dataset, splits, seed):
    """Judge KMeans on a UMAP of the pixels to two dimensions, with its default parameters."""
    from umap import UMAP

    model = UMAP(random_state=seed).fit(flat(splits["train"][0]))
    features = {split: model.transform(flat(X)) for split, (X, _) in splits.items()}
    return rows_of_kmeans("umap", splits, features, N_CLUSTERS[dataset], seed)


def communities(dataset, splits, seed):
    """Judge communities, as many as are found and as many as there are classes."""
    return rows_of_communities(splits, seed, {"": "auto", "_true_k": count_classes(splits)})


def rows_of_communities(splits, seed, numbers):
    """Judge the clusterer of the recommended setting on pixels and on whitened components.

    The comparison shows the effect of the embedding and of the refinement. `numbers` is a dict
    from the end of a row's name to the number of clusters.
    """
    pixels = {split: flat(images) for split, (images, _) in splits.items()}
    white = PCA(128, whiten=True, random_state=seed).fit(pixels["train"])
    whitened = {split: normalize(white.transform(X)) for split, X in pixels.items()}
    rows = []
    for name, features in (("pixels", pixels), ("pca_whitened", whitened)):
        for suffix, n_clusters in numbers.items():
            model = CommunityClusterer(n_clusters, random_state=seed)
            rows += rows_of_clusterer(f"{name}_communities{suffix}", model, splits, features)
    return rows


def autoencoder(dataset, splits, seed):
    """Judge the paper's autoencoder, trained without views and without the contrastive term.

    It is trained for as many epochs as both phases have by default.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = nn.Sequential(Encoder((1, 28, 28)), image_decoder((1, 28, 28)))
    images = as_tensor(splits["train"][0])
    train(network, F.mse_loss, images, images, seed, n_epochs=100)
    features = {split: run_network(network[0], X) for split, (X, _) in splits.items()}
    return rows_of_features("autoencoder", splits, features, N_CLUSTERS[dataset], seed)


# ---- features learned elsewhere ----


def pretrained(dataset, splits, seed):
    """Judge features of ImageNet by a linear layer and by KMeans at its elbow.

    The features are those of ResNet18, as in the paper. If its weights cannot be downloaded, a
    SqueezeNet in the data folder takes its place, and the rows are named after it. Features are
    computed once and cached on the disk.
    """
    name, network, prepare = pretrained_network()
    weights = hash_of({key: value.numpy() for key, value in network.state_dict().items()})
    features = {
        split: frozen(weights, X, network=network, prepare=prepare)
        for split, (X, _) in splits.items()
    }
    probe = LinearProbe(
        1.0, epochs=100, learning_rate=1e-4, standardize=False, random_state=seed
    ).fit(features["train"], splits["train"][1])
    rows = rows_of_predictions(f"{name}_transfer", splits, lambda s: probe.predict(features[s]))
    n_clusters = knee_of_inertia(features["train"], seed)
    return rows + rows_of_kmeans(name, splits, features, n_clusters, seed)


@CACHE.cache(ignore=["network", "prepare"])
def frozen(weights, X, *, network, prepare):
    """Run a network and cache its output. Clear the cache if `prepare` changes."""
    return run_network(network, X, prepare)


def knee_of_inertia(X, seed):
    """Return the number of clusters at the knee of the inertia of KMeans, 2 without a knee."""
    numbers = range(2, 21)
    inertias = [KMeans(k, n_init=5, random_state=seed).fit(X).inertia_ for k in numbers]
    return KneeLocator(numbers, inertias, curve="convex", direction="decreasing").knee or 2


def pretrained_network():
    from torchvision import models

    try:
        network = models.resnet18(weights=models.ResNet18_Weights.IMAGENET1K_V1)
    except OSError as error:
        print(
            f"ResNet18's weights cannot be downloaded ({error}); SqueezeNet 1.1 takes their place."
        )
        path = Path(os.environ.get("SKLEARN_CAE_DATA", "."), SQUEEZENET)
        if not path.exists():
            raise SystemExit(
                f"{path} does not exist: set SKLEARN_CAE_DATA to its folder."
            ) from error
        network = models.squeezenet1_1()
        network.load_state_dict(torch.load(path, weights_only=True))
        pooled = nn.Sequential(network.features, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        return "squeezenet", pooled, _as_caffe
    network.fc = nn.Identity()
    return "resnet18", network, _as_torchvision


def _as_caffe(images):
    """Return images of 227 pixels: blue, green and red from 0 to 255, minus their means."""
    mean = torch.tensor([103.939, 116.779, 123.68])[:, None, None]
    return F.interpolate(255 * images, 227, mode="bilinear").expand(-1, 3, -1, -1) - mean


def _as_torchvision(images):
    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    std = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    return (F.interpolate(images, 224, mode="bilinear").expand(-1, 3, -1, -1) - mean) / std


def run_network(network, X, prepare=lambda images: images):
    """Return the outputs (n, n_outputs) of a network in evaluation mode."""
    network.eval()
    device = next(network.parameters()).device
    with torch.no_grad():
        outputs = [
            network(prepare(batch).to(device)).cpu() for batch in as_tensor(X).split(BATCH_SIZE)
        ]
    return torch.cat(outputs).numpy()


def as_tensor(X):
    return torch.from_numpy(X)[:, None].float() / 255.0


# ---- with all labels ----


def resnet18_scratch(dataset, splits, seed):
    """Judge a ResNet18 that is trained on all labels from random weights."""
    from torchvision.models import resnet18

    n_epochs = {"pneumoniamnist": 30, "mnist": 10}[dataset]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = resnet18(num_classes=10)
        network.conv1 = nn.Conv2d(1, 64, 3, padding=1, bias=False)  # for small images
    return _supervised("resnet18_scratch", network, splits, seed, n_epochs)


def encoder_supervised(dataset, splits, seed):
    """Judge the paper's encoder with a linear layer, trained on all labels."""
    return _supervised("encoder_supervised", small_classifier(seed), splits, seed, 30)


def small_classifier(seed):
    """Return the paper's encoder with a linear layer on it."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(Encoder((1, 28, 28)), nn.GELU(), nn.Linear(128, 10))


def _supervised(name, network, splits, seed, n_epochs):
    X, y = splits["train"]
    fit_classifier(network, X, y, seed, n_epochs)
    return rows_of_classifier(name, network, splits, epochs=n_epochs)


def rows_of_classifier(name, network, splits, **extra):
    """Judge a network that predicts the class of its largest output."""
    predicted = {split: run_network(network, X).argmax(axis=1) for split, (X, _) in splits.items()}
    return rows_of_predictions(name, splits, predicted.get, **extra)


def fit_classifier(network, X, y, seed, n_epochs):
    """Train on labels, without augmentation and validation."""
    labels = torch.from_numpy(np.asarray(y)).long()
    train(network, F.cross_entropy, as_tensor(X), labels, seed, n_epochs)


def train(network, loss, inputs, targets, seed, n_epochs):
    """Train with AdamW and cosine decay from 1e-3, on the device that the method would use."""
    device = choose_device("auto")
    in_bfloat16 = choose_precision("auto", device) == "bfloat16"
    network.to(device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n_epochs)
    generator = torch.Generator().manual_seed(seed)
    network.train()
    for _ in range(n_epochs):
        for batch in torch.randperm(len(inputs), generator=generator).split(BATCH_SIZE):
            with torch.autocast(device.type, torch.bfloat16, enabled=in_bfloat16):
                outputs = network(inputs[batch].to(device))
            optimizer.zero_grad()
            loss(outputs.float(), targets[batch].to(device)).backward()
            optimizer.step()
        schedule.step()


# ---- other deep clusterers ----


def dec(dataset, splits, seed):
    return _deep_clustering("DEC", splits, seed)


def idec(dataset, splits, seed):
    return _deep_clustering("IDEC", splits, seed)


def _deep_clustering(name, splits, seed):
    """Judge a clusterer of ClustPy with its default parameters and the true number of classes."""
    from clustpy import deep

    pixels = {split: flat(X) for split, (X, _) in splits.items()}
    model = getattr(deep, name)(count_classes(splits), random_state=seed)
    return rows_of_clusterer(name.lower(), model, splits, pixels)


JOBS = {
    job.__name__: job
    for job in (
        *(pixels, pca, communities, umap, autoencoder, pretrained),
        *(resnet18_scratch, encoder_supervised, dec, idec),
    )
}
