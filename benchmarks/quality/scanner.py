"""Groups that are the scanner: known effects of a second scanner, with and without a correction.

Run from the repository; ``SKLEARN_CAE_DATA`` is the folder of the data:

    python -m benchmarks.quality.scanner --seeds 0 1 2

Images are drawn from PneumoniaMNIST (300 of each class), MNIST (60 of each digit), and, if the file
is there, ``brain_mri.npz`` (150 of each class, 28 pixels). As many others are kept as new images. A
part of the images of each class comes from site 1, which changes them:

- ``gamma``: brighter; ``border``: the dark frame of a collimator; ``offset``: black is gray;
  ``soft``: blurred. All four keep what a reader looks for.
- ``pen``: thicker strokes. It is the effect of MNIST.
- ``none``: nothing is changed, so that a correction can only do harm.

Strengths go from barely to plainly visible. `confounded` is the share of site 1 in the odd classes,
and the rest of 1 its share in the others: .5 if the site has nothing to do with the class. With .7
and .8, who knows the class knows the site of so many images.

Rows:

- ``pixels``, ``scattering``, ``squeezenet``: communities of the pixels, or of features. SqueezeNet
  of ImageNet sees images at 112 pixels.
- ``kmeans``: KMeans of the pixels, which is told the number of classes.
- ``recommended``: `recommended` with the shape and the modality of the images.
- ``trained``: the same with ``train_encoder=True`` and 30 epochs, refined for 15. It has X-rays
  without an effect, and with the strongest gamma and border apart from the class, because a fit
  takes a minute.

Corrections:

- ``none``
- ``per_site``: features have the same mean and standard deviation at both sites. For
  ``recommended``, these are the embedding, whose communities are then found.
- ``combatlearn``: the same by ComBat of the package combatlearn.
- ``nuisance``: `recommended` is fitted again with the site as `nuisance`.

``per_site`` and ``combatlearn`` are told the site of new images, too; ``nuisance`` is not.
`recommended` trains its decoder for one epoch, because the groups of a fixed encoder do not depend
on the decoder.

Scores are those of the fitted and of the new images: NMI and ARI of groups with the class and with
the site, and the accuracy of a kNN (cross-validated) that reads the site from what is clustered.
Nothing was chosen by them.

Prints a line per fit and appends records to ``benchmarks/results/scanner.json``. Fits that are
there are skipped, so that a run that was stopped goes on.
"""

import argparse
import json
import time
from functools import cache
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.preprocessing import StandardScaler, normalize

from benchmarks._common import RESULTS, describe_run, write_records
from benchmarks.quality import encoders
from benchmarks.quality.baselines import as_tensor, run_network
from benchmarks.quality.evaluation import flat
from benchmarks.quality.settings import fingerprint
from sklearn_cae import ContrastiveAutoencoderClusterer, KNNProbe, recommended
from sklearn_cae.clusterers import CommunityClusterer
from sklearn_cae.datasets import load_mnist
from sklearn_cae.modules import LogScattering

SIZE = 28
N_SAMPLES = 600
MODALITIES = {"pneumoniamnist": "xray", "mnist": None, "brain_mri": "slices"}
PARTS = ("fitted", "new")

# ---- the second scanner ----


def gamma(images, strength):
    return images**strength


def border(images, strength):
    """Darken a frame whose width is a share of the side."""
    width = max(1, round(strength * images.shape[1]))
    framed = np.zeros_like(images)
    framed[:, width:-width, width:-width] = images[:, width:-width, width:-width]
    return framed


def offset(images, strength):
    return strength + (1 - strength) * images


def soft(images, strength):
    """Blur by a Gaussian with a standard deviation in pixels."""
    return ndimage.gaussian_filter(images, (0, strength, strength))


def pen(images, strength):
    """Thicken strokes by up to a pixel at each side."""
    return (1 - strength) * images + strength * ndimage.grey_dilation(images, size=(1, 3, 3))


#: Each effect, and its strengths from barely to plainly visible.
EFFECTS = {
    "none": (lambda images, strength: images, (0,)),
    "gamma": (gamma, (0.9, 0.75, 0.6)),
    "border": (border, (0.04, 0.07, 0.11)),
    "offset": (offset, (0.05, 0.1, 0.2)),
    "soft": (soft, (0.4, 0.6, 0.8)),
    "pen": (pen, (0.3, 0.6, 1.0)),
}
OF_SETS = {
    "pneumoniamnist": ("gamma", "border", "offset", "soft"),
    "mnist": ("pen",),
    "brain_mri": ("gamma", "border", "offset", "soft"),
}
CONFOUNDED = (0.7, 0.8)


def conditions(name):
    """Return the effects, strengths and shares that are planted into a set.

    All strengths are planted apart from the class, and the strongest ones also along with it. The
    brain slices have the strongest ones alone.
    """
    effects = {effect: EFFECTS[effect][1] for effect in OF_SETS[name]}
    if name == "brain_mri":
        return [("none", 0, 0.5), *((effect, each[-1], 0.5) for effect, each in effects.items())]
    alone = [(effect, one, 0.5) for effect, each in effects.items() for one in each]
    along = [(effect, each[-1], share) for share in CONFOUNDED for effect, each in effects.items()]
    return [("none", 0, 0.5), *alone, *along]


def draw_sites(y, confounded, rng):
    """Draw the site, 0 or 1, so that each class has its share of site 1 to an image."""
    site = np.zeros(len(y), dtype=int)
    for label in np.unique(y):
        rows = rng.permutation(np.flatnonzero(y == label))
        share = confounded if label % 2 else 1 - confounded
        site[rows[: round(share * len(rows))]] = 1
    return site


def plant(X, site, effect, strength):
    """Return uint8 images (n, H, W), of which those of site 1 are changed."""
    change, _ = EFFECTS[effect]
    changed = change(X[site == 1] / 255.0, strength)
    planted = X.copy()
    planted[site == 1] = (changed.clip(0, 1) * 255).round().astype(np.uint8)
    return planted


@cache
def load(name):
    if name == "mnist":
        X, y = load_mnist("train", return_X_y=True)
        return X.reshape(-1, SIZE, SIZE), y
    return encoders.load(name, SIZE)


def draw(name, seed, n_samples):
    """Return {part: (images, classes)}, with as many images of each class."""
    X, y = load(name)
    rng = np.random.default_rng(seed)
    n_per_class = n_samples // len(np.unique(y))
    rows = [rng.permutation(np.flatnonzero(y == label)) for label in np.unique(y)]
    drawn = {"fitted": slice(n_per_class), "new": slice(n_per_class, 2 * n_per_class)}
    indices = {
        part: np.concatenate([each[where] for each in rows]) for part, where in drawn.items()
    }
    return {part: (X[rows], y[rows]) for part, rows in indices.items()}


# ---- corrections of features ----


def uncorrected(features, site):
    return features


def per_site(features, site):
    """Give features the same mean and standard deviation at both sites.

    The standard deviation is the root of the mean variance of the sites, so that features keep
    their weights.
    """
    of_site = {
        one: StandardScaler().fit(features["fitted"][site["fitted"] == one]) for one in (0, 1)
    }
    spread = np.sqrt(np.mean([one.var_ for one in of_site.values()], axis=0))
    corrected = {part: np.empty_like(rows) for part, rows in features.items()}
    for one, scaler in of_site.items():
        for part, rows in features.items():
            is_there = site[part] == one
            corrected[part][is_there] = spread * scaler.transform(rows[is_there])
    return corrected


def combatlearn(features, site):
    """Correct by ComBat, as Johnson et al. describe it. It takes the sites of all rows at once."""
    import pandas as pd
    from combatlearn import ComBat

    tables = {part: pd.DataFrame(rows).add_prefix("x") for part, rows in features.items()}
    tables["new"].index += len(tables["fitted"])
    batch = pd.Series(np.concatenate([site[part] for part in PARTS]))
    model = ComBat(batch).fit(tables["fitted"])
    return {
        part: model.transform(table).to_numpy(dtype=np.float32) for part, table in tables.items()
    }


CORRECTIONS = {"none": uncorrected, "per_site": per_site, "combatlearn": combatlearn}

# ---- rows ----


def scattering(X):
    with torch.no_grad():
        return LogScattering((1, SIZE, SIZE))(as_tensor(X)).flatten(1).numpy()


@cache
def pretrained():
    """Return SqueezeNet, and the features of images that it has seen."""
    return encoders.squeezenet(4 * SIZE)(image_shape=(1, SIZE, SIZE)), {}


def squeezenet(X):
    """Return features. Images that occur in several conditions are run once."""
    network, seen = pretrained()
    unseen = {image.tobytes(): image for image in X if image.tobytes() not in seen}
    if unseen:
        seen.update(zip(unseen, run_network(network, np.stack([*unseen.values()])), strict=True))
    return np.stack([seen[image.tobytes()] for image in X])


FEATURES = {"pixels": flat, "kmeans": flat, "scattering": scattering, "squeezenet": squeezenet}
ROWS = {
    **{name: ("none", "per_site") for name in FEATURES},
    "recommended": ("none", "per_site", "combatlearn", "nuisance"),
    "trained": ("none", "nuisance"),
}
EPOCHS_OF_TRAINED = 30
CONDITIONS_OF_TRAINED = (("none", 0, 0.5), ("gamma", 0.6, 0.5), ("border", 0.11, 0.5))


def belongs(row, name, condition):
    """Return whether a row has a condition."""
    return row != "trained" or (name == "pneumoniamnist" and condition in CONDITIONS_OF_TRAINED)


def setting(row, name, n_samples):
    """Return the parameters of a row, without the seed."""
    if row == "recommended":
        kind = {"image_shape": (SIZE, SIZE), "modality": MODALITIES[name]}
        return recommended(n_samples, **kind, warm_up_epochs=1, conditioning_epochs=0)
    if row == "trained":
        epochs = {
            **{"warm_up_epochs": EPOCHS_OF_TRAINED, "refinement_epochs": EPOCHS_OF_TRAINED // 2},
            "conditioning_epochs": 0,
        }
        kind = {"image_shape": (SIZE, SIZE), "modality": MODALITIES[name]}
        return recommended(n_samples, **kind, train_encoder=True, **epochs)
    if row == "kmeans":
        return {"clusterer": KMeans(len(np.unique(load(name)[1])), n_init=5)}
    return {"clusterer": CommunityClusterer()}


def group(row, params, images, site, seed, names):
    """Return {correction: (labels, what is clustered)}, each a dict by part."""
    if row not in ("recommended", "trained"):
        features = {part: FEATURES[row](X) for part, X in images.items()}
        return {name: cluster(features, site, seed, name, **params) for name in names}
    found = {}
    if "nuisance" in names:
        found["nuisance"], _ = fit(params, images, seed, nuisance=site["fitted"])
    if after := [name for name in names if name != "nuisance"]:
        found["none"], embedding = fit(params, images, seed)
        for name in set(after) - {"none"}:
            found[name] = cluster(embedding, site, seed, name, CommunityClusterer(), normalize)
    return {name: found[name] for name in names}


def fit(params, images, seed, **given):
    """Return (labels, normalised embedding) of `recommended`, and the embedding."""
    model = ContrastiveAutoencoderClusterer(**params, random_state=seed)
    model.fit(images["fitted"], **given)
    embedding = {part: model.embed(X) for part, X in images.items()}
    labels = {"fitted": model.labels_, "new": model.predict(images["new"])}
    return (labels, {part: normalize(rows) for part, rows in embedding.items()}), embedding


def cluster(features, site, seed, correction, clusterer, prepare=lambda rows: rows):
    corrected = CORRECTIONS[correction](features, site)
    corrected = {part: prepare(rows) for part, rows in corrected.items()}
    model = clone(clusterer).set_params(random_state=seed).fit(corrected["fitted"])
    return {"fitted": model.labels_, "new": model.predict(corrected["new"])}, corrected


def judge(labels, features, y, site):
    """Return the scores of groups of images from two sites."""
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    read = cross_val_score(KNNProbe(metric="euclidean"), features, site, cv=folds)
    scores = {"knn_site": read.mean()}
    for of, truth in (("class", y), ("site", site)):
        scores[f"nmi_{of}"] = normalized_mutual_info_score(truth, labels)
        scores[f"ari_{of}"] = adjusted_rand_score(truth, labels)
    return {name: round(float(score), 4) for name, score in scores.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--sets", nargs="+", choices=OF_SETS, default=list(OF_SETS))
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--samples", type=int, default=N_SAMPLES, help="images that are fitted")
    parser.add_argument("--results", type=Path, default=RESULTS / "scanner.json")
    options = parser.parse_args()
    for seed in options.seeds:
        for name in options.sets:
            if name == "brain_mri" and not (encoders.DATA / "brain_mri.npz").exists():
                continue
            for condition in conditions(name):
                for row in options.rows:
                    if not belongs(row, name, condition):
                        continue
                    run(options, row, name, seed, condition)


def run(options, row, name, seed, condition):
    """Group and judge by one row, with all corrections that the results do not have."""
    params = setting(row, name, options.samples)
    key = {
        **{"row": row, "set": name, "n_fitted": options.samples, "seed": seed},
        **dict(zip(("effect", "strength", "confounded"), condition, strict=True)),
        "hash": fingerprint(params),
    }
    results = json.loads(options.results.read_text()) if options.results.exists() else []
    known = [one["correction"] for one in results if key.items() <= one.items()]
    missing = [correction for correction in ROWS[row] if correction not in known]
    if not missing:
        return
    effect, strength, confounded = condition
    rng = np.random.default_rng(seed)
    drawn = draw(name, seed, options.samples)
    site = {part: draw_sites(y, confounded, rng) for part, (_, y) in drawn.items()}
    images = {part: plant(X, site[part], effect, strength) for part, (X, _) in drawn.items()}
    started = time.perf_counter()
    for correction, (labels, features) in group(row, params, images, site, seed, missing).items():
        scores = {
            part: judge(labels[part], features[part], drawn[part][1], site[part]) for part in PARTS
        }
        n_clusters = len(np.unique(labels["fitted"]))
        record = {**key, "correction": correction, "n_clusters": n_clusters, **scores}
        print(*record.values(), flush=True)
        results.append({**record, "made_by": describe_run("combatlearn")})
    write_records(options.results, results)
    print(f"{time.perf_counter() - started:.1f} s", flush=True)


if __name__ == "__main__":
    main()
