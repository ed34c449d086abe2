"""A nuisance in `fit`: groups and embedding do not follow it, and the rest stays as it was."""

import numpy as np
import pandas as pd
import pytest
from quick import quick_clusterer
from sklearn import config_context
from sklearn.base import clone
from sklearn.metrics import normalized_mutual_info_score
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, normalize
from torch import nn

from sklearn_cae import ContrastiveAutoencoderClusterer, load, recommended, save
from sklearn_cae.datasets import make_toy_images
from sklearn_cae.modules import LogScattering

N = 120
SITE = np.random.default_rng(0).integers(0, 2, N)


@pytest.fixture
def fixed(make_quick):
    """Factory of quick clusterers with a scattering."""
    params = {
        "encoder": LogScattering,
        "train_encoder": False,
        "augmentation": "xray",
        "warm_up_epochs": 1,
        "conditioning_epochs": 0,
    }
    return lambda **changes: make_quick(**{**params, **changes})


@pytest.fixture(scope="module")
def images():
    return make_toy_images(N, random_state=0, return_X_y=True)


def with_border(X):
    X = X.copy()
    X[:, :3] = 255
    return X


def lighter(X):
    return (60 + X * (195 / 255)).astype(np.uint8)


def darker(X):
    return (255 * (X / 255.0) ** 2).astype(np.uint8)


def planted(X, change, site=SITE):
    return np.where((site == 1)[:, None, None], change(X), X)


def read_site(embedding, site=SITE):
    """Return the accuracy of neighbours that tell the site from embeddings."""
    return cross_val_score(KNeighborsClassifier(10), normalize(embedding), site, cv=4).mean()


@pytest.mark.parametrize("change", [with_border, lighter, darker])
def test_the_embedding_does_not_tell_the_scanner(fixed, images, change):
    X, y = planted(images[0], change), images[1]
    assert read_site(fixed().fit(X).embed(X)) > 0.85
    estimator = fixed().fit(X, nuisance=SITE)
    assert read_site(estimator.embed(X)) < 0.65
    assert normalized_mutual_info_score(y, estimator.labels_) > 0.9


def test_groups_follow_the_shapes_and_not_the_border(fixed, images):
    X, y = planted(images[0], with_border), images[1]
    assert normalized_mutual_info_score(SITE, fixed().fit(X).labels_) > 0.3
    estimator = fixed().fit(X, nuisance=SITE)
    assert normalized_mutual_info_score(SITE, estimator.labels_) < 0.03
    assert normalized_mutual_info_score(y, estimator.labels_) > 0.9


def test_new_images_need_no_nuisance(fixed, images):
    X, _ = images
    estimator = fixed().fit(planted(X, with_border), nuisance=SITE)
    np.testing.assert_array_equal(estimator.predict(planted(X, with_border)), estimator.labels_)
    both = estimator.predict(X), estimator.predict(with_border(X))
    assert (both[0] == both[1]).mean() > 0.9


def test_groups_stay_apart_if_scanner_and_shape_go_partly_together(fixed, images):
    X, y = images
    share = np.where(y == 0, 0.8, 0.2)
    site = (np.random.default_rng(0).random(N) < share).astype(int)
    estimator = fixed().fit(planted(X, darker, site), nuisance=site)
    assert normalized_mutual_info_score(y, estimator.labels_) > 0.9


def test_a_nuisance_without_effect_changes_nothing(fixed, images):
    X, _ = images
    plain, corrected = fixed().fit(X), fixed().fit(X, nuisance=SITE)
    np.testing.assert_array_equal(corrected.embed(X), plain.embed(X))
    np.testing.assert_array_equal(corrected.labels_, plain.labels_)


@pytest.mark.parametrize(
    "kind",
    [list, pd.Series, pd.Categorical, pd.DataFrame, np.c_.__getitem__],
    ids=["list", "series", "categorical", "table", "matrix"],
)
def test_any_column_gives_the_same(fixed, images, kind):
    X = planted(images[0], lighter)
    names = np.array(["Kiel", "Bonn"])[SITE]
    expected = fixed().fit(X, nuisance=SITE).embed(X)
    np.testing.assert_array_equal(fixed().fit(X, nuisance=kind(names)).embed(X), expected)


def test_two_nuisances_are_both_removed(fixed, images):
    other = np.random.default_rng(1).integers(0, 2, N)
    X = planted(planted(images[0], lighter), with_border, other)
    table = pd.DataFrame({"scanner": SITE, "collimator": other})
    embedding = fixed().fit(X, nuisance=table).embed(X)
    assert read_site(embedding) < 0.7
    assert read_site(embedding, other) < 0.7


def test_numbers_are_cut_at_their_quartiles(fixed, images):
    exposure = np.linspace(0, 1, N)[np.random.default_rng(0).permutation(N)]
    X = (images[0] * (1 - 0.7 * exposure[:, None, None])).astype(np.uint8)
    is_dark = exposure > 0.5
    assert read_site(fixed().fit(X).embed(X), is_dark) > 0.75
    assert read_site(fixed().fit(X, nuisance=exposure).embed(X), is_dark) < 0.7


def test_a_scanner_of_vectors_is_removed(make_quick):
    y, rng = np.arange(N) % 3, np.random.default_rng(0)
    X = 4 * np.eye(3)[y] @ rng.standard_normal((3, 8)) + rng.standard_normal((N, 8))
    X[SITE == 1] = 3 + 2 * X[SITE == 1]
    estimator = make_quick(encoder=nn.Identity, train_encoder=False, embedding_dim=8)
    assert read_site(estimator.fit(X).embed(X)) > 0.9
    assert read_site(estimator.fit(X, nuisance=SITE).embed(X)) < 0.75


def test_a_saved_fit_predicts_the_same(fixed, images, tmp_path):
    X = planted(images[0], with_border)
    estimator = fixed(whiten=True, refinement_epochs=1).fit(X, nuisance=SITE)
    save(estimator, tmp_path / "fit.npz")
    np.testing.assert_array_equal(load(tmp_path / "fit.npz").predict(X), estimator.labels_)


def test_a_checkpoint_belongs_to_one_nuisance(fixed, images, tmp_path):
    X = planted(images[0], with_border)
    kept = fixed(checkpoint_dir=tmp_path)
    plain = kept.fit(X).embed(X)
    corrected = kept.fit(X, nuisance=SITE).embed(X)
    assert not np.array_equal(plain, corrected)
    assert len([each for each in tmp_path.iterdir() if each.is_dir()]) == 2
    with pytest.warns(UserWarning, match="already finished"):
        np.testing.assert_array_equal(kept.fit(X, nuisance=SITE).embed(X), corrected)


def test_a_pipeline_routes_the_nuisance(fixed, images):
    X = planted(images[0], with_border)
    expected = fixed().fit(X, nuisance=SITE).labels_
    with config_context(enable_metadata_routing=True):
        last = fixed().set_fit_request(nuisance=True)
        pipeline = make_pipeline(FunctionTransformer(), last).fit(X, nuisance=SITE)
        np.testing.assert_array_equal(pipeline.predict(X), expected)


@pytest.fixture(scope="module")
def trained(images):
    """A trained encoder of images with a border at one site, with and without the site."""
    X = planted(images[0], with_border)
    model = quick_clusterer(whiten=True, augmentation="xray", conditioning_epochs=0)
    return X, clone(model).fit(X), clone(model).fit(X, nuisance=SITE)


def test_a_trained_encoder_does_not_tell_the_scanner(trained, images):
    X, plain, corrected = trained
    assert normalized_mutual_info_score(SITE, plain.labels_) > 0.3
    assert normalized_mutual_info_score(SITE, corrected.labels_) < 0.03
    assert read_site(corrected.embed(X)) < read_site(plain.embed(X)) - 0.1
    of_shapes = [normalized_mutual_info_score(images[1], each.labels_) for each in trained[1:]]
    assert of_shapes[1] > of_shapes[0]


def test_a_trained_encoder_decodes_as_without_a_nuisance(trained):
    X, plain, corrected = trained
    rebuilt = [model.decode(model.embed(X)) for model in (plain, corrected)]
    np.testing.assert_allclose(*rebuilt, atol=1)  # of 255


def test_a_trained_encoder_keeps_its_nuisance_in_a_file(trained, tmp_path):
    X, _, corrected = trained
    save(corrected, tmp_path / "fit.npz")
    np.testing.assert_array_equal(load(tmp_path / "fit.npz").predict(X), corrected.labels_)


def test_a_trained_encoder_of_vectors_ignores_a_nuisance(make_quick):
    y, rng = np.arange(N) % 3, np.random.default_rng(0)
    X = 4 * np.eye(3)[y] @ rng.standard_normal((3, 8)) + rng.standard_normal((N, 8))
    X[SITE == 1] += 3
    estimator = make_quick(whiten=True, conditioning_epochs=0)
    assert normalized_mutual_info_score(SITE, estimator.fit(X).labels_) > 0.1
    assert normalized_mutual_info_score(SITE, estimator.fit(X, nuisance=SITE).labels_) < 0.03


def test_the_embedding_of_an_encoder_stays_without_an_effect(make_quick, images):
    X, _ = images
    plain = make_quick(whiten=True).fit(X)
    corrected = make_quick(whiten=True).fit(X, nuisance=SITE)
    np.testing.assert_array_equal(corrected.embed(X), plain.embed(X))


def test_recommended_for_a_nuisance():
    params = recommended(50_000, nuisance=True)
    assert (params["encoder"], params["train_encoder"]) == (LogScattering, False)
    few, plain = recommended(500, nuisance=True), recommended(500)
    assert {**few, "clusterer": None} == {**plain, "clusterer": None}
    for changes in ({"spatial_dims": 3}, {"train_encoder": True}, {"output": "projection"}):
        params = recommended(500, nuisance=True, **changes)
        assert params.get("train_encoder", True)
        assert params["whiten"]
        ContrastiveAutoencoderClusterer(**params)
    with pytest.raises(ValueError, match="nuisance=True needs variational=False"):
        recommended(500, nuisance=True, variational=True)


def test_a_trained_encoder_needs_a_new_basis_for_a_nuisance(make_quick, images):
    with pytest.raises(ValueError, match="nuisance needs whiten=True or train_encoder=False"):
        make_quick().fit(images[0], nuisance=SITE)


def test_a_warm_start_takes_no_nuisance(fixed, images):
    estimator = fixed(warm_start=True).fit(images[0], nuisance=SITE)
    with pytest.raises(ValueError, match="nuisance must be None with warm_start=True"):
        estimator.fit(images[0], nuisance=SITE)
