"""What scikit-learn users rely on: pipelines, searches, frozen models, columns."""

import pickle
import re
import signal
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn import __version__, config_context
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import normalized_mutual_info_score
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.fixes import parse_version
from skorch.callbacks import Callback

from sklearn_cae import (
    ClusterLabelMapper,
    ContrastiveAutoencoderClusterer,
    KNNProbe,
    LinearProbe,
    load,
    save,
)
from sklearn_cae.clusterers import ElbowClusterer
from sklearn_cae.modules import LogScattering


@pytest.fixture(autouse=True)
def quiet_elbow():
    """Whether a few toy images have an elbow is none of these tests' claims."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "No elbow")
        yield


@pytest.mark.parametrize("probe", [KNNProbe(), LinearProbe(epochs=50, learning_rate=0.01)])
def test_probes_in_a_pipeline(toy_images, make_quick, probe):
    X, y = toy_images
    clusterer = make_quick(output="embedding", warm_up_epochs=8, augmentation="xray")
    assert make_pipeline(clusterer, probe).fit(X, y).score(X, y) > 0.8


def test_grid_search_is_the_same_with_one_and_two_jobs(toy_images, make_quick):
    X, y = toy_images
    pipeline = make_pipeline(
        make_quick(
            n_clusters="elbow", clusterer=ElbowClusterer(max_clusters=4), conditioning_epochs=0
        ),
        ClusterLabelMapper(),
    )
    grid = {"contrastiveautoencoderclusterer__temperature": [0.1, 0.5]}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # what a worker has, so that equal means equal bits
    try:
        with joblib.parallel_config("loky", inner_max_num_threads=1):
            scores = [
                GridSearchCV(pipeline, grid, cv=2, n_jobs=n_jobs, error_score="raise")
                .fit(X, y)
                .cv_results_["mean_test_score"]
                for n_jobs in (1, 2)
            ]
    finally:
        torch.set_num_threads(threads)
    np.testing.assert_array_equal(*scores)
    assert np.isfinite(scores).all()


def test_nested_parameters_of_the_clusterer(toy_images, make_quick):
    X, y = toy_images
    search = GridSearchCV(
        make_pipeline(make_quick(clusterer=KMeans(random_state=0)), ClusterLabelMapper()),
        {"contrastiveautoencoderclusterer__clusterer__n_init": [1, 2]},
        cv=2,
        error_score="raise",
    ).fit(X, y)
    best = search.best_estimator_[0].clusterer_  # what was fitted
    assert best.n_init == search.best_params_["contrastiveautoencoderclusterer__clusterer__n_init"]


def test_cross_validation_without_labels(toy_images, make_quick):
    scores = cross_val_score(make_quick(), toy_images[0], cv=2, error_score="raise")
    assert ((scores > 0) & (scores <= 1)).all()


def test_a_frozen_model_in_a_searched_pipeline_is_not_fitted_again(toy_images, fitted):
    X, y = toy_images
    centers = fitted.cluster_centers_.copy()
    pipeline = make_pipeline(FrozenEstimator(fitted), ClusterLabelMapper())
    search = GridSearchCV(
        pipeline, {"clusterlabelmapper__min_samples": [1, 10]}, cv=2, error_score="raise"
    ).fit(X, y)
    inner = search.best_estimator_.named_steps["frozenestimator"].estimator
    assert inner is fitted
    np.testing.assert_array_equal(inner.cluster_centers_, centers)
    assert search.best_score_ > 0


def test_columns_of_a_table(make_quick):
    rng = np.random.RandomState(0)
    group = rng.randint(3, size=90)
    frame = pd.DataFrame(rng.normal(size=(90, 5)) + 6 * np.eye(5)[group], columns=list("abcde"))
    frame["site"] = group
    columns = ColumnTransformer(
        [("groups", make_quick(warm_up_epochs=5), list("abcde"))], remainder="passthrough"
    )
    columns.set_output(transform="pandas")
    out = columns.fit_transform(frame)
    assert list(out.columns) == [
        *[f"groups__contrastiveautoencoderclusterer{i}" for i in range(3)],
        "remainder__site",
    ]


# ---- scikit-learn's own callbacks ----


class Watcher:
    """Keep what the protocol tells, with the labels of every model that could be asked."""

    def __init__(self, stop_at=None):
        self.stop_at = stop_at
        self.seen = []

    def setup(self, estimator, context):
        self.seen.append("setup")

    def teardown(self, estimator, context):
        self.seen.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.seen.append(f"begin {context.task_name}")

    def on_fit_task_end(self, estimator, context):
        self.seen.append(f"end {context.task_name} {context.task_id}")
        return self.seen[-1] == self.stop_at


class Asker(Watcher):
    """Ask for the model at the end of each task, too."""

    def __init__(self):
        super().__init__()
        self.models = []

    def on_fit_task_end(self, estimator, context, *, X, y, fitted_estimator):
        if fitted_estimator is not None:
            phase = context.parent.task_name if context.parent else ""
            self.models.append((phase, fitted_estimator, fitted_estimator.predict(X)))


class Killer(Watcher):
    """Break a fit at the end of an epoch of a phase."""

    def __init__(self, phase):
        super().__init__()
        self.phase = phase

    def on_fit_task_end(self, estimator, context):
        if context.parent and context.parent.task_name == self.phase:
            raise RuntimeError("killed")


class CtrlC(Callback):
    """Interrupt a phase at the end of an epoch."""

    def __init__(self, phase, epoch):
        self.phase = phase
        self.epoch = epoch

    def on_epoch_end(self, net, **kwargs):
        if (net.phase, len(net.history)) == (self.phase, self.epoch):
            signal.raise_signal(signal.SIGINT)


@pytest.fixture
def skl_callback():
    return pytest.importorskip("sklearn.callback", reason="scikit-learn has callbacks from 1.9 on")


def epochs_of(phase, n):
    return [
        f"begin {phase}",
        *(word for i in range(n) for word in ("begin epoch", f"end epoch {i}")),
    ]


@pytest.mark.usefixtures("skl_callback")
def test_callbacks_of_sklearn_are_told_of_phases_and_epochs(toy_images, make_quick):
    watcher = Watcher()
    make_quick(refinement_epochs=1).set_callbacks(watcher).fit(toy_images[0])
    assert watcher.seen == [
        *["setup", "begin fit"],
        *[*epochs_of("warm_up", 2), "end warm_up 0"],
        *[*epochs_of("refinement", 1), "end refinement 1"],
        *[*epochs_of("conditioning", 1), "end conditioning 2"],
        *["end fit 0", "teardown"],
    ]


@pytest.mark.usefixtures("skl_callback")
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"whiten": True},
        {"n_clusters": "auto"},
        {"variational": True, "refinement_epochs": 0},
        {"encoder": LogScattering, "train_encoder": False, "whiten": True},
    ],
)
def test_the_model_of_an_epoch_is_that_of_a_fit_that_ends_there(toy_images, make_quick, params):
    """And asking for it changes no bit of the fit."""
    X, site, of_fit = toy_images[0], np.arange(len(toy_images[0])) % 2, {}
    if params.get("whiten"):  # without whitening, an encoder that is trained takes no nuisance
        X, of_fit = X / (1 + site)[:, None, None], {"nuisance": site}
    params = {"refinement_epochs": 2, "conditioning_epochs": 2, **params}
    asker = Asker()
    asked = make_quick(**params, verbose=1).set_callbacks(asker).fit(X, **of_fit)
    plain = make_quick(**params).fit(X, **of_fit)
    np.testing.assert_array_equal(asked.cluster_centers_, plain.cluster_centers_)
    np.testing.assert_array_equal(asked.decode_prototypes(), plain.decode_prototypes())
    refinement = ["refinement"] * params["refinement_epochs"]
    assert [phase for phase, *_ in asker.models] == [
        *["warm_up"] * 2,
        *refinement,
        *["conditioning"] * 2,
        "",
    ]
    asked_at = {"warm_up": 2, "refinement": 2, "conditioning": 1}
    for phase in ("warm_up", *refinement[:1], "conditioning"):
        epoch = asked_at[phase]
        _, model, labels = [told for told in asker.models if told[0] == phase][epoch - 1]
        with pytest.warns(ConvergenceWarning, match="interrupted"):
            ended = make_quick(**params, callbacks=[CtrlC(phase, epoch)]).fit(X, **of_fit)
        np.testing.assert_array_equal(labels, ended.labels_)
        assert model.n_iter_ == len(model.history_) == ended.n_iter_
        assert [row["train_loss"] for row in model.history_] == [
            row["train_loss"] for row in ended.history_
        ]
        assert model.provenance_ == ended.provenance_
        assert not model.interrupted_
        assert model.verbose == 1
        np.testing.assert_array_equal(model.decode_prototypes(), ended.decode_prototypes())


@pytest.mark.usefixtures("skl_callback")
def test_a_callback_of_sklearn_ends_a_phase(toy_images, make_quick):
    watcher = Watcher(stop_at="end epoch 1")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clusterer = make_quick(warm_up_epochs=5).set_callbacks(watcher).fit(toy_images[0])
    assert [row["phase"] for row in clusterer.history_] == ["warm_up"] * 2 + ["conditioning"]
    assert not clusterer.interrupted_


@pytest.mark.usefixtures("skl_callback")
def test_a_checkpoint_goes_on_past_the_end_that_a_callback_made(toy_images, make_quick, tmp_path):
    X, _ = toy_images
    params = {"warm_up_epochs": 5, "checkpoint_dir": tmp_path}
    make_quick(**params).set_callbacks(Watcher(stop_at="end epoch 1")).fit(X)
    watcher = Watcher()
    with pytest.warns(UserWarning, match="'conditioning' .* trained again"):
        whole = make_quick(**params).set_callbacks(watcher).fit(X)
    assert len(list(tmp_path.iterdir())) == 1  # callbacks are no part of the fingerprint
    assert watcher.seen[2:13] == epochs_of("warm_up", 5)  # those that were kept are told, too
    np.testing.assert_array_equal(
        whole.cluster_centers_, make_quick(warm_up_epochs=5).fit(X).cluster_centers_
    )


@pytest.mark.usefixtures("skl_callback")
def test_a_phase_that_was_kept_whole_is_told_like_any_other(toy_images, make_quick, tmp_path):
    X, _ = toy_images
    killed = make_quick(checkpoint_dir=tmp_path).set_callbacks(Killer("conditioning"))
    with pytest.raises(RuntimeError, match="killed"):
        killed.fit(X)
    watcher, plain = Watcher(), Watcher()
    make_quick(checkpoint_dir=tmp_path).set_callbacks(watcher).fit(X)
    make_quick().set_callbacks(plain).fit(X)
    assert watcher.seen == plain.seen


@pytest.mark.usefixtures("skl_callback")
def test_callbacks_are_torn_down_where_a_fit_fails(make_quick):
    watcher = Watcher()
    X = np.random.RandomState(0).uniform(size=(40, 16, 16)).astype(np.float32)
    clusterer = make_quick(
        optimizer="lars", learning_rate=1e20, reconstruction_weight=1e30
    ).set_callbacks(watcher)
    with pytest.raises(ValueError, match="NaN or infinite"):
        clusterer.fit(X)
    assert watcher.seen[-1] == "teardown"


def test_scores_of_the_epochs(skl_callback, toy_images, make_quick):
    """scikit-learn's monitor scores where it has y."""
    X, y = toy_images
    monitor = skl_callback.ScoringMonitor(scoring="normalized_mutual_info_score")
    clusterer = make_quick(augmentation="xray").set_callbacks(monitor).fit(X, y)
    rows = monitor.get_logs().data
    scores = [row["normalized_mutual_info_score"] for row in rows]
    assert len(scores) == 4  # three epochs and the fit
    assert scores[0] == normalized_mutual_info_score(y, clusterer.labels_)


@pytest.mark.filterwarnings("ignore:The estimator ClusterLabelMapper does not support callbacks")
def test_progress_of_a_search_of_a_pipeline(skl_callback, toy_images, make_quick, capsys):
    pytest.importorskip("rich", reason="scikit-learn draws its bars with rich")
    X, y = toy_images
    search = GridSearchCV(
        make_pipeline(make_quick(), ClusterLabelMapper()),
        {"contrastiveautoencoderclusterer__temperature": [0.1, 0.5]},
        cv=2,
        n_jobs=2,
        error_score="raise",
    )
    search.set_callbacks(skl_callback.ProgressBar(max_propagation_depth=None)).fit(X, y)
    drawn = capsys.readouterr().out
    assert drawn.count("ContrastiveAutoencoderClusterer - warm_up") == 5
    assert drawn.count("ContrastiveAutoencoderClusterer - conditioning") == 5


def test_a_watched_model_is_cloned_pickled_and_saved(
    skl_callback, toy_images, make_quick, tmp_path
):
    X, y = toy_images
    monitor = skl_callback.ScoringMonitor(scoring="rand_score")
    pipeline = make_pipeline(make_quick().set_callbacks(monitor), ClusterLabelMapper()).fit(X, y)
    assert clone(pipeline)[0]._skl_callbacks == [monitor]
    again = pickle.loads(pickle.dumps(pipeline))
    np.testing.assert_array_equal(again.predict(X), pipeline.predict(X))
    save(pipeline, tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.predict(X), pipeline.predict(X))
    assert not hasattr(again[0], "_skl_callbacks")


# ---- Columns, metadata, notebooks ----


@pytest.mark.parametrize(("library", "kind"), [("pandas", "DataFrame"), ("polars", "DataFrame")])
def test_columns_in_both_libraries(toy_images, make_quick, library, kind):
    frames = pytest.importorskip(library, reason=f"{library} makes its own frames")
    X, y = toy_images
    pipeline = make_pipeline(make_quick(output="distance"), StandardScaler())
    pipeline.set_output(transform=library)
    frame = pipeline.fit_transform(X)
    assert isinstance(frame, getattr(frames, kind))
    assert list(frame.columns) == [f"contrastiveautoencoderclusterer{i}" for i in range(3)]
    named = make_pipeline(pipeline[0], ClusterLabelMapper(input="distance")).fit(X, y)
    assert named[-1].feature_names_in_.tolist() == list(frame.columns)
    plain = np.asarray(pipeline[0].transform(X))
    with config_context(transform_output="default"):
        assert (named.predict(X) == named[-1].mapping_[plain.argmin(axis=1)]).all()


@pytest.fixture
def routing():
    with config_context(enable_metadata_routing=True):
        yield


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize(
    ("output", "last"),
    [
        ("soft_assignment", ClusterLabelMapper),
        ("embedding", lambda: KNNProbe().set_fit_request(groups=False)),
    ],
)
def test_groups_go_to_the_splitter_of_a_search(toy_images, make_quick, output, last):
    X, y = toy_images
    groups = np.arange(len(X)) // 8
    search = GridSearchCV(
        make_pipeline(make_quick(output=output, conditioning_epochs=0), last()),
        {"contrastiveautoencoderclusterer__temperature": [0.1, 0.5]},
        cv=NotesGroups(n_splits=2),
        error_score="raise",
    )
    NotesGroups.seen.clear()
    search.fit(X, y, groups=groups)
    assert NotesGroups.seen
    assert all(given is groups for given in NotesGroups.seen)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


class NotesGroups(GroupKFold):
    """Splits by groups, and notes them."""

    seen = []

    def split(self, X, y=None, groups=None):
        self.seen.append(groups)
        return super().split(X, y, groups)


@pytest.mark.usefixtures("routing")
def test_weights_go_to_the_score_that_asks_for_them(toy_images, make_quick):
    X, y = toy_images
    mapper = ClusterLabelMapper().set_score_request(sample_weight=True)
    pipeline = make_pipeline(make_quick(n_clusters=2), mapper).fit(X, y)  # too few for 3 classes
    right = pipeline.predict(X) == y
    assert 0 < right.mean() < 1
    assert pipeline.score(X, y, sample_weight=right) == 1
    assert pipeline.score(X, y, sample_weight=~right) == 0
    with pytest.raises((TypeError, ValueError), match="sample_weight"):  # no fit takes them
        pipeline.fit(X, y, sample_weight=right)


def rows_of(html, parameters):
    """Class of the row of each parameter in an HTML representation: changed or default."""
    rows = {}
    for kind, row in re.findall(r'<tr class="(user-set|default)">(.*?)</tr>', html, re.DOTALL):
        name = re.search(r'class="param">\s*(?:<a.*?>\s*)?(\w+)', row, re.DOTALL).group(1)
        rows[name] = kind
    return {name: rows[name] for name in parameters}


@pytest.mark.skipif(
    parse_version(__version__) < parse_version("1.7"),
    reason="scikit-learn shows parameters in HTML from 1.7 on",
)
def test_a_notebook_shows_the_parameters(toy_images, make_quick):
    clusterer = ContrastiveAutoencoderClusterer(7, callbacks=[], encoder=lambda: None)
    html = clusterer._repr_html_()
    changed = {"n_clusters", "callbacks", "encoder"}
    expected = {
        name: "user-set" if name in changed else "default" for name in clusterer.get_params()
    }
    assert rows_of(html, clusterer.get_params()) == expected
    assert "href=" not in html  # scikit-learn's pages know nothing of it


def test_a_notebook_shows_a_pipeline_before_and_after_its_fit(toy_images, make_quick):
    X, y = toy_images
    pipeline = make_pipeline(make_quick(), ClusterLabelMapper())
    for shown, has in (
        (pipeline._repr_html_(), "Not fitted"),
        (pipeline.fit(X, y)._repr_html_(), "<span>Fitted</span>"),
    ):
        assert has in shown
        for step in pipeline:
            assert f"{type(step).__name__}</div>" in shown
