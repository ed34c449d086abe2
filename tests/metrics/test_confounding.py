"""Groups against nuisances: by hand, by other packages, under no effect, and what is refused."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.cluster import DBSCAN, KMeans
from sklearn.exceptions import NotFittedError
from sklearn.metrics import (
    adjusted_mutual_info_score,
    adjusted_rand_score,
    mutual_info_score,
    normalized_mutual_info_score,
)
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor, NearestNeighbors

from sklearn_cae import ContrastiveAutoencoderClusterer
from sklearn_cae._statistics import patients as permutations
from sklearn_cae.metrics import confounding_report

N = 120
SITE = np.array(["A", "B", "A", "C"] * 30)
PATIENTS = np.arange(N) // 2
LABELS = (np.arange(N) // 7) % 3


@pytest.fixture(autouse=True)
def _few_permutations(monkeypatch):
    monkeypatch.setattr(permutations, "PERMUTATIONS", 99)


def embed(seed=0, n=N):
    return np.random.RandomState(seed).normal(size=(n, 6))


def report(labels=LABELS, X=None, nuisance=SITE, y=None, **params):
    X = embed() if X is None else X
    params = {"random_state": 0, "n_resamples": 100, **params}
    return confounding_report(labels, X, nuisance, y, **params)


# ---- The table ----


def test_agreement_is_that_of_scikit_learn():
    y = np.where(np.arange(N) % 5, "ill", "well")
    row = report(y=y).table.loc["nuisance"]
    assert row.kind == "categories"
    assert row.nmi == pytest.approx(normalized_mutual_info_score(LABELS, SITE))
    assert row.ari == pytest.approx(adjusted_rand_score(LABELS, SITE))
    assert row.carried == pytest.approx(
        mutual_info_score(SITE, y) / stats.entropy(np.unique(y, return_counts=True)[1])
    )
    within = [
        adjusted_mutual_info_score(LABELS[y == one], SITE[y == one]) for one in ("ill", "well")
    ]
    assert row.within_label == pytest.approx(0.8 * within[0] + 0.2 * within[1])


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_a_knn_is_that_of_scikit_learn_on_patients_left_out(metric):
    sizes = np.random.RandomState(1).randint(1, 5, 60)
    patients = np.repeat(np.arange(60), sizes)[:N]
    X, age = embed(), np.random.RandomState(2).rand(N)
    X[:, 0] += age + (SITE == "B")
    found = report(
        X=X, nuisance=pd.DataFrame({"site": SITE, "age": age}), groups=patients, metric=metric
    ).table
    left_out = {"groups": patients, "cv": LeaveOneGroupOut()}
    told = cross_val_predict(KNeighborsClassifier(metric=metric), X, SITE, **left_out)
    assert found.knn["site"] == pytest.approx((told == SITE).mean())
    ranks = stats.rankdata(age)
    told = cross_val_predict(KNeighborsRegressor(metric=metric), X, ranks, **left_out)
    assert found.knn["age"] == pytest.approx(np.corrcoef(told, ranks)[0, 1])
    assert found.knn_majority["site"] == 0.5
    assert found.loc["age", ["nmi", "ari", "knn_majority", "neighbors"]].isna().all()


def test_neighbours_of_the_own_site_are_counted():
    X = embed()
    index = NearestNeighbors(n_neighbors=4).fit(X).kneighbors(X, return_distance=False)[:, 1:]
    row = report(X=X, n_neighbors=3, metric="euclidean").table.loc["nuisance"]
    assert row.neighbors == pytest.approx((SITE[index] == SITE[:, None]).mean())
    assert row.neighbors_by_chance == pytest.approx((60 * 59 + 60 * 29) / (N * (N - 1)), abs=0.01)


def test_numbers_are_compared_by_ranks():
    age = np.random.RandomState(0).rand(N) + LABELS
    row = report(nuisance=pd.Series(age, name="age")).table.loc["age"]
    h = stats.kruskal(*(age[LABELS == one] for one in range(3))).statistic
    assert row.kind == "numbers"
    assert row.effect == pytest.approx((h - 2) / (N - 3), abs=0.01)
    assert row.p_value == 1 / 100
    once = report(nuisance=np.exp(age)).table.loc["nuisance"]
    assert once.drop("kind").astype(float).equals(row.drop("kind").astype(float))


def test_a_planted_scanner_is_found():
    X, scanner = embed(), np.arange(N) % 2
    X[:, 0] += 8 * scanner - 4
    clusterer = KMeans(2, n_init=2, random_state=0).fit(X)
    found = report(clusterer, X, pd.Series(scanner, name="scanner"), np.arange(N) // 60)
    row = found.table.loc["scanner"]
    assert row.nmi > 0.9
    assert row.knn > 0.98
    assert row.within_label > 0.9
    assert found.label.knn < 0.65
    assert found.notes[0].startswith("Group 0 goes with scanner")
    assert len(found.notes) == 2


def test_a_scanner_beside_the_groups_is_read_from_the_embedding():
    X, scanner, ill = embed(), np.arange(N) % 2, np.arange(N) // 60
    X[:, 0] += 8 * ill - 4
    X[:, 1] += 8 * scanner - 4
    found = report(ill, X, scanner, ill)
    assert found.table.nmi.item() < 0.02
    assert found.table.p_value.item() > 0.05
    assert found.table.knn.item() > 0.98
    assert found.table.knn_p_value.item() == 0.01
    assert found.label.nmi == 1
    assert not found.notes


def test_groups_that_follow_the_label_alone_are_told_apart_within_it():
    """The scanner sees most of the sick: its agreement with the groups is that of the label."""
    rng = np.random.RandomState(0)
    ill = rng.randint(2, size=400)
    scanner = np.where(rng.rand(400) < 0.8, ill, 1 - ill)
    of_label = report(ill, embed(n=400), scanner, ill).table.loc["nuisance"]
    of_scanner = report(scanner, embed(n=400), scanner, ill).table.loc["nuisance"]
    assert of_label.p_value == of_scanner.p_value == 0.01
    assert of_label.within_label == 0
    assert of_scanner.within_label == pytest.approx(1)
    assert of_label.carried == pytest.approx(0.28, abs=0.08)


def test_what_goes_together_cannot_be_parted():
    ill = np.arange(N) % 2
    found = report(nuisance=pd.Series(np.where(ill, "north", "south"), name="site"), y=ill)
    assert found.table.carried["site"] == pytest.approx(1)
    assert found.notes[-2].startswith("site carries 100% of the information about the label (")
    assert "no method can part them" in found.notes[-1]


def test_the_quarters_of_a_number_may_carry_the_label():
    age = np.random.RandomState(0).rand(N)
    found = report(nuisance=age, y=np.where(age > np.median(age), "old", "young")).table
    assert found.carried.item() == pytest.approx(1)
    assert found.carried_by_chance.item() < 0.1


def test_p_values_are_corrected_for_the_number_of_nuisances():
    rng = np.random.RandomState(3)
    nuisances = pd.DataFrame(rng.rand(N, 4)).add_prefix("column ")
    found = report(nuisance=nuisances, y=np.arange(N) % 2).table
    for name in ("p", "knn_p", "carried_p"):
        expected = stats.false_discovery_control(found[f"{name}_value"])
        assert found[f"{name}_adjusted"].tolist() == pytest.approx(expected.tolist())


@pytest.mark.parametrize("of_patients", [False, True])
def test_p_values_are_uniform_without_an_effect(of_patients, monkeypatch):
    monkeypatch.setattr(permutations, "PERMUTATIONS", 39)
    rng, found = np.random.RandomState(0), []
    for seed in range(50):
        groups = np.arange(60) // 3
        of_patient = rng.normal(size=(20, 6))[groups]
        X = of_patient + 0.3 * rng.normal(size=(60, 6)) if of_patients else embed(seed, 60)
        labels = (X[:, 0] > 0).astype(int)
        site = rng.randint(2, size=20)[groups] if of_patients else rng.randint(2, size=60)
        age = rng.rand(20)[groups] if of_patients else rng.rand(60)
        row = report(
            labels,
            X,
            pd.DataFrame({"site": site, "age": age}),
            groups=groups if of_patients else None,
        ).table
        found.append(row[["p_value", "knn_p_value"]].to_numpy().ravel())
    for p_values in np.transpose(found):
        assert 2 <= (p_values <= 0.2).sum() <= 19  # 10 of 50 are expected
        assert p_values.mean() == pytest.approx(0.5, abs=0.15)


def test_images_of_a_patient_are_no_evidence():
    """Each patient has a site and a look of its own: images alone would tell the site."""
    rng = np.random.RandomState(1)
    groups = np.repeat(np.arange(30), 4)
    X, site = rng.normal(size=(30, 6))[groups], rng.randint(2, size=30)[groups]
    X += 0.1 * rng.normal(size=X.shape)
    assert report(X=X, nuisance=site).table.knn.item() > 0.95
    by_patient = report(X=X, nuisance=site, groups=groups)
    assert by_patient.table.knn.item() < 0.75
    assert by_patient.table.knn_p_value.item() > 0.05
    assert (by_patient.n_samples, by_patient.n_patients) == (120, 30)


# ---- What groups consist of ----


def test_make_up_by_hand():
    labels = np.array([0] * 60 + [1] * 60)
    site = np.array(["A"] * 45 + ["B"] * 75)
    makeup = report(labels, nuisance=site, groups=PATIENTS, n_resamples=500).makeup["nuisance"]
    row = makeup.loc[(0, "A")]
    assert (row.n_samples, row.n_patients) == (45, 23)
    assert (row.share, row.overall) == (0.75, 0.375)
    assert row.high - row.low == pytest.approx(2 * 1.96 * np.sqrt(0.75 * 0.25 / 30), rel=0.15)
    # None of 30 patients: the exact limit.
    none = makeup.loc[(1, "A")]
    assert (none.share, none.low) == (0, 0)
    assert none.high == pytest.approx(stats.beta.ppf(0.975, 1, 30))
    assert makeup.loc[(1, "B"), "low"] == pytest.approx(stats.beta.ppf(0.025, 30, 1))


def test_medians_of_groups():
    age = np.random.RandomState(0).rand(N)
    makeup = report(nuisance=age, n_resamples=500).makeup["nuisance"]
    for group, row in makeup.iterrows():
        inside = age[LABELS == group]
        assert row["median"] == pytest.approx(np.median(inside))
        expected = stats.bootstrap((inside,), np.median, method="percentile", rng=0)
        assert row.low == pytest.approx(expected.confidence_interval.low, abs=0.06)
        assert row.high == pytest.approx(expected.confidence_interval.high, abs=0.06)
    assert makeup.overall.tolist() == [np.median(age)] * 3


# ---- What may be passed ----


def test_an_autoencoder_embeds_its_images(fitted, toy_images):
    X, y = toy_images
    site = np.arange(96) % 2
    found = report(fitted, X, site, y)
    assigned = fitted.assign(X)
    expected = report(assigned.labels, assigned.embedding, site, y)
    assert found.to_dict() == expected.to_dict()


def test_ways_to_pass_a_nuisance_agree():
    codes = np.unique(SITE, return_inverse=True)[1]
    expected = report().table
    shuffled = np.random.RandomState(0).permutation(N)
    for nuisance in (
        list(SITE),
        codes,
        codes.astype(float) + 7,
        pd.Series(SITE, index=shuffled),
        pd.Series(SITE, dtype="category", name="nuisance"),
        pd.DataFrame({"nuisance": SITE}, index=shuffled),
    ):
        pd.testing.assert_frame_equal(report(nuisance=nuisance).table, expected)


def test_reports_repeat_and_are_json():
    y = np.arange(N) % 2
    nuisances = pd.DataFrame({"site": SITE, "age": np.arange(N) % 40 / 7})
    one, other = (report(nuisance=nuisances, y=y, groups=PATIENTS) for _ in range(2))
    assert one.to_dict() == other.to_dict()
    told = one.to_dict()
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert told["makeup"]["site"][0]["category"] == "A"
    assert told["label"]["kind"] == "categories"
    text = repr(one)
    assert text.startswith("Confounding report: 120 samples of 60 patients, 3 groups\n")
    assert max(map(len, text.splitlines()[:12])) <= 90
    assert "about the label" in text
    assert "about the label" not in repr(report())


def test_one_group_is_not_compared():
    found = report(np.zeros(N, int))
    assert found.table.nmi.item() == found.table.ari.item() == 0
    assert np.isnan(found.table.p_adjusted.item())
    assert found.table.knn_p_value.notna().all()
    assert "–" in repr(found)


# ---- What is refused, before anything is computed ----

TWO = np.arange(N) % 2
AGES = np.random.RandomState(0).rand(N)


def gap(values, by):
    values = np.array(values, dtype=object)
    values[3] = by
    return values


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"nuisance": PATIENTS, "groups": PATIENTS}, ValueError, "must not name patients"),
        ({"nuisance": None}, ValueError, "requires nuisance to be passed"),
        ({"y": np.ones(N)}, ValueError, "y must hold at least two labels, got only 1.0"),
        ({"y": TWO[:9]}, ValueError, "y must have 120 entries"),
        ({"y": AGES}, ValueError, "continuous"),
        ({"groups": PATIENTS[:9]}, ValueError, "groups must have 120 entries"),
        ({"groups": ["a"] * N}, ValueError, "groups must hold at least 2 patients, got one: 'a'"),
        ({"labels": LABELS[:9]}, ValueError, "clusterer_or_labels must have 120 entries"),
        ({"labels": LABELS + 0.5}, ValueError, "clusterer_or_labels must be discrete"),
        ({"labels": KMeans(2)}, NotFittedError, "not fitted"),
        ({"labels": DBSCAN().fit(embed())}, TypeError, "clusterer with predict.* labels_"),
        ({"metric": "cityblock"}, ValueError, "metric must be one of"),
        ({"n_neighbors": 120}, ValueError, "n_neighbors must be at most 119"),
        ({"n_neighbors": 0}, ValueError, "n_neighbors == 0"),
        ({"n_resamples": 9}, ValueError, "n_resamples == 9"),
        ({"X": np.full((N, 2), np.nan)}, ValueError, "X contains NaN"),
        ({"X": "images.npy"}, TypeError, "X must be an array, got the text"),
    ],
    ids=range(17),
)
def test_what_is_refused(params, error, message):
    with pytest.raises(error, match=message):
        report(**params)


def test_bad_nuisances_are_told_before_images_are_embedded(toy_images):
    class Untouched(KMeans):
        def predict(self, X):
            raise AssertionError

    clusterer = Untouched(2, n_init=1).fit(embed())
    with pytest.raises(ValueError, match="must be known"):
        report(clusterer, nuisance=gap(SITE, None))
    with pytest.raises(NotFittedError):
        report(ContrastiveAutoencoderClusterer(), toy_images[0], np.arange(96) % 2)


def test_small_sites_are_told():
    few = np.where(np.arange(N) < 5, "D", SITE)
    with pytest.warns(UserWarning, match=r"of nuisance have fewer than 10.*D has 5 of 5"):
        assert report(nuisance=few).makeup["nuisance"].loc[(0, "D"), "n_samples"] == 5
    patients = np.maximum(PATIENTS - 5, 0)  # the first has twelve images
    lone = np.where(patients == 0, "D", SITE)
    with pytest.warns(UserWarning, match="D has 12 of 1"):
        report(nuisance=lone, groups=patients)
