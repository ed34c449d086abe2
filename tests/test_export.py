"""The graph in ONNX answers as the estimator does."""

import copy
import sys

import numpy as np
import pytest
from nets import default_device
from sklearn.exceptions import NotFittedError

from sklearn_cae import ContrastiveAutoencoderClusterer
from sklearn_cae.backbones import Backbone
from sklearn_cae.clusterers import MixtureClusterer
from sklearn_cae.export import export_onnx
from sklearn_cae.modules import LogScattering, UnpooledEncoder

onnxruntime = pytest.importorskip("onnxruntime", reason="the graphs are run with onnxruntime")


def session_of(estimator, path):
    export_onnx(estimator, path)
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def check_same(estimator, X, session):
    names = ["soft_assignment", "cluster", "embedding"]
    for n in (1, 7, len(X)):  # any batch
        soft, cluster, embedding = session.run(names, {"X": X[:n].astype(np.float32)})
        np.testing.assert_allclose(soft, estimator.predict_proba(X[:n]), atol=1e-5)
        np.testing.assert_array_equal(cluster, estimator.predict(X[:n]))
        expected = estimator.set_params(output="embedding").transform(X[:n])
        np.testing.assert_allclose(embedding, expected, rtol=1e-4, atol=1e-5)


FORMS = {
    "8 bits, signed": (lambda X: X.astype(np.int16) - 100, {}),
    "channels first, a range of one's own": (
        lambda X: np.stack([X, X[:, ::-1]], axis=1),
        {"intensity_range": (50, 200)},
    ),
    "channels last, float": (lambda X: np.stack([X, X // 2, X // 3], axis=-1) / 7 + 1000.5, {}),
    "flat, another temperature": (
        lambda X: X.reshape(len(X), -1),
        {"image_shape": (16, 16), "assignment_temperature": 0.5},
    ),
    "whitened and refined": (lambda X: X, {"whiten": True, "refinement_epochs": 1}),
    "variational": (lambda X: X, {"variational": True}),
    "a fixed scattering, refined": (
        lambda X: np.stack([X, X[:, ::-1]], axis=-1),
        {
            "encoder": LogScattering,
            "train_encoder": False,
            "whiten": True,
            "refinement_epochs": 1,
        },
    ),
    "shares that are all alike": (lambda X: X, {"assignment_temperature": 1e9}),
}


@pytest.mark.filterwarnings("ignore:.*clusters were empty")
@pytest.mark.parametrize("form", FORMS)
def test_images(toy_images, make_quick, tmp_path, form):
    change, params = FORMS[form]
    X = change(toy_images[0])
    estimator = make_quick(warm_up_epochs=1, conditioning_epochs=0, **params).fit(X)
    check_same(estimator, X, session_of(estimator, tmp_path / "model.onnx"))


@pytest.mark.parametrize("channels_last", [False, True])
def test_volumes(toy_volumes, make_quick, tmp_path, channels_last):
    X = np.stack([toy_volumes[0], toy_volumes[0][:, ::-1]], axis=-1 if channels_last else 1)
    params = {"spatial_dims": 3, "encoder": UnpooledEncoder, "whiten": True, "refinement_epochs": 1}
    estimator = make_quick(**params, conditioning_epochs=0).fit(X)
    check_same(estimator, X, session_of(estimator, tmp_path / "model.onnx"))


def test_new_images_are_clipped(fitted, toy_images, tmp_path):
    X = toy_images[0].astype(np.int64) * 3 - 200
    with pytest.warns(UserWarning, match="outside the intensity_range_"):
        expected = fitted.predict_proba(X)
    (soft,) = session_of(fitted, tmp_path / "model.onnx").run(
        ["soft_assignment"], {"X": X.astype(np.float32)}
    )
    np.testing.assert_allclose(soft, expected, atol=1e-5)


def test_vectors_far_from_zero(make_quick, tmp_path):
    rng = np.random.RandomState(0)
    X = (rng.normal(size=(90, 5)) + 6 * np.eye(5)[rng.randint(3, size=90)]) * [1, 9, 1e-3, 1e5, 1]
    X = np.add(X, [0, 1000, 0, -1e6, 4000]).astype(np.float32)
    estimator = make_quick().fit(X)
    check_same(estimator, X, session_of(estimator, tmp_path / "model.onnx"))


def test_a_posterior_is_no_graph(toy_images, make_quick, tmp_path):
    estimator = make_quick(clusterer=MixtureClusterer(), assignment="clusterer", embedding_dim=4)
    estimator.fit(toy_images[0])
    with pytest.raises(ValueError, match="Fit with assignment='cosine'"):
        export_onnx(estimator, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_the_callers_default_device_changes_nothing(fitted, toy_images, tmp_path):
    with default_device("meta"):
        session = session_of(fitted, tmp_path / "model.onnx")
    check_same(copy.copy(fitted), toy_images[0], session)


def test_what_cannot_be_exported(fitted, tmp_path, monkeypatch):
    with pytest.raises(NotFittedError):
        export_onnx(ContrastiveAutoencoderClusterer(), tmp_path / "model.onnx")
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ImportError, match=r"sklearn_cae\[onnx\]"):
        export_onnx(fitted, tmp_path / "model.onnx")


@pytest.mark.parametrize("scale", [1, 5])
def test_an_encoder_by_name_resizes_in_the_graph(
    toy_images, make_quick, tmp_path, data_root, scale
):
    X = np.kron(toy_images[0], np.ones((1, scale, scale), np.uint8))  # 16 or 80 pixels
    path = data_root / "squeezenet1_1_imagenet.pth"  # features of random weights hardly differ
    encoder = Backbone("squeezenet1_1", weights=path, size=48)
    params = {"encoder": encoder, "train_encoder": False, "conditioning_epochs": 0}
    estimator = make_quick(warm_up_epochs=1, **params).fit(X)
    check_same(estimator, X, session_of(estimator, tmp_path / "model.onnx"))
