import pickle
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from nets import default_device
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit, softmax
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier

from sklearn_cae import KNNProbe, LinearProbe, probes

NAMES = np.array(["normal", "pneumonia", "other"])


def make_embeddings(n_classes=3, n_samples=120, seed=0):
    X, y = make_classification(
        n_samples,
        n_features=6,
        n_informative=4,
        n_redundant=0,
        n_classes=n_classes,
        weights=[0.5, 0.3][: n_classes - 1],
        flip_y=0.2,
        random_state=seed,
    )
    return X, NAMES[y]


def global_states():
    name, keys, *rest = np.random.get_state()
    return [name, keys.tolist(), *rest, torch.get_rng_state().tolist()]


def drawn_rows(probe):
    is_knn = isinstance(probe, KNNProbe)
    return probe.memory_indices_ if is_knn else probe.training_indices_


# ---- Subsets, both probes ----


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.sampled_from("abcd"), min_size=2, max_size=40).filter(lambda y: len(set(y)) > 1),
    st.floats(0.01, 1),
)
@pytest.mark.parametrize(
    "make_probe",
    [
        lambda fraction: KNNProbe(1, memory_fraction=fraction),
        lambda fraction: LinearProbe(fraction, epochs=1),
    ],
    ids=["knn", "linear"],
)
def test_subset_keeps_its_share_of_each_class(make_probe, y, fraction):
    rows = drawn_rows(make_probe(fraction).fit(np.eye(len(y)), y))
    assert_array_equal(rows, np.unique(rows))
    drawn = Counter(y[row] for row in rows)
    assert drawn == {c: max(1, round(fraction * n)) for c, n in Counter(y).items()}


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9)), min_size=2, max_size=40).filter(
        lambda pairs: len({label for label, _ in pairs}) > 1
    ),
    st.floats(0.01, 1),
)
@pytest.mark.parametrize(
    "make_probe",
    [
        lambda fraction: KNNProbe(1, memory_fraction=fraction),
        lambda fraction: LinearProbe(fraction, epochs=1),
    ],
    ids=["knn", "linear"],
)
def test_with_groups_whole_patients_are_drawn(make_probe, pairs, fraction):
    y, patients = map(np.array, zip(*pairs, strict=True))
    probe = make_probe(fraction).fit(np.eye(len(y)), y, groups=patients)
    drawn = np.isin(np.arange(len(y)), drawn_rows(probe))
    assert not set(patients[drawn]) & set(patients[~drawn])
    assert set(y[drawn]) == set(y)
    often = {
        one: min(sorted(y), key=lambda c: -(y[patients == one] == c).sum()) for one in patients
    }
    share = Counter({c: max(1, round(fraction * n)) for c, n in Counter(often.values()).items()})
    found = Counter(often[one] for one in set(patients[drawn]))
    assert found >= share
    # More only for a class that is in none of them.
    assert found.total() <= share.total() + len(set(y)) - 1


def test_patients_are_drawn_by_their_most_frequent_class():
    y = np.array(["a"] * 30 + ["b"] * 10)
    patients = np.repeat(np.arange(20), 2)
    probe = KNNProbe(1, memory_fraction=0.4, random_state=0).fit(np.eye(40), y, patients)
    assert Counter(y[probe.memory_indices_]) == {"a": 12, "b": 4}


@pytest.mark.parametrize("probe", [KNNProbe(1), LinearProbe(epochs=1)], ids=["knn", "linear"])
def test_bad_groups_are_refused(probe):
    X, y = make_embeddings(n_samples=20)
    with pytest.raises(ValueError, match="groups must have 20 entries"):
        probe.fit(X, y, groups=np.arange(19))
    with pytest.raises(ValueError, match=r"groups must name the patient .* got 1 of 20"):
        probe.fit(X, y, groups=[None, *range(19)])


@pytest.mark.parametrize("probe", [KNNProbe(1), LinearProbe(epochs=2)], ids=["knn", "linear"])
def test_groups_are_routed_to_probe_and_splits(probe, monkeypatch):
    X, y = make_embeddings(n_samples=60)
    patients = np.arange(60) // 3
    seen = []
    draw = probes._draw

    def spy(class_index, groups, fraction, rng):
        seen.append(groups)
        return draw(class_index, groups, fraction, rng)

    monkeypatch.setattr(probes, "_draw", spy)
    with config_context(enable_metadata_routing=True):
        probe = clone(probe).set_fit_request(groups=True)
        cross_val_score(probe, X, y, cv=GroupKFold(4), params={"groups": patients})
        name = "n_neighbors" if isinstance(probe, KNNProbe) else "epochs"
        search = GridSearchCV(probe, {name: [1, 2]}, cv=GroupKFold(4))
        search.fit(X, y, groups=patients)
    assert len(seen) == 4 + 2 * 4 + 1
    assert all(set(patients) - set(groups) for groups in seen[:-1])  # some are held back
    assert [len(set(groups)) for groups in seen[:4]] == [15] * 4


@pytest.mark.parametrize(
    "probe", [KNNProbe(memory_fraction=0.3), LinearProbe(0.3, epochs=2)], ids=["knn", "linear"]
)
def test_random_state_decides_the_subset(probe):
    X, y = make_embeddings()
    first, again, other = (clone(probe).set_params(random_state=s).fit(X, y) for s in (0, 0, 1))
    assert_array_equal(drawn_rows(first), drawn_rows(again))
    assert_array_equal(first.predict_proba(X), again.predict_proba(X))
    assert not np.array_equal(drawn_rows(first), drawn_rows(other))


@pytest.mark.parametrize("random_state", [None, 0])
@pytest.mark.parametrize(
    "probe", [KNNProbe(memory_fraction=0.3), LinearProbe(0.3, epochs=2)], ids=["knn", "linear"]
)
def test_global_generators_are_left_alone(probe, random_state):
    X, y = make_embeddings()
    before = global_states()
    clone(probe).set_params(random_state=random_state).fit(X, y).predict(X)
    assert global_states() == before


def test_without_random_state_every_fit_draws_anew():
    X, y = make_embeddings()
    probe = KNNProbe(memory_fraction=0.5)
    np.random.seed(0)
    first = probe.fit(X, y).memory_indices_
    np.random.seed(0)
    assert not np.array_equal(first, probe.fit(X, y).memory_indices_)


# ---- KNNProbe ----


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_knn_is_scikit_learns_on_the_memory_bank(metric):
    X, y = make_embeddings()
    probe = KNNProbe(3, memory_fraction=0.5, metric=metric, random_state=0).fit(X, y)
    bank = probe.memory_indices_
    expected = KNeighborsClassifier(3, metric=metric).fit(X[bank], y[bank])
    assert len(bank) == 60
    assert_array_equal(probe.predict(X), expected.predict(X))
    assert_array_equal(probe.predict_proba(X), expected.predict_proba(X))
    assert_array_equal(probe.classes_, expected.classes_)


def test_default_knn_votes_among_five_by_cosine():
    X, y = make_embeddings()
    expected = KNeighborsClassifier(5, metric="cosine").fit(X, y)
    assert_array_equal(KNNProbe().fit(X, y).predict_proba(X), expected.predict_proba(X))


def test_cosine_ignores_the_length_of_an_embedding():
    X, y = make_embeddings()
    lengths = np.random.RandomState(0).uniform(0.1, 10, size=(len(X), 1))
    cosine, euclidean = (KNNProbe(metric=m).fit(X, y) for m in ("cosine", "euclidean"))
    assert_array_equal(cosine.predict(X * lengths), cosine.predict(X))
    assert not np.array_equal(euclidean.predict(X * lengths), euclidean.predict(X))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_neighbors": 121}, "n_neighbors=121 .* n_samples=120 of 120"),
        ({"memory_fraction": 0.01}, "n_neighbors=5 .* n_samples=3 of 120 .*memory_fraction=0.01"),
        ({"n_neighbors": 0}, "'n_neighbors' parameter"),
        ({"memory_fraction": 0}, "'memory_fraction' parameter"),
        ({"memory_fraction": 1.5}, "'memory_fraction' parameter"),
        ({"metric": "manhattan"}, "'metric' parameter"),
    ],
)
def test_bad_knn_parameters_are_refused(parameters, message):
    X, y = make_embeddings()
    with pytest.raises(ValueError, match=message):
        KNNProbe(**parameters).fit(X, y)


# ---- LinearProbe ----


def train_by_hand(X, y, *, epochs, lr):
    """Full-batch softmax regression from zero by Adam, as a plain loop."""
    X, y = torch.tensor(X), torch.tensor(y)
    weight = torch.zeros(int(y.max()) + 1, X.shape[1], dtype=X.dtype, requires_grad=True)
    bias = torch.zeros(len(weight), dtype=X.dtype, requires_grad=True)
    optimizer = torch.optim.Adam([weight, bias], lr=lr)
    for _ in range(epochs):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(X @ weight.T + bias, y).backward()
        optimizer.step()
    return weight.detach().numpy(), bias.detach().numpy()


@pytest.mark.parametrize("standardize", [True, False])
def test_linear_probe_is_a_plain_loop_on_its_subset(standardize):
    X, y = make_embeddings()
    X = 3 * X + 1
    probe = LinearProbe(0.5, epochs=30, standardize=standardize, random_state=0).fit(X, y)
    drawn = probe.training_indices_
    mean, std = (X[drawn].mean(axis=0), X[drawn].std(axis=0)) if standardize else (0, 1)
    y_index = np.searchsorted(probe.classes_, y[drawn])
    weight, bias = train_by_hand((X[drawn] - mean) / std, y_index, epochs=30, lr=3e-4)
    assert_allclose(
        probe.decision_function(X), (X - mean) / std @ weight.T + bias, rtol=1e-3, atol=1e-5
    )


def test_linear_probe_finds_the_optimum():
    X, y = make_embeddings(n_classes=2, n_samples=300)
    probe = LinearProbe(1.0, epochs=300, learning_rate=0.05, batch_size=300, random_state=0)
    probe.fit(X, y)
    expected = LogisticRegression(C=np.inf, tol=1e-8).fit(X, y)
    assert_allclose(probe.coef_, expected.coef_, atol=1e-2)
    assert_allclose(probe.intercept_, expected.intercept_, atol=1e-2)


@pytest.mark.parametrize(("batch_size", "n_steps"), [(1000, 1), (120, 1), (30, 4), (100, 2)])
def test_an_epoch_takes_one_adam_step_a_batch(batch_size, n_steps):
    # Adam moves a weight whose gradient keeps its sign by the learning rate each step.
    y = np.repeat(NAMES[:2], 60)
    X = np.where(y == NAMES[0], -1.0, 1.0).reshape(-1, 1)
    probe = LinearProbe(1.0, epochs=1, batch_size=batch_size, standardize=False, random_state=0)
    # Both rows move, apart from each other.
    assert_allclose(probe.fit(X, y).coef_, [[2 * n_steps * 3e-4]], rtol=1e-2)


def test_batches_are_shuffled_by_random_state():
    X, y = make_embeddings()
    probe = LinearProbe(1.0, epochs=3, batch_size=10)
    coefs = [probe.set_params(random_state=seed).fit(X, y).coef_ for seed in (0, 0, 1)]
    assert_array_equal(coefs[0], coefs[1])
    assert not np.array_equal(coefs[0], coefs[2])


@pytest.mark.parametrize("n_classes", [2, 3])
def test_linear_decisions_follow_from_the_coefficients(n_classes):
    X, y = make_embeddings(n_classes)
    probe = LinearProbe(epochs=5, random_state=0).fit(X, y)
    scores = X @ probe.coef_.T + probe.intercept_
    is_binary = n_classes == 2
    probabilities = softmax(scores, axis=1)
    if is_binary:
        probabilities = np.hstack([1 - expit(scores), expit(scores)])
    assert probe.coef_.shape == (1 if is_binary else 3, 6)
    assert_allclose(probe.decision_function(X), scores[:, 0] if is_binary else scores)
    assert_allclose(probe.predict_proba(X), probabilities)
    assert_array_equal(probe.predict(X), probe.classes_[probabilities.argmax(axis=1)])


def test_standardised_probe_does_not_see_units():
    X, y = make_embeddings()
    in_other_units = X * np.array([1e-3, 1, 10, 100, 1e3, 1e4]) + 7
    scores = LinearProbe(random_state=0).fit(X, y).decision_function(X)
    probe = LinearProbe(random_state=0).fit(in_other_units, y)
    assert_allclose(probe.decision_function(in_other_units), scores, rtol=1e-3, atol=1e-5)
    probe.set_params(standardize=False).fit(in_other_units, y)
    assert not np.allclose(probe.decision_function(in_other_units), scores, rtol=0.1)


def test_constant_feature_gets_no_weight():
    X, y = make_embeddings()
    X[:, 2] = 5
    assert_array_equal(LinearProbe(random_state=0).fit(X, y).coef_[:, 2], 0)


def test_fit_does_not_depend_on_torch_defaults():
    X, y = make_embeddings()
    expected = LinearProbe(epochs=3, random_state=0).fit(X, y).coef_
    try:
        torch.set_default_dtype(torch.float64)
        with default_device("meta"):
            coef = LinearProbe(epochs=3, random_state=0).fit(X, y).coef_
    finally:
        torch.set_default_dtype(torch.float32)
    assert_array_equal(coef, expected)


def test_an_interrupted_probe_is_not_called_fitted(monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(probes, "cross_entropy", interrupt)
    probe = LinearProbe()
    with pytest.raises(KeyboardInterrupt):
        probe.fit(*make_embeddings())
    assert not hasattr(probe, "coef_")


def test_fitted_linear_probe_is_numpy_only():
    X, y = make_embeddings()
    probe = LinearProbe(epochs=2, random_state=0).fit(X, y)
    pickled = pickle.dumps(probe)
    assert b"torch" not in pickled
    assert b"skorch" not in pickled
    assert_array_equal(pickle.loads(pickled).decision_function(X), probe.decision_function(X))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"label_fraction": 0}, "'label_fraction' parameter"),
        ({"label_fraction": 1.2}, "'label_fraction' parameter"),
        ({"epochs": 0}, "'epochs' parameter"),
        ({"learning_rate": 0}, "'learning_rate' parameter"),
        ({"batch_size": 0}, "'batch_size' parameter"),
        ({"standardize": "yes"}, "'standardize' parameter"),
    ],
)
def test_bad_linear_parameters_are_refused(parameters, message):
    X, y = make_embeddings()
    with pytest.raises(ValueError, match=message):
        LinearProbe(**parameters).fit(X, y)


def test_one_class_is_refused():
    with pytest.raises(ValueError, match=r"at least 2 classes, got 1 class: .*'a'"):
        LinearProbe().fit([[0.0], [1.0]], ["a", "a"])
