"""Stability of clusters: which come back with other seeds and on halves of the data."""

import json

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.cluster import DBSCAN, KMeans
from sklearn.datasets import make_blobs
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import adjusted_rand_score
from sklearn.pipeline import make_pipeline

from sklearn_cae.metrics import stability_report


class Recorder(ClusterMixin, BaseEstimator):
    """Clusters by the sign of the first feature; notes what it is fitted to."""

    fitted = []

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit(self, X, y=None):
        self.fitted.append((self.random_state, X[:, 1]))
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X):
        return (X[:, 0] > 0).astype(int)


def test_separate_groups_come_back():
    X, y = make_blobs(300, centers=[[0, 0], [9, 0], [0, 9]], random_state=0)
    report = stability_report(KMeans(3, n_init=3), X, random_state=0)
    assert {report: "a report"}[report] == "a report"  # equal to itself, and hashed
    assert report.ari_seeds == report.ari_halves == [1.0] * 3
    assert report.jaccard == [1.0] * 3
    assert sorted(report.sizes) == [100] * 3
    assert adjusted_rand_score(y, report.labels) == 1
    assert report.n_clusters == [3] * 10
    json.dumps(report.to_dict())


def test_clusters_with_any_ids_are_reported_by_number():
    class Gaps(KMeans):
        def predict(self, X):
            return np.array([-1, 2, 5])[super().predict(X)]

    X, _ = make_blobs([50, 60, 70], centers=[[0, 0], [9, 0], [0, 9]], random_state=0)
    report = stability_report(Gaps(3, n_init=3), X, random_state=0)
    np.testing.assert_array_equal(np.bincount(report.labels), report.sizes)
    assert len(report.jaccard) == 3


def test_slices_of_one_gaussian_do_not():
    X = np.random.default_rng(0).normal(size=(300, 10))
    report = stability_report(KMeans(5, n_init=1), X, n_repeats=4, random_state=0)
    assert np.mean(report.ari_halves) < 0.5
    assert max(report.jaccard) < 0.75


def test_one_group_that_is_there_comes_back_among_slices():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(size=(200, 10)), rng.normal(size=(100, 10)) + 8])
    report = stability_report(KMeans(3, n_init=10), X, random_state=0)
    true_group = np.bincount(report.labels[200:]).argmax()
    assert report.jaccard[true_group] == max(report.jaccard) > 0.9
    assert min(report.jaccard) < 0.75


def test_halves_keep_groups_together_and_seeds_differ():
    Recorder.fitted.clear()
    X = np.column_stack([np.linspace(-1, 1, 30), np.arange(30) // 3])
    stability_report(make_pipeline(Recorder()), X, n_repeats=2, groups=X[:, 1], random_state=0)
    seeds = [seed for seed, _ in Recorder.fitted]
    assert len(set(seeds)) == len(seeds) == 1 + 2 + 4
    for (_, one), (_, other) in (Recorder.fitted[3:5], Recorder.fitted[5:7]):
        assert set(one) | set(other) == set(range(10))
        assert not set(one) & set(other)
    assert Recorder.fitted[3][1].tolist() != Recorder.fitted[5][1].tolist()


def test_stability_repeats_and_draws_nothing_global():
    X = np.random.default_rng(0).normal(size=(60, 3))
    before = np.random.get_state()[1].copy()
    reports = [stability_report(KMeans(4, n_init=1), X, random_state=3) for _ in range(2)]
    assert reports[0].to_dict() == reports[1].to_dict()
    assert np.array_equal(np.random.get_state()[1], before)


def test_stability_of_what_cannot_be_told():
    X = np.zeros((6, 2))
    with pytest.raises(TypeError, match=r"must have predict.*got DBSCAN without"):
        stability_report(DBSCAN(), X)
    with pytest.raises(ValueError, match="at least two groups"):
        stability_report(Recorder(), X, groups=[1] * 6)
    with pytest.raises(ValueError, match="groups must have 6 entries, one for each sample"):
        stability_report(Recorder(), X, groups=[1, 2])
    with pytest.raises(ValueError, match="n_repeats"):
        stability_report(Recorder(), X, n_repeats=0)


def test_any_integer_is_a_number_of_repeats():
    X = np.random.RandomState(0).normal(size=(20, 2))
    assert len(stability_report(KMeans(2), X, n_repeats=np.int64(1)).ari_seeds) == 1


def test_the_stability_of_a_fit(toy_images, make_quick):
    X, _ = toy_images
    model = make_quick(n_clusters=2, warm_up_epochs=1, conditioning_epochs=0)
    report = stability_report(model, X, n_repeats=1, groups=np.arange(96) // 2, random_state=0)
    assert len(report.labels) == sum(report.sizes) == 96
    assert "comes back" in repr(report)


class Interrupted(KMeans):
    """An estimator whose second fit takes a Ctrl-C for its end, as this package's does."""

    fits = 0

    def fit(self, X, y=None, sample_weight=None):
        type(self).fits += 1
        self.interrupted_ = type(self).fits == 2
        return super().fit(X, y)


@pytest.mark.parametrize("wrap", [lambda model: model, lambda model: make_pipeline(PCA(2), model)])
def test_an_interrupted_fit_ends_the_report(wrap):
    Interrupted.fits = 0
    X, _ = make_blobs(60, centers=3, random_state=0)
    with pytest.raises(KeyboardInterrupt):
        stability_report(wrap(Interrupted(3, n_init=1)), X, random_state=0)
    assert Interrupted.fits == 2


def test_a_frozen_step_may_have_been_interrupted_before():
    X, _ = make_blobs(60, centers=3, random_state=0)
    frozen = FrozenEstimator(PCA(2).fit(X))
    frozen.estimator.interrupted_ = True
    report = stability_report(make_pipeline(frozen, KMeans(3, n_init=1)), X, random_state=0)
    assert len(report.ari_seeds) == 3
