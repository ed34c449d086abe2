"""Stability of clusters: which come back with other seeds and on halves of the data."""

import json

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator, ClusterMixin, clone
from sklearn.cluster import DBSCAN, KMeans
from sklearn.datasets import make_blobs
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import adjusted_rand_score
from sklearn.pipeline import make_pipeline

from sklearn_cae.clusterers import ElbowClusterer
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


def test_samples_between_clusters_are_less_stable():
    X = np.random.RandomState(0).uniform(size=(60, 1))  # the border is anywhere near the middle
    report = stability_report(KMeans(2, n_init=3), X, n_repeats=5, random_state=0)
    assert report.sample_stability.shape == (60,)
    distance = abs(X[:, 0] - 0.5)
    assert (report.sample_stability[distance > 0.25] == 1).all()
    assert report.sample_stability[distance < 0.1].min() < 0.9
    n_kept = 15 * report.sample_stability  # 5 seeds, 5 pairs of halves
    np.testing.assert_allclose(n_kept, n_kept.round())


def test_stability_of_samples_does_not_depend_on_the_numbers_of_clusters():
    class Shuffled(KMeans):
        def predict(self, X):
            numbers = np.random.default_rng().permutation(3)
            return numbers[super().predict(X)]

    X, _ = make_blobs(90, centers=[[0, 0], [9, 0], [0, 9]], random_state=0)
    report = stability_report(Shuffled(3, n_init=3), X, random_state=0)
    assert (report.sample_stability == 1).all()


def test_clusters_with_any_ids_are_reported_by_number():
    class Gaps(KMeans):
        def predict(self, X):
            return np.array([-1, 2, 5])[super().predict(X)]

    X, _ = make_blobs([50, 60, 70], centers=[[0, 0], [9, 0], [0, 9]], random_state=0)
    report = stability_report(Gaps(3, n_init=3), X, random_state=0)
    np.testing.assert_array_equal(np.bincount(report.labels), report.sizes)
    assert len(report.jaccard) == 3
    assert report.ids == [-1, 2, 5]
    assert [line.split()[0] for line in repr(report).splitlines()[-3:]] == ["-1", "2", "5"]


def test_a_fitted_estimator_is_the_reference_and_is_not_fitted_again():
    X = np.random.default_rng(0).normal(size=(120, 4))
    model = Counted(random_state=5).fit(X)
    before = dict(vars(model))
    Counted.n_fits = 0
    report = stability_report(model, X, n_repeats=2, random_state=0)
    assert Counted.n_fits == 2 + 4
    assert vars(model) == before
    assert report.fitted
    np.testing.assert_array_equal(np.take(report.ids, report.labels), model.predict(X))
    assert len(report.n_clusters) == 1 + 2 + 4
    new = stability_report(model.__class__(3), X, n_repeats=2, random_state=0)
    assert not new.fitted
    about, about_new = (repr(each).splitlines()[1] for each in (report, new))
    assert about.strip() == "clusters of the fitted estimator"
    assert about_new.strip() == "clusters of a new fit, numbered by this fit"


class Counted(KMeans):
    """Three groups; counts its fits."""

    n_fits = 0

    def __init__(self, n_clusters=3, random_state=None):
        super().__init__(n_clusters, n_init=1, random_state=random_state)

    def fit(self, X, y=None, sample_weight=None):
        type(self).n_fits += 1
        return super().fit(X, y)


def test_clusters_without_samples_are_left_out():
    X, _ = make_blobs([50, 60, 70], centers=[[0, 0], [9, 0], [0, 9]], random_state=0)
    model = KMeans(3, n_init=3, random_state=0).fit(X)
    labels = model.predict(X)
    some = X[labels != 1]
    report = stability_report(model, some, random_state=0)
    assert report.ids == [0, 2]
    np.testing.assert_array_equal(np.take(report.ids, report.labels), labels[labels != 1])


def test_a_fitted_pipeline_is_the_reference():
    X, _ = make_blobs(90, centers=3, random_state=0)
    model = make_pipeline(PCA(2), KMeans(3, n_init=1, random_state=0)).fit(X)
    report = stability_report(model, X, n_repeats=1, random_state=0)
    assert report.fitted
    np.testing.assert_array_equal(report.labels, model.predict(X))
    assert not stability_report(clone(model), X, n_repeats=1, random_state=0).fitted


def test_the_range_of_the_overlap_holds_its_mean():
    X = np.random.default_rng(0).normal(size=(100, 5))
    report = stability_report(KMeans(4, n_init=1), X, random_state=0)
    low, high = np.transpose(report.jaccard_range)
    assert (low < report.jaccard).all()
    assert (report.jaccard < high).all()
    assert (high <= 1).all()
    assert "±" in repr(report)
    one = stability_report(KMeans(4, n_init=1), X, n_repeats=1, random_state=0)
    assert "±" not in repr(one)  # one value has no deviation
    np.testing.assert_allclose(np.mean(one.jaccard_range, axis=1), one.jaccard)  # of two halves


def test_processes_change_nothing_but_the_time():
    X = np.random.default_rng(0).normal(size=(60, 3))
    model = KMeans(4, n_init=1, random_state=0).fit(X)
    one, two = (stability_report(model, X, n_jobs=n, random_state=3) for n in (1, 2))
    assert one.to_dict() == two.to_dict()
    with pytest.raises(KeyboardInterrupt):  # in a process of its own
        stability_report(AlwaysInterrupted(3), X, n_jobs=2, random_state=0)


class AlwaysInterrupted(KMeans):
    def fit(self, X, y=None, sample_weight=None):
        self.interrupted_ = True
        return super().fit(X)


def test_the_fits_are_counted_on_request_and_are_silent(capsys):
    X = np.random.default_rng(0).normal(size=(60, 3))
    model = make_pipeline(PCA(2), KMeans(3, n_init=1, verbose=1), verbose=True)
    stability_report(model, X, n_repeats=2, random_state=0)
    assert capsys.readouterr() == ("", "")
    stability_report(model, X, n_repeats=2, verbose=1, random_state=0)
    printed, shown = capsys.readouterr()
    assert printed == ""
    assert "7/7" in shown
    assert "fit/s" in shown or "s/fit" in shown


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


class WithNuisance(Recorder):
    """Keeps the rows and the nuisance of each fit."""

    given = []

    def fit(self, X, y=None, *, nuisance=None):
        self.given.append((X[:, 1], nuisance))
        return super().fit(X)


@pytest.mark.parametrize("kind", ["estimator", "pipeline", "routed"])
def test_each_fit_gets_its_part_of_the_nuisance(kind):
    WithNuisance.given.clear()
    n = 48
    X = np.column_stack([np.linspace(-1, 1, n), np.arange(n)])
    site = np.array(["A"] * 36 + ["B"] * 12)
    model = WithNuisance()
    with config_context(enable_metadata_routing=kind == "routed"):
        if kind == "routed":
            model.set_fit_request(nuisance=True)
        model = model if kind == "estimator" else make_pipeline(model)
        groups = np.arange(n) // 2
        report = stability_report(
            model, X, nuisance=site, n_repeats=2, groups=groups, random_state=0
        )
    assert len(WithNuisance.given) == len(report.n_clusters) == 1 + 2 + 4
    for rows, nuisance in WithNuisance.given:
        assert np.array_equal(nuisance[:, 0] == "1", site[rows.astype(int)] == "B")
    for first, second in (WithNuisance.given[3:5], WithNuisance.given[5:7]):
        assert not set(first[0] // 2) & set(second[0] // 2)
        for _, nuisance in (first, second):
            assert np.count_nonzero(nuisance == "1") == 6


def test_a_nuisance_is_checked_before_the_fits():
    X = np.zeros((24, 2))
    with pytest.raises(TypeError, match=r"whose fit takes a nuisance.* got Recorder"):
        stability_report(Recorder(), X, nuisance=np.arange(24) % 2)
    WithNuisance.given.clear()
    for nuisance, message in (
        (["A"] * 24, "at least two different values"),
        (["A"] * 16 + ["B"] * 8, "at least 5 samples of each value in each half, got 4"),
    ):
        with pytest.raises(ValueError, match=message):
            stability_report(WithNuisance(), X, nuisance=nuisance)
    assert WithNuisance.given == []


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
    fitted = KMeans(2, n_init=1).fit(X + np.arange(6)[:, None])
    with pytest.raises(ValueError, match="X has 3 features, but KMeans is expecting 2"):
        stability_report(fitted, np.zeros((6, 3)))
    for frozen in (FrozenEstimator(fitted), make_pipeline(PCA(2), FrozenEstimator(fitted))):
        with pytest.raises(TypeError, match=r"got a FrozenEstimator. Pass its .estimator"):
            stability_report(frozen, X)


def test_any_integer_is_a_number_of_repeats():
    X = np.random.RandomState(0).normal(size=(20, 2))
    assert len(stability_report(KMeans(2), X, n_repeats=np.int64(1)).ari_seeds) == 1


def test_the_stability_of_a_fit(toy_images, make_quick):
    X, _ = toy_images
    model = make_quick(n_clusters=2, warm_up_epochs=1, conditioning_epochs=0)
    report = stability_report(model, X, n_repeats=1, groups=np.arange(96) // 2, random_state=0)
    assert len(report.labels) == sum(report.sizes) == 96
    assert "comes back" in repr(report)


def test_the_stability_of_a_model_at_hand(toy_images, fitted):
    X, _ = toy_images
    report = stability_report(fitted, X, n_repeats=1, random_state=0)
    assert report.fitted
    np.testing.assert_array_equal(np.take(report.ids, report.labels), fitted.labels_)
    with pytest.raises(ValueError, match="X"):
        stability_report(fitted, X[:, :8])


def test_warnings_of_the_fits_point_to_the_call():
    X = np.random.default_rng(0).normal(size=(80, 5))
    with pytest.warns(UserWarning, match="No elbow") as caught:
        stability_report(ElbowClusterer(max_clusters=6), X, n_repeats=1, random_state=0)
    assert {each.filename for each in caught} == {__file__}


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
