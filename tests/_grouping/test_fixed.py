"""The linear map of a fixed encoder: it keeps what samples differ in, and drops what views do."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch import nn

from sklearn_cae._grouping.fixed import (
    Correction,
    FixedEncoder,
    draw_for_components,
    fixed_part,
    has_correction,
    with_correction,
)

N_FEATURES = 12


def fit(features, of_views, embedding_dim=4):
    features, of_views = features.astype(np.float32), of_views.astype(np.float32)
    encoder = FixedEncoder(nn.Identity(), features.shape[1], embedding_dim)
    return encoder.fit(features, of_views)


def embed(encoder, features):
    return encoder(torch.from_numpy(features.astype(np.float32))).numpy()


@pytest.fixture
def samples():
    """Features (90, 12): three groups in the first two, and much larger deviations in the last."""
    rng = np.random.RandomState(0)
    features = rng.normal(scale=0.1, size=(90, N_FEATURES))
    features[:, :2] += 2 * np.array([[1, 0], [-1, 1], [-1, -1]])[np.arange(90) % 3]
    features[:, -1] = rng.normal(scale=6, size=30).repeat(3)  # alike in all groups
    return features


def views_of(samples, deviations):
    """Return four views of each sample, which have these deviations from it."""
    noise = np.random.RandomState(1).normal(size=(len(samples), 4, N_FEATURES))
    return samples[:, None] + noise * deviations


def share_of(directions, of):
    """Return the share of the variance of an embedding that directions of the samples explain."""
    design = np.c_[np.ones(len(of)), directions]
    rest = of - design @ np.linalg.lstsq(design, of, rcond=None)[0]
    return 1 - rest.var(axis=0).sum() / of.var(axis=0).sum()


def test_what_only_views_differ_in_is_gone(samples):
    only_last = np.eye(N_FEATURES)[-1] * 60
    embedding = embed(fit(samples, views_of(samples, only_last)), samples)
    assert share_of(samples[:, :2], embedding) > 0.9
    assert share_of(samples[:, -1:], embedding) < 0.05
    # With views that differ in all features alike, it is what samples differ in most.
    embedding = embed(fit(samples, views_of(samples, 0.1)), samples)
    assert share_of(samples[:, -1:], embedding) > 0.75


@pytest.mark.parametrize("rounding", [0, 1e-6])
def test_without_other_views_it_is_a_principal_component_analysis(samples, rounding):
    embedding = embed(fit(samples, views_of(samples, rounding)), samples)
    expected = PCA(4).fit_transform(samples)
    expected /= np.sqrt(expected.var(axis=0, ddof=1).mean())
    signs = np.sign((embedding * expected).sum(axis=0))
    np.testing.assert_allclose(embedding * signs, expected, atol=1e-3)


@pytest.mark.parametrize("factor", [1e-30, 1e-12, 1e25, 1e36])
def test_the_unit_of_the_features_does_not_count(samples, factor):
    features, of_views = (part.astype(np.float32) for part in (samples, views_of(samples, 0.3)))
    expected = embed(fit(features, of_views), features)
    scaled = features * np.float32(factor)
    encoder = fit(scaled, of_views * np.float32(factor))
    np.testing.assert_allclose(embed(encoder, scaled), expected, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize(
    ("n_samples", "embedding_dim", "n_used"), [(2, 4, 1), (5, 4, 1), (10, 4, 3), (90, 20, 12)]
)
def test_dimensions_that_are_left_over_are_0(samples, n_samples, embedding_dim, n_used):
    samples = samples[:n_samples]
    embedding = embed(fit(samples, views_of(samples, 0.1), embedding_dim), samples)
    assert embedding.shape == (n_samples, embedding_dim)
    assert (embedding.std(axis=0) > 1e-3).tolist() == [True] * n_used + [False] * (
        embedding_dim - n_used
    )
    assert (embedding.var(axis=0, ddof=1)).mean() == pytest.approx(1, rel=1e-3)


def test_views_that_are_no_numbers_are_told(samples):
    of_views = views_of(samples, 0.1)
    of_views[3, 1, 0] = np.nan
    with pytest.raises(ValueError, match="augmentation must return views whose features are fin"):
        fit(samples, of_views)


def test_samples_are_drawn_alike_and_views_of_some_of_them():
    drawn, viewed = draw_for_components(10_000, 1000)
    again, _ = draw_for_components(10_000, 1000)
    np.testing.assert_array_equal(drawn, again)
    assert len(np.unique(drawn)) == 2000
    assert len(np.unique(viewed)) == 500
    assert np.isin(viewed, drawn).all()
    drawn, viewed = draw_for_components(5000, 10**6)  # features that need much memory
    assert 10**6 * (len(drawn) + 4 * len(viewed)) <= 2**26
    assert [len(part) for part in draw_for_components(3, 10**9)] == [2, 2]


@pytest.mark.parametrize("around", [nn.Identity, lambda: nn.Sequential(nn.Linear(4, 4), nn.GELU())])
def test_a_correction_is_added_once_and_starts_with_nothing(around):
    encoder = around()
    corrected = with_correction(encoder, 4)
    assert has_correction(corrected)
    assert not has_correction(encoder)
    assert with_correction(corrected, 4) is corrected
    embedding = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(corrected(embedding), encoder(embedding))
    corrected(embedding).square().sum().backward()
    assert corrected[-1].correction[-1].weight.grad.any()  # it can be trained


def test_the_fixed_part_is_found():
    fixed = FixedEncoder(nn.Identity(), 4, 4)
    assert fixed_part(fixed) is fixed
    assert fixed_part(nn.Sequential(fixed, nn.Linear(4, 4), Correction(4))) is fixed
    assert fixed_part(nn.Sequential(nn.Linear(4, 4))) is None
    assert not any(weight.requires_grad for weight in fixed.parameters())
