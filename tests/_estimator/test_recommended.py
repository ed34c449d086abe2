"""The recommended setting: what it follows from, and that it finds what pixels do not show."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.cluster import KMeans
from sklearn.metrics import normalized_mutual_info_score

from sklearn_cae import ContrastiveAutoencoderClusterer, recommended
from sklearn_cae._recommended import MODALITIES
from sklearn_cae.augmentations import PRESETS
from sklearn_cae.augmentations._choose import choose_views
from sklearn_cae.clusterers import CommunityClusterer
from sklearn_cae.datasets import make_toy_images
from sklearn_cae.modules import DeepDecoder, LogScattering, UnpooledEncoder, image_decoder


@pytest.mark.parametrize(
    ("is_trained", "phase", "seen", "least", "most"),
    [(True, "warm_up", 320_000, 20, 200), (False, "conditioning", 16_000, 6, 100)],
)
@given(st.integers(2, 10**7), st.integers(1, 10**5))
def test_few_images_are_seen_more_often(is_trained, phase, seen, least, most, n_samples, n_more):
    params, of_more = (
        recommended(n, train_encoder=is_trained) for n in (n_samples, n_samples + n_more)
    )
    epochs = params[f"{phase}_epochs"]
    assert least <= of_more[f"{phase}_epochs"] <= epochs <= most
    assert 64 <= params["batch_size"] <= of_more["batch_size"] <= 256
    if least < epochs < most:
        assert abs(epochs - seen / n_samples) <= 0.5


@given(st.integers(2, 10**7))
def test_a_decoder_is_trained_mostly_for_the_embedding_that_stays(n_samples):
    params = recommended(n_samples, train_encoder=False)
    assert 1 <= params["warm_up_epochs"] <= params["conditioning_epochs"] / 4
    assert params["refinement_epochs"] == 20


TRAINED = {"encoder": UnpooledEncoder}
FIXED = {"encoder": LogScattering, "train_encoder": False, "decoder": DeepDecoder}


def networks_of(params):
    return {name: params[name] for name in FIXED if name in params}


@pytest.mark.parametrize(
    ("n_samples", "changes", "networks"),
    [
        (2000, {}, FIXED),
        (2001, {}, TRAINED),
        (2000, {"image_shape": (28, 28)}, FIXED),
        (2001, {"image_shape": (32, 32)}, TRAINED),
        (60_000, {"image_shape": (28, 28, 3)}, TRAINED),
        (60_000, {"image_shape": (4, 28, 28)}, TRAINED),
        (60_000, {"image_shape": (33, 28)}, FIXED),
        (60_000, {"image_shape": (28, 33, 3)}, FIXED),
        (60_000, {"image_shape": [1, 512, 512]}, FIXED),
        (100, {"spatial_dims": 3}, TRAINED),
        (100, {"image_shape": (2, 64, 64, 64)}, TRAINED),
        (100, {"image_shape": (64, 64, 64), "spatial_dims": 3}, TRAINED),
        (100, {"train_encoder": True}, {**TRAINED, "train_encoder": True}),
        (100, {"train_encoder": 0.5}, {**TRAINED, "train_encoder": 0.5}),
        (60_000, {"train_encoder": False}, FIXED),
        (100, {"encoder": "resnet18"}, {"encoder": "resnet18"}),
        (
            60_000,
            {"encoder": "resnet18", "train_encoder": False},
            {"encoder": "resnet18", "train_encoder": False},
        ),
        (100, {"decoder": image_decoder}, {**FIXED, "decoder": image_decoder}),
    ],
)
def test_which_networks_are_recommended(n_samples, changes, networks):
    params = recommended(n_samples, **changes)
    assert networks_of(params) == networks
    if not networks.get("train_encoder", True):
        assert params["warm_up_epochs"] == {100: 25, 2000: 2, 60_000: 1}[n_samples]
        return
    if params.get("spatial_dims") == 3:
        assert params["warm_up_epochs"] == {100: 100}[n_samples]
    else:
        assert params["warm_up_epochs"] == {100: 200, 2001: 160, 60_000: 20}[n_samples]
    assert params["refinement_epochs"] == params["warm_up_epochs"] // 2
    assert params["conditioning_epochs"] == params["warm_up_epochs"] // 3


def test_images_are_no_number_of_images():
    with pytest.raises(TypeError, match=r"n_samples must be the number of images.* len\(\)"):
        recommended(np.zeros((20, 8, 8)))


def test_parameters_are_those_of_the_estimator():
    params = recommended(1000)
    model = ContrastiveAutoencoderClusterer(**params)
    assert {**model.get_params(deep=False), **params} == model.get_params(deep=False)


def test_changes_replace_what_is_recommended_and_nothing_else():
    params = recommended(1000, warm_up_epochs=5, verbose=1)
    assert params == {**recommended(1000), "warm_up_epochs": 5, "verbose": 1} | {
        "clusterer": params["clusterer"]
    }


def test_a_number_that_is_known_is_what_comes_out(toy_images):
    X, _ = toy_images
    epochs = {"warm_up_epochs": 5, "refinement_epochs": 2, "conditioning_epochs": 1}
    params = recommended(len(X), **epochs, n_clusters=4, device="cpu")
    model = ContrastiveAutoencoderClusterer(**params, random_state=0).fit(X)
    assert model.clusterer_.n_clusters_ == model.n_clusters_ == 4


def test_the_search_goes_as_far_as_it_is_told(toy_images):
    X, _ = toy_images
    epochs = {"warm_up_epochs": 2, "refinement_epochs": 0, "conditioning_epochs": 0}
    params = recommended(len(X), **epochs, clusterer=CommunityClusterer(max_clusters=2))
    model = ContrastiveAutoencoderClusterer(**params, random_state=0).fit(X)
    assert model.n_clusters_ <= 2


@pytest.mark.parametrize("modality", MODALITIES)
def test_a_modality_chooses_its_preset_and_nothing_else(modality):
    params = recommended(1000, modality=modality)
    assert params["augmentation"] == modality
    assert modality in PRESETS
    changed = {"augmentation": modality, "clusterer": params["clusterer"]}
    assert params == {**recommended(1000), **changed}


@pytest.mark.parametrize(
    ("modality", "message"),
    [
        ("x-ray", r"got 'x-ray'. Did you mean 'xray'\?"),
        ("CT", r"got 'CT'. Did you mean 'slices'\?"),
        ("histologie", "Did you mean 'microscopy'"),
        ("Fundus ", "Did you mean 'fundus'"),
        ("paper", r"must be one of \['fundus', .* or None, got 'paper'. Or pass an augmentation."),
        (3, "got 3"),
    ],
)
def test_an_unknown_modality_is_told_with_the_closest_ones(modality, message):
    with pytest.raises(ValueError, match=message):
        recommended(1000, modality=modality)


def test_modality_and_augmentation_exclude_each_other():
    with pytest.raises(ValueError, match="modality='skin' and augmentation='paper'"):
        recommended(1000, modality="skin", augmentation="paper")


@pytest.mark.parametrize("modality", MODALITIES)
@pytest.mark.parametrize("of_volumes", [{"spatial_dims": 3}, {"image_shape": (1, 28, 28, 28)}])
def test_volumes_have_the_modalities_whose_views_are_of_volumes(modality, of_volumes):
    def choose():
        return recommended(1000, modality=modality, **of_volumes)

    try:
        choose_views(modality, "volumes")
    except ValueError:
        message = rf"one of \['slices', 'xray'\] or None for volumes, got '{modality}'"
        with pytest.raises(ValueError, match=message):
            choose()
    else:
        assert choose()["augmentation"] == modality


@pytest.mark.parametrize("shape", [(28, 28), (3, 64, 64), (64, 32, 3), (1, 28, 28)])
def test_the_shape_of_an_image_is_passed_on(shape):
    """So that rows of pixels can be fitted. Of few images, nothing else depends on it."""
    params = recommended(1000, image_shape=shape)
    changed = {"image_shape": shape, "clusterer": params["clusterer"]}
    assert params == {**recommended(1000), **changed}


def test_four_sides_or_three_dimensions_are_a_volume():
    assert recommended(100, image_shape=(1, 28, 28, 28))["spatial_dims"] == 3
    assert recommended(100, image_shape=(28, 28, 28), spatial_dims=3)["spatial_dims"] == 3


@pytest.mark.parametrize(
    ("shape", "error", "message"),
    [
        (28, TypeError, r"image_shape must be a tuple, such as X.shape\[1:\], got 28"),
        ((28, 28.5), TypeError, "image_shape must be integers"),
        ((784,), ValueError, r"\(H, W\), \(C, H, W\) or \(H, W, C\), got \(784,\)"),
        ((4, 28), ValueError, "sides of 8 to .* pixels, got"),
        ((1000, 28, 28), ValueError, "Neither the first nor the last axis"),
        ((3, 64, 3), ValueError, "Both the first and the last axis"),
        ((-28, 28), ValueError, "image_shape must have sides"),
        ((1, 4, 28, 28), ValueError, r"sides of 8 to 128 voxels, got \(1, 4, 28, 28\)"),
        ((28, 28, 200, 1), ValueError, "sides of 8 to 128 voxels"),
        ((28, 28, 28, 28), ValueError, "Neither the first nor the last axis of a volume"),
    ],
)
def test_a_shape_that_no_image_has(shape, error, message):
    with pytest.raises(error, match=message):
        recommended(1000, image_shape=shape)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((28, 28), r"one volume, \(D, H, W\), .* got \(28, 28\)"),
        ((28, 28, 200), "sides of 8 to 128 voxels"),
        ((1, 28, 28, 28, 1), "one volume"),
    ],
)
def test_a_shape_that_no_volume_has(shape, message):
    with pytest.raises(ValueError, match=message):
        recommended(1000, image_shape=shape, spatial_dims=3)


@pytest.mark.filterwarnings("ignore:No number of communities is stable")
@pytest.mark.parametrize("modality", [None, *MODALITIES])
def test_colour_images_of_each_modality_are_fitted(modality, toy_images):
    X = np.repeat(toy_images[0][:40, :, :, None], 3, axis=3)
    epochs = {"warm_up_epochs": 1, "refinement_epochs": 1, "conditioning_epochs": 1}
    params = recommended(len(X), image_shape=X.shape[1:], modality=modality, **epochs)
    model = ContrastiveAutoencoderClusterer(**params, random_state=0, device="cpu").fit(X)
    assert np.isfinite(model.history_[-1]["train_loss"])


@pytest.mark.parametrize(("n_samples", "error"), [(1, ValueError), (100.0, TypeError)])
def test_a_number_of_samples_is_needed(n_samples, error):
    with pytest.raises(error, match="n_samples"):
        recommended(n_samples)


@pytest.mark.parametrize(
    "asked",
    [
        {"train_encoder": True},
        {"train_encoder": 0.1},
        {"variational": True, "whiten": False},
        {"output": "projection"},
    ],
)
def test_what_needs_a_trained_encoder_gets_one(asked, toy_images):
    X, _ = toy_images
    epochs = {"warm_up_epochs": 1, "refinement_epochs": 0, "conditioning_epochs": 0}
    for shape in (None, (16, 16), (64, 64)):
        params = recommended(len(X), image_shape=shape, **asked)
        assert params["encoder"] is UnpooledEncoder
        assert params["warm_up_epochs"] == 200
    params = recommended(len(X), **asked, **epochs, n_clusters=2)
    model = ContrastiveAutoencoderClusterer(**params, random_state=0, device="cpu").fit(X)
    assert "contrastive_loss" in model.history_[0]


def rivals_of(n_clusters, seed):
    """Clusterers of pixels, which find as many groups as the model, or count them."""
    return KMeans(n_clusters, n_init=5, random_state=seed), CommunityClusterer(random_state=seed)


@pytest.mark.filterwarnings("ignore:No number of communities is stable")
def test_groups_of_shapes_are_closer_to_the_shape_than_those_of_pixels():
    """The quick twin of the slow test below: brightness and contrast hide the shape from pixels."""
    X, y = make_toy_images(150, random_state=0, return_X_y=True)
    low, contrast = np.random.RandomState(0).uniform([[0], [0.2]], [[0.4], [0.6]], (2, 150))
    X = (low[:, None, None] + contrast[:, None, None] * X / 255).astype(np.float32)
    epochs = {"warm_up_epochs": 10, "refinement_epochs": 5, "conditioning_epochs": 0}
    params = recommended(len(X), **epochs, device="cpu", precision="float32")
    model = ContrastiveAutoencoderClusterer(**params, random_state=0).fit(X)
    pixels = X.reshape(len(X), -1)
    theirs = [rival.fit_predict(pixels) for rival in rivals_of(model.n_clusters_, 0)]
    ours, *others = (normalized_mutual_info_score(y, each) for each in (model.labels_, *theirs))
    assert ours > max(others) + 0.2


@pytest.mark.slow
def test_groups_of_x_rays_are_closer_to_the_diagnosis_than_those_of_pixels(pneumonia):
    """On average over seeds: the number of groups, and with it NMI, changes from fit to fit."""
    X, y = (part[:800] for part in pneumonia["train"])
    pixels = X.reshape(len(X), -1) / 255.0
    params = {**recommended(len(X)), "warm_up_epochs": 40, "refinement_epochs": 20}
    params |= {"conditioning_epochs": 0, "device": "cpu", "precision": "float32"}
    scores = []
    for seed in (0, 1):
        model = ContrastiveAutoencoderClusterer(**params, random_state=seed).fit(X)
        assert 2 <= model.n_clusters_ <= 10
        rivals = rivals_of(model.n_clusters_, seed)
        found = [model.labels_, *(rival.fit_predict(pixels) for rival in rivals)]
        scores.append([normalized_mutual_info_score(y, labels) for labels in found])
    ours, *theirs = np.mean(scores, axis=0)
    assert ours > max(theirs)
