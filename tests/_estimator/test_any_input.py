"""Whatever is passed: a result that keeps its promises, or an error before training that helps.

``pytest tests/_estimator/test_any_input.py --hypothesis-profile=release`` tries over 5000 cases.
"""

import copy
import itertools
import re
import tempfile
from collections import Counter

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, assume, event, given, note, settings
from hypothesis import strategies as st
from quick import quick_clusterer
from sklearn.cluster import KMeans

from sklearn_cae import ClusterLabelMapper, KNNProbe, LinearProbe
from sklearn_cae._training import trainer as _trainer
from sklearn_cae.clusterers import CommunityClusterer, MixtureClusterer

pytestmark = pytest.mark.filterwarnings("ignore")
IMAGE_LAYOUTS = ("HW", "CHW", "HWC", "flat")
DTYPES = ("u1", "i1", "i2", "u2", "i4", "u4", "i8", "?", "f2", "f4", "f8")
ODD_DTYPES = ("c8", "U3", "O", "M8[s]")


OUTCOMES = Counter()


def outcome(test, what):
    """Count what became of a case, for hypothesis' statistics and for the figures."""
    event(what)
    OUTCOMES[f"{test}, {what}"] += 1


@pytest.fixture(scope="module", autouse=True)
def _counted(figures):
    yield
    figures["any input"] = dict(sorted(OUTCOMES.items()))
    for test in {name.rpartition(", ")[0] for name in OUTCOMES}:  # refusing all keeps no promise
        assert OUTCOMES[f"{test}, a result"] >= 5, OUTCOMES


# ---- Arrays of any kind ----


@st.composite
def arrays(draw, layouts=(*IMAGE_LAYOUTS, "vector", "odd")):
    """(X, image_shape, layout): mostly what is allowed, and all that is next to it."""
    layout = draw(st.sampled_from([*layouts[:-1] * 3, layouts[-1]]))
    n = draw(st.sampled_from([2, 3, 7, 12, 33] * 4 + [0, 1]))
    sides = draw(st.tuples(*[st.sampled_from([8, 9, 16] * 6 + [0, 1, 7])] * 2))
    channels = draw(st.sampled_from([1, 2, 3, 4] * 3 + [0, 5]))
    shape, image_shape = {
        "HW": ((n, *sides), None),
        "CHW": ((n, channels, *sides), None),
        "HWC": ((n, *sides, channels), None),
        "flat": ((n, sides[0] * sides[1]), sides),
        "vector": ((n, draw(st.sampled_from([3] * 3 + [0, 1, 6]))), None),
        "odd": (tuple(draw(st.lists(st.integers(0, 9), max_size=5))), None),
    }[layout]
    X = draw(values(shape))
    return draw(lying(X, layout)), image_shape, layout


@st.composite
def values(draw, shape):
    """Fill a shape: evenly, with few values, far apart, far off, with what is no number."""
    rng = np.random.RandomState(draw(st.integers(0, 99)))
    X = np.asarray(rng.rand(*shape))
    dtype = draw(st.sampled_from([*DTYPES * 6, *ODD_DTYPES]))
    scale = draw(st.sampled_from([1, 100, 4000] * 4 + [1e-300, 1e-40, 1e18, 1e38, 1e40, 1e300]))
    X = X * scale + draw(st.sampled_from([0, 0, 0, -0.5, -1024, 1e6])) * min(scale, 1e3)
    special = draw(st.sampled_from([None] * 12 + ["nan", "inf", "constant", "two", "one off"]))
    X = np.asarray(X)
    if X.size:
        flat = X.reshape(-1)
        if special in ("nan", "inf"):
            flat[rng.randint(X.size)] = float(special)
        elif special == "constant":
            flat[:] = flat[0]
        elif special == "two":
            flat[:] = np.where(flat > np.median(flat), flat.max(), 0)
        elif special == "one off":
            flat[:-1] = 0
    with np.errstate(all="ignore"):
        if dtype == "M8[s]":
            return np.nan_to_num(X, posinf=0).clip(-1e9, 1e9).astype("i8").astype(dtype)
        return X.astype(dtype)


@st.composite
def lying(draw, X, layout):
    """Lay an array out in memory in some way, or in something that is like an array."""
    way = draw(st.sampled_from(["C", "F", "strided", "reversed", "read-only", "mapped", "other"]))
    if way == "F":
        return np.asfortranarray(X)
    if way == "strided" and X.ndim:
        return np.repeat(X, 2, axis=X.ndim - 1)[..., ::2]
    if way == "reversed" and X.ndim:
        return X[::-1]
    if way == "read-only":
        X.setflags(write=False)
    if way == "mapped" and X.size and X.dtype != object:
        with tempfile.NamedTemporaryFile() as file:
            np.save(file, X)
            file.flush()
            return np.load(file.name, mmap_mode="r")
    if way == "other":
        if X.dtype.kind in "if" and draw(st.booleans()):
            return torch.from_numpy(X.copy())
        if layout == "vector" and X.shape[1]:
            return pd.DataFrame(X, columns=[f"f{i}" for i in range(X.shape[1])])
        return X.tolist()
    return X


def as_array(X):
    return X.numpy() if isinstance(X, torch.Tensor) else np.asarray(X)


# ---- What has to hold ----

#: A loss, and what a callable of the user's own returns, are only known in the first steps.
KNOWN_TO_COME_LATER = "The (loss|weights|embedding) became NaN|augmentation must return"
#: In the words of every estimator of scikit-learn.
SCIKIT_LEARNS = r"Complex data not supported|Input contains NaN$|float\(\) argument|convert string"


def refusal_of(function, *args):
    """Call a function; give the words in which it refuses, or None."""
    try:
        function(*args)
    except (ValueError, TypeError) as error:
        return str(error)
    return None


def fit_or_refuse(model, X, names):
    """Fit; None where it is refused before training, in words that name what is wrong."""
    started = []
    run = _trainer.Trainer.run

    def note_start(self, *args, **kwargs):
        started.append(True)
        return run(self, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_trainer.Trainer, "run", note_start)
        refusal = refusal_of(model.fit, X)
    if refusal is None:
        return model
    note(f"refused: {refusal}")
    assert not started or re.match(KNOWN_TO_COME_LATER, refusal)
    assert re.search(f"{names}|{SCIKIT_LEARNS}|{KNOWN_TO_COME_LATER}", refusal)
    return None


def assert_keeps_promises(model, X):
    before = copy.deepcopy(X)
    assignment = model.predict_proba(X)
    n_samples = len(X)
    assert assignment.shape == (n_samples, model.n_clusters_)
    assert ((assignment >= 0) & (assignment <= 1)).all()
    np.testing.assert_allclose(assignment.sum(axis=1), 1, atol=1e-5)
    labels = model.predict(X)
    assert np.array_equal(assignment[np.arange(n_samples), labels], assignment.max(axis=1))
    reconstruction = model.reconstruct(X)
    assert reconstruction.shape == as_array(X).shape
    assert np.isfinite(reconstruction).all()
    if model.intensity_range_ is not None:
        low, high = np.float32(model.intensity_range_)
        assert low <= reconstruction.min() <= reconstruction.max() <= high
    for made in (model.decode_prototypes(), model.sample(3, random_state=0)[0]):
        assert np.isfinite(made).all()
    assert np.isfinite(model.score(X))
    assert np.array_equal(as_array(before), as_array(X), equal_nan=as_array(X).dtype.kind == "f")
    assert_does_not_depend_on_the_batch(model, X, assignment)


def assert_does_not_depend_on_the_batch(model, X, assignment):
    """Nor on the order of rows, nor on how they lie in memory (decision 12 of the design)."""
    as_it_is = np.array(as_array(X), order="C")
    assert np.array_equal(model.predict_proba(as_it_is), assignment)
    order = np.random.RandomState(0).permutation(len(as_it_is))
    other = copy.copy(model).set_params(batch_size=2 + model.batch_size // 3)
    shuffled = other.predict_proba(as_it_is[order])
    # A softmax multiplies a cosine's tolerance of 1e-6 by what it divides by.
    atol = 1e-6 / min(model.assignment_temperature, 1)
    np.testing.assert_allclose(shuffled, assignment[order], rtol=1e-4, atol=atol)


# ---- The cases ----


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(
    case=arrays(),
    n_clusters=st.sampled_from([1, 2, 3, "elbow", "auto"]),
    params=st.fixed_dictionaries(
        {
            "batch_size": st.sampled_from([2, 5, 32]),
            "whiten": st.booleans(),
            "refinement_epochs": st.integers(0, 1),
            "conditioning_epochs": st.integers(0, 1),
        }
    ),
)
def test_any_training_samples(case, n_clusters, params):
    X, image_shape, _ = case
    model = quick_clusterer(
        n_clusters=n_clusters,
        image_shape=image_shape,
        warm_up_epochs=1,
        embedding_dim=4,
        **params,
    )
    fitted = fit_or_refuse(model, X, r"\bX\b|[Ii]mages|image_shape|sample|n_clusters|array")
    outcome("training samples", "refused" if fitted is None else "a result")
    if fitted is not None:
        assert np.array_equal(fitted.labels_, fitted.predict(X))
        assert_keeps_promises(fitted, X)


SHAPES = [(12, 8, 9), (12, 2, 8, 9), (12, 8, 9, 4)]


@pytest.mark.parametrize(("dtype", "shape"), zip(DTYPES, itertools.cycle(SHAPES), strict=False))
def test_images_of_every_type_give_a_result(dtype, shape):
    X = (100 * np.random.RandomState(0).rand(*shape)).astype(dtype)
    if dtype == "?":
        X = np.random.RandomState(0).rand(*shape) > 0.5
    model = quick_clusterer(warm_up_epochs=1, conditioning_epochs=0).fit(X)
    assert np.array_equal(model.labels_, model.predict(X))
    ranges = {"u1": (0, 255), "?": (0, 1)}
    assert model.intensity_range_ == ranges.get(dtype, (X.min(), X.max()))
    reconstruction = model.reconstruct(X)
    assert reconstruction.dtype == np.float32
    low, high = model.intensity_range_
    assert low <= reconstruction.min() <= reconstruction.max() <= high


@pytest.fixture(scope="module")
def fitted_to():
    """Models of bytes, floats and vectors."""
    rng = np.random.RandomState(0)
    images = rng.rand(24, 8, 8)
    return {
        "bytes": quick_clusterer(warm_up_epochs=1).fit((images * 255).astype(np.uint8)),
        "floats": quick_clusterer(warm_up_epochs=1).fit(images),
        "channels": quick_clusterer(warm_up_epochs=1).fit(rng.rand(24, 3, 8, 9) * 4000 - 1000),
        "vectors": quick_clusterer(warm_up_epochs=1).fit(rng.rand(24, 3)),
    }


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(kind=st.sampled_from(["bytes", "floats", "channels", "vectors"]), data=st.data())
def test_any_new_samples(fitted_to, kind, data):
    model = fitted_to[kind]
    if data.draw(st.integers(0, 4)):  # mostly of the shape that was fitted
        shape = data.draw(st.integers(1, 40)), *model._state.format.image_shape
        X = data.draw(values(shape[:1] + shape[2:] if shape[1] == 1 else shape))
        X = data.draw(lying(X, "vector" if kind == "vectors" else "CHW"))
    else:
        X, _, _ = data.draw(arrays())
    refusal = refusal_of(model.predict, X)
    outcome("new samples", "a result" if refusal is None else "refused")
    if refusal is not None:
        assert re.search(rf"\bX\b|sample|feature|array|{SCIKIT_LEARNS}", refusal)
        return
    assert_keeps_promises(model, X)


ANY_VALUES = st.one_of(
    st.sampled_from(
        [None, "", "elbow", "auto", "adamw", True, np.nan, np.inf, -np.inf, (), [], {}]
    ),
    st.integers(-3, 70),
    st.integers(-(2**70), 2**70),
    st.floats(-5, 100),
    st.sampled_from([np.int64(3), np.float32(0.5), 1e-30, 1e30, 1e300, "cpu", "cosine", KMeans]),
    st.sampled_from([KMeans(2), KMeans(0), MixtureClusterer(2), CommunityClusterer(99), len]),
    st.tuples(st.integers(-1, 9), st.integers(-1, 9)),
)
PARAMETERS = sorted(set(quick_clusterer().get_params()) - {"checkpoint_dir", "verbose"})
#: These may ask for more memory or time than there is, which no rule can know.
LARGEST = {"embedding_dim": 300, "warm_up_epochs": 3, "conditioning_epochs": 3}
LARGEST |= {"refinement_epochs": 3, "variational": 10**6}


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(name=st.sampled_from(PARAMETERS), value=ANY_VALUES, seed=st.integers(0, 5))
def test_any_parameter(name, value, seed):
    is_number = isinstance(value, (int, float, np.generic)) and not isinstance(value, bool)
    assume(not (is_number and value > LARGEST.get(name, np.inf)))
    X = np.random.RandomState(seed).rand(14, 8, 8).astype(np.float32)
    model = quick_clusterer(
        **{"n_clusters": 2, "warm_up_epochs": 1, "embedding_dim": 4, name: value}
    )
    fitted = fit_or_refuse(model, X, rf"{name}|n_init|n_clusters")
    outcome("parameters", "refused" if fitted is None else "a result")
    if fitted is not None and fitted.output == "soft_assignment":
        assert_keeps_promises(fitted, X)


LABELS = st.one_of(
    st.lists(st.integers(-3, 4), max_size=20),
    st.lists(st.sampled_from(["a", "b", ""]), max_size=20),
    st.lists(st.one_of(st.sampled_from(["a", "b"]), st.none()), max_size=20),
    st.lists(st.sampled_from([0.0, 1.0, np.nan, np.inf, 0.5]), max_size=20),
    st.lists(st.booleans(), max_size=20),
    st.lists(st.one_of(st.integers(0, 2), st.sampled_from(["a", None, np.nan])), max_size=20),
    st.lists(st.sampled_from(np.array(["2020", "2021"], "M8[Y]").tolist()), max_size=20),
)
HOLDERS = {
    "list": list,
    "array": np.asarray,
    "objects": lambda y: np.array(y, dtype=object),
    "series": pd.Series,
    "categories": lambda y: pd.Series(pd.Categorical(y)),
    "column": lambda y: np.asarray(y).reshape(-1, 1),
    "masked": lambda y: pd.array(y),
}


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(
    y=LABELS,
    holder=st.sampled_from(sorted(HOLDERS)),
    missing=st.sampled_from([None, -1, "", np.nan, 0]),
    probe=st.sampled_from([None, KNNProbe(2), LinearProbe(epochs=1, random_state=0)]),
)
def test_any_labels(y, holder, missing, probe):
    try:
        labels = HOLDERS[holder](y)
    except (ValueError, TypeError):
        assume(False)
    assignment = np.eye(3)[np.arange(len(y)) % 3].reshape(-1, 3)
    model = probe or ClusterLabelMapper(missing_label=missing)
    refusal = refusal_of(model.fit, assignment, labels)
    outcome("labels", "a result" if refusal is None else "refused")
    if refusal is not None:
        assert re.search(rf"\by\b|label|sample|class|n_neighbors|{SCIKIT_LEARNS}", refusal)
        return
    probability = model.predict_proba(assignment)
    np.testing.assert_allclose(probability.sum(axis=1), 1, atol=1e-6)
    predicted = model.predict(assignment)
    assert np.array_equal(predicted, model.classes_[probability.argmax(axis=1)])
    assert set(predicted) <= set(np.ravel(labels))
