"""A change of the embedding's basis that changes nothing else."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from sklearn_cae import recommended
from sklearn_cae._grouping.whitening import whitening


@pytest.mark.parametrize("unit", [1e-3, 1.0, 1e3])
def test_whitening_leaves_the_fourth_root_of_a_components_share(unit):
    rng = np.random.default_rng(0)
    scales = np.array([10.0, 1.0, 0.01])
    X = unit * ((rng.normal(size=(500, 3)) * scales) @ rng.normal(size=(3, 3)) + 5)
    basis = whitening(X.astype(np.float32))
    np.testing.assert_allclose(basis.into @ basis.back, np.eye(3), atol=1e-9)
    variances = np.linalg.eigvalsh(np.cov(X.T))
    shares = variances / variances.mean()
    white = (X - basis.mean) @ basis.into.T
    expected = shares / (shares + 0.01) ** 0.75
    np.testing.assert_allclose(expected[-1], shares[-1] ** 0.25, rtol=0.01)
    np.testing.assert_allclose(np.cov(white.T), np.diag(expected), atol=1e-3)
    np.testing.assert_allclose(white.mean(axis=0), 0, atol=1e-4)


@pytest.mark.parametrize("shape", [(5, 4), (5, 1)])
def test_whitening_of_embeddings_that_are_all_equal(shape):
    basis = whitening(np.ones(shape, dtype=np.float32))
    assert np.isfinite(basis.into).all()
    assert np.isfinite(basis.back).all()


def linear_at_the_end():
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(256, 16))


def nonlinear_at_the_end():
    return torch.nn.Sequential(linear_at_the_end(), torch.nn.Tanh())


def without_bias():
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(256, 16, bias=False))


def parametrised():
    linear = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(256, 16))
    return torch.nn.Sequential(torch.nn.Flatten(), linear)


class OfUnitLength(torch.nn.Sequential):
    def forward(self, images):
        return F.normalize(super().forward(images))


def with_a_forward_of_its_own():
    return OfUnitLength(*linear_at_the_end())


def own_decoder():
    return torch.nn.Sequential(torch.nn.Linear(16, 256), torch.nn.Unflatten(1, (1, 16, 16)))


ENCODERS = [
    *(None, linear_at_the_end, nonlinear_at_the_end, without_bias, parametrised),
    with_a_forward_of_its_own,
]


@pytest.mark.parametrize(
    ("encoder", "decoder"),
    [
        *((encoder, None) for encoder in ENCODERS),
        (linear_at_the_end, own_decoder),
        (nonlinear_at_the_end, own_decoder),
    ],
)
def test_the_basis_of_the_embedding_is_all_that_changes(toy_images, make_quick, encoder, decoder):
    X, _ = toy_images
    params = {"warm_up_epochs": 3, "conditioning_epochs": 0, "encoder": encoder, "decoder": decoder}
    plain, white = (make_quick(**params, whiten=whiten).fit(X) for whiten in (False, True))
    np.testing.assert_allclose(white.reconstruct(X), plain.reconstruct(X), atol=0.02)
    before, after = (model.set_params(output="projection").transform(X) for model in (plain, white))
    np.testing.assert_allclose(after, before, rtol=1e-3, atol=1e-4)
    assert np.array_equal(white.predict(X), white.labels_)
    check_whiteness(white, X)


def check_whiteness(model, X):
    embedding = model.set_params(output="embedding").transform(X)
    np.testing.assert_allclose(embedding.mean(axis=0), 0, atol=1e-3)
    covariance = np.atleast_2d(np.cov(embedding.T))
    np.testing.assert_allclose(covariance, np.diag(covariance.diagonal()), atol=1e-2)
    assert covariance.diagonal()[-1] > 0.95  # the last component varied most


def test_vectors_and_embeddings_of_one_dimension(make_quick):
    X = np.random.default_rng(0).normal(size=(60, 5))
    for embedding_dim in (16, 1):
        params = {"warm_up_epochs": 1, "conditioning_epochs": 0, "embedding_dim": embedding_dim}
        plain, white = (
            make_quick(**params, n_clusters=2, whiten=whiten).fit(X) for whiten in (False, True)
        )
        np.testing.assert_allclose(white.reconstruct(X), plain.reconstruct(X), rtol=1e-3, atol=1e-3)
        check_whiteness(white, X)


@pytest.mark.parametrize("encoder", [None, nonlinear_at_the_end])
def test_a_warm_start_whitens_anew_and_adds_no_more_layers(toy_images, make_quick, encoder):
    X, _ = toy_images
    params = {"encoder": encoder, "whiten": True, "conditioning_epochs": 0}
    model = make_quick(**params).fit(X)
    names = [name for name, _ in model.encoder_.named_modules()]
    loss = model.history_[-1]["train_loss"]
    model.set_params(warm_start=True).fit(X)
    assert [name for name, _ in model.encoder_.named_modules()] == names
    assert model.history_[-1]["train_loss"] < loss
    check_whiteness(model, X)


def test_the_recommended_setting_says_that_it_is_for_images(make_quick):
    X = np.random.default_rng(0).normal(size=(60, 5))
    with pytest.raises(ValueError, match=r"factory for samples of shape \(5,\).*image_shape"):
        make_quick(**{**recommended(60), "warm_up_epochs": 1}).fit(X)
