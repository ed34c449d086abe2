"""Images that come after the fit: files are assigned, and changes are told."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from quick import quick_clusterer
from sklearn.cluster import KMeans
from sklearn.exceptions import NotFittedError

from sklearn_cae import assign_files, drift_report, save
from sklearn_cae.images import read_images
from sklearn_cae.new_images import DriftReport


@pytest.fixture(scope="module")
def xrays(pneumonia):
    return pneumonia["train"][0][:400]


@pytest.fixture(scope="module")
def new(pneumonia):
    return pneumonia["val"][0][:150]


@pytest.fixture(scope="module")
def fitted(xrays):
    return quick_clusterer(warm_up_epochs=1, conditioning_epochs=0).fit(xrays)


@pytest.fixture(scope="module")
def folder(xrays, tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    for index, image in enumerate(xrays[:60]):
        Image.fromarray(image).resize((60, 50)).save(folder / f"{index:02}.png")
    return folder


@pytest.fixture(scope="module")
def model(folder, tmp_path_factory):
    found = read_images(folder, size=16)
    clusterer = quick_clusterer(warm_up_epochs=1, conditioning_epochs=0).fit(found.data)
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    save(clusterer, path, reading=found.reading)
    return path, clusterer


# ---- Files ----


def test_files_are_assigned_as_in_the_fit(model, folder):
    path, clusterer = model
    some = [folder / "07.png", folder / "31.png"]
    found = assign_files(path, some)
    assert list(found.table.file) == ["07.png", "31.png"]
    assert list(found.table.group) == list(clusterer.labels_[[7, 31]])
    assert found.data.shape == (2, 16, 16)
    assert {"novelty", "unusual", "margin"} <= set(found.table.columns)


def test_files_that_cannot_be_read_are_named(model, folder, tmp_path):
    (tmp_path / "text.png").write_text("no image")
    found = assign_files(model[0], [folder / "07.png", tmp_path])
    assert len(found.table) == len(found.failures) == 1
    assert found.failures.file[0].endswith("text.png")


def test_a_model_without_a_reading_is_told(fitted, folder, tmp_path):
    save(fitted, tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match="must hold the reading of its images"):
        assign_files(tmp_path / "model.safetensors", folder)


def test_a_model_of_another_kind_is_told(xrays, folder, tmp_path):
    reading = read_images(folder, size=16).reading
    save(
        KMeans(2, n_init=1).fit(xrays.reshape(400, -1)), tmp_path / "k.safetensors", reading=reading
    )
    with pytest.raises(TypeError, match=r"ContrastiveAutoencoderClusterer, but .*KMeans"):
        assign_files(tmp_path / "k.safetensors", folder)


# ---- Drift ----


def test_images_of_the_same_kind_have_not_drifted(fitted, new):
    report = drift_report(fitted, new, random_state=0)
    assert not report.drifted
    assert list(report.tests.index) == [
        "shares of groups",
        "unusual images",
        "brightness",
        "contrast",
    ]
    np.testing.assert_allclose(report.shares.sum(), 1)
    assert report.columns is None


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda X: 255 - X, "unusual images"),
        (lambda X: (0.7 * X).astype(np.uint8), "brightness"),
        (lambda X: (0.6 * X + 50).astype(np.uint8), "contrast"),
    ],
)
def test_a_change_is_told_by_its_name(fitted, new, change, told):
    report = drift_report(fitted, change(new), random_state=0)
    assert report.drifted
    assert report.tests.loc[told, "p_adjusted"] < 0.001


def test_other_groups_are_told(fitted, new):
    labels = fitted.predict(new)
    largest = new[labels == np.bincount(labels).argmax()]
    report = drift_report(fitted, np.concatenate([largest] * 2), random_state=0)
    assert report.tests.loc["shares of groups", "p_adjusted"] < 0.001
    assert report.shares.new.max() == 1


def test_columns_tell_where_unusual_images_come_from(fitted, new):
    X = np.concatenate([new, 255 - new[:50]])
    metadata = pd.DataFrame({"scanner": ["A"] * 150 + ["B"] * 50, "age": np.arange(200) % 7})
    report = drift_report(fitted, X, metadata, random_state=0)
    assert list(report.columns.index) == ["scanner", "age"]
    assert report.columns.loc["scanner", "effect"] > 0.8
    assert report.columns.loc["age", "p_adjusted"] > 0.01
    assert "scanner" in repr(report)


def test_one_image_of_each_patient_is_tested(fitted, new):
    report = drift_report(fitted, new, groups=np.arange(150) // 3, random_state=0)
    assert (report.n_new, report.n_tested) == (150, 50)
    again = drift_report(fitted, new, groups=np.arange(150) // 3, random_state=0)
    pd.testing.assert_frame_equal(report.tests, again.tests)


def test_vectors_have_no_brightness():
    X = np.random.RandomState(0).normal(size=(200, 6))
    model = quick_clusterer(n_clusters=2, warm_up_epochs=1, conditioning_epochs=0).fit(X[:150])
    report = drift_report(model, X[150:], random_state=0)
    assert list(report.tests.index) == ["shares of groups", "unusual images"]


def test_a_report_turns_into_json(fitted, new):
    metadata = pd.DataFrame({"scanner": ["A", "B", "B"] * 50})
    report = drift_report(fitted, new, metadata, random_state=0)
    assert isinstance(report, DriftReport)
    content = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert content["n_new"] == 150
    assert len(content["tests"]) == 4


def test_rounding_is_no_drift(xrays, new):
    """Images that were standardised one by one have the same mean, but for its last digits."""
    X, standardised = [each.astype(np.float32) for each in (xrays, new)], []
    for each in X:
        each -= each.mean(axis=(1, 2), keepdims=True)
        standardised.append(each / each.std(axis=(1, 2), keepdims=True))
    model = quick_clusterer(warm_up_epochs=1, conditioning_epochs=0).fit(standardised[0])
    coarse = standardised[1].astype(np.float16).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some intensities are outside the range of the fit
        tests = drift_report(model, coarse, random_state=0).tests
    assert tests.loc["brightness", "effect"] < 0.4


def test_bad_input_is_told(fitted, new):
    with pytest.raises(NotFittedError):
        drift_report(quick_clusterer(), new)
    with pytest.raises(ValueError, match="groups must hold at least 2 patients, got one: 'ANON'"):
        drift_report(fitted, new, groups=["ANON"] * 150)
    with pytest.raises(ValueError, match="groups"):
        drift_report(fitted, new, groups=[1, 2])
    with pytest.raises(ValueError, match="metadata must"):
        drift_report(fitted, new, pd.DataFrame({"a": [1, 2]}))
    with pytest.raises(TypeError, match="metadata must be a pandas DataFrame"):
        drift_report(fitted, new, {"a": [1] * 150})


def test_few_new_images_shift_by_chance(fitted, new):
    """The chi-squared distribution does not hold for five images; random tables do."""
    p_values = [
        drift_report(fitted, new[start : start + 5], random_state=0).tests["p_value"].iloc[0]
        for start in range(0, 150, 5)
    ]
    assert np.mean(np.array(p_values) < 0.05) <= 0.2


def test_one_group_cannot_shift(xrays, new):
    model = quick_clusterer(n_clusters=1, warm_up_epochs=1, conditioning_epochs=0).fit(xrays)
    report = drift_report(model, new, random_state=0)
    assert report.tests.loc["shares of groups", "p_value"] == 1
