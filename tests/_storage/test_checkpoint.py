"""Interrupted fits: resumed at the last epoch, to the same bits, and nothing overwritten."""

import copy
import dataclasses
import functools
import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from quick import quick_clusterer
from scipy import sparse
from sklearn.base import clone
from sklearn.cluster import AgglomerativeClustering, KMeans, MiniBatchKMeans
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback, EarlyStopping, Freezer
from torch import nn

from sklearn_cae import ClusterLabelMapper
from sklearn_cae._grouping import search
from sklearn_cae._storage import container, files, fingerprint
from sklearn_cae._training import trainer
from sklearn_cae.clusterers import CommunityClusterer, ElbowClusterer
from sklearn_cae.modules import DeepDecoder, LogScattering, UnpooledEncoder

EPOCHS = {"warm_up_epochs": 3, "conditioning_epochs": 2}


@pytest.fixture
def make_quick(make_quick):
    """Make clusterers whose phases have a middle, in which these tests stop or look."""
    return partial(make_quick, **EPOCHS)


@pytest.fixture(scope="module")
def finished_once(toy_images, tmp_path_factory):
    """Fit with a checkpoint once: the model and its folder, which tests copy."""
    folder = tmp_path_factory.mktemp("finished")
    return quick_clusterer(**EPOCHS, checkpoint_dir=folder).fit(toy_images[0]), folder


@pytest.fixture
def finished(finished_once, tmp_path):
    """Return a fitted model, and an unfitted one whose checkpoint holds that whole fit."""
    model, folder = finished_once
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    return model, clone(model).set_params(checkpoint_dir=tmp_path)


@pytest.fixture(scope="module")
def plain(toy_images):
    """Fit without a checkpoint, once."""
    return quick_clusterer(**EPOCHS).fit(toy_images[0])


class DropoutEncoder(nn.Sequential):
    """Draws from torch's global generator in training."""

    def __init__(self, image_shape, embedding_dim):
        super().__init__(
            nn.Flatten(), nn.Dropout(), nn.Linear(image_shape[1] * image_shape[2], embedding_dim)
        )


class CountEpochs(Callback):
    """Remembers what is lost where a callback starts anew."""

    def on_train_begin(self, net, **kwargs):
        self.seen_ = 0

    def on_epoch_end(self, net, **kwargs):
        self.seen_ += 1
        net.history.record("seen", self.seen_)


VARIANTS = {
    "defaults": {},
    "lars": {
        "optimizer": "lars",
        "n_clusters": "elbow",
        "clusterer": ElbowClusterer(max_clusters=4),
    },
    "refinement": {
        "n_clusters": "auto",
        "encoder": UnpooledEncoder,
        "whiten": True,
        "refinement_epochs": 2,
    },
    "variational": {"variational": 1.0},
    "global generator": {"encoder": DropoutEncoder},
    "callbacks": {"callbacks": [CountEpochs(), ("stop", EarlyStopping("train_loss", patience=1))]},
    "bfloat16": {"precision": "bfloat16"},
    "fixed": {
        "encoder": LogScattering,
        "train_encoder": False,
        "decoder": DeepDecoder,
        "whiten": True,
        "refinement_epochs": 2,
    },
}


class Killed(BaseException):
    """As good as a SIGKILL after a checkpoint; the real ones take minutes, in test_reliability."""


def kill_after(n_writes, monkeypatch):
    """Let a fit die after so many checkpoints."""
    write = container.write
    left = [n_writes]

    def count(*args):
        write(*args)
        left[0] -= 1
        if left[0] == 0:
            raise Killed

    monkeypatch.setattr(container, "write", count)


def fit_in_pieces(model, X, n_writes):
    """Fit, die after every so many checkpoints, and fit again until it comes to an end."""
    n_deaths = 0
    while True:
        with pytest.MonkeyPatch.context() as monkeypatch:
            kill_after(n_writes, monkeypatch)
            try:
                return clone(model).fit(X), n_deaths
            except Killed:
                n_deaths += 1


def assert_same_fit(one, other, but=None):
    for name in ("encoder_", "projection_head_", "decoder_", "log_variance_head_"):
        networks = [getattr(model, name) for model in (one, other)]
        if networks != [None, None]:
            first, second = (network.state_dict() for network in networks)
            assert first.keys() == second.keys()
            assert all(torch.equal(first[key], second[key]) for key in first)
    names = ("cluster_centers_", "labels_", "embedding_means_", "embedding_covariances_")
    assert all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)
    first, second = (
        [
            {name: value for name, value in row.items() if name not in ("dur", but)}
            for row in model.history_
        ]
        for model in (one, other)
    )
    assert first == second


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("name", "n_writes"), [*((name, 1) for name in VARIANTS), ("defaults", 3), ("callbacks", 3)]
)
def test_a_fit_in_pieces_is_the_fit(tmp_path, toy_images, make_quick, name, n_writes):
    X, _ = toy_images
    model = make_quick(**VARIANTS[name])
    state = torch.get_rng_state()
    resumed, n_deaths = fit_in_pieces(model.set_params(checkpoint_dir=tmp_path), X, n_writes)
    assert n_deaths > 1
    assert torch.equal(torch.get_rng_state(), state)
    assert_same_fit(resumed, model.set_params(checkpoint_dir=None).fit(X))


def test_a_fit_of_volumes_resumes(tmp_path, toy_volumes, make_quick):
    X = toy_volumes[0][:40]
    model = make_quick(spatial_dims=3, **VARIANTS["refinement"], checkpoint_dir=tmp_path)
    resumed, n_deaths = fit_in_pieces(model, X, 2)
    assert n_deaths > 1
    assert_same_fit(resumed, model.set_params(checkpoint_dir=None).fit(X))


def test_fits_of_versions_without_volumes_are_the_same_fits(tmp_path, toy_images, make_quick):
    model = make_quick(checkpoint_dir=tmp_path).fit(toy_images[0])
    (folder,) = tmp_path.iterdir()
    params = json.loads((folder / "fit.json").read_text())["parameters"]
    assert not {"spatial_dims", "train_encoder"} & params.keys()
    volumes = np.stack([toy_images[0]] * 8, axis=1)
    with pytest.raises(ValueError, match=r"another fit: .*spatial_dims was 2 and is 3"):
        model.set_params(checkpoint_dir=folder, spatial_dims=3).fit(volumes)


@pytest.mark.parametrize("seed", [None, np.random.RandomState(4)])
def test_the_seed_is_that_of_the_beginning(tmp_path, toy_images, make_quick, seed):
    X, _ = toy_images
    model = make_quick(random_state=seed, checkpoint_dir=tmp_path)
    resumed, _ = fit_in_pieces(model, X, 2)
    with pytest.warns(UserWarning, match="loaded"):
        again = clone(model).fit(X)
    assert_same_fit(resumed, again)
    if seed is not None:
        assert_same_fit(resumed, make_quick(random_state=seed).fit(X))


def test_a_finished_fit_is_loaded(finished, toy_images, monkeypatch):
    X, _ = toy_images
    model, unfitted = finished

    def train(*args, **kwargs):
        raise AssertionError("it was trained")

    monkeypatch.setattr("skorch.NeuralNet.run_single_epoch", train)
    with pytest.warns(UserWarning, match="already finished in .* not trained again"):
        again = (
            clone(unfitted)
            .set_params(device=torch.device("cpu"), output="embedding", verbose=1)
            .fit(X)
        )
    assert_same_fit(model, again)
    with pytest.raises(AssertionError, match="it was trained"):
        clone(unfitted).set_params(temperature=0.3).fit(X)
    with pytest.raises(AssertionError, match="it was trained"):
        unfitted.fit(X[::-1])


@pytest.mark.usefixtures("finished")
def test_values_count_and_not_how_they_lie_in_memory(tmp_path, toy_images, make_quick):
    X, _ = toy_images
    with pytest.warns(UserWarning, match="loaded"):
        make_quick(checkpoint_dir=str(tmp_path)).fit(np.asfortranarray(X))
    make_quick(checkpoint_dir=tmp_path).fit(X.astype(np.int16))
    assert len(list(tmp_path.iterdir())) == 2


def test_an_interrupted_fit_goes_on(tmp_path, toy_images, make_quick, plain):
    class Interrupt(Callback):
        def on_epoch_begin(self, net, **kwargs):
            if len(net.history) == 2 and interrupts.pop():
                raise KeyboardInterrupt

    interrupts = [False, False, True, True]  # both phases come through at the third time
    X, _ = toy_images
    model = make_quick(callbacks=[Interrupt()], checkpoint_dir=tmp_path)
    for phase in ("warm_up", "warm_up"):
        with pytest.warns(match=f"interrupted after 1 of 3 epochs of the phase '{phase}'"):
            assert clone(model).fit(X).interrupted_
    resumed = clone(model).fit(X)
    assert not resumed.interrupted_
    assert_same_fit(resumed, plain)


class OwnGenerator:
    """Views with a generator of their own, as MONAI's are."""

    def __init__(self):
        self.rng = np.random.RandomState()

    def set_random_state(self, seed):
        self.rng = np.random.RandomState(seed)

    def __call__(self, batch):
        return batch + 0.05 * torch.tensor(self.rng.normal(size=batch.shape)).to(batch)


def test_views_with_a_generator_of_their_own_go_on(tmp_path, toy_images, make_quick):
    class Interrupt(Callback):
        def on_epoch_begin(self, net, **kwargs):
            if len(net.history) == 2 and not (tmp_path / "interrupted").exists():
                (tmp_path / "interrupted").touch()
                raise KeyboardInterrupt

    X, _ = toy_images
    params = {"callbacks": [Interrupt()], "conditioning_epochs": 1}
    with pytest.warns(match="interrupted after 1 of 3 epochs"):
        make_quick(augmentation=OwnGenerator(), checkpoint_dir=tmp_path / "kept", **params).fit(X)
    again = make_quick(augmentation=OwnGenerator(), checkpoint_dir=tmp_path / "kept", **params)
    assert_same_fit(again.fit(X), make_quick(augmentation=OwnGenerator(), **params).fit(X))
    assert len(list((tmp_path / "kept").iterdir())) == 1  # that of the fit before


def test_clones_of_a_grid_search_do_not_collide(tmp_path, toy_images, make_quick):
    X, _ = toy_images
    model = make_quick(warm_up_epochs=1, conditioning_epochs=0, checkpoint_dir=tmp_path)
    search = GridSearchCV(model, {"temperature": [0.3, 0.6]}, cv=2).fit(X)
    assert len(list(tmp_path.iterdir())) == 5  # 2 x 2, and the best on all
    with pytest.warns(UserWarning, match="loaded"):
        again = clone(search).fit(X)
    assert_same_fit(search.best_estimator_, again.best_estimator_)


def test_a_checkpoint_that_is_named_has_to_be_of_this_fit(tmp_path, toy_images, make_quick):
    X, _ = toy_images
    make_quick(checkpoint_dir=tmp_path, clusterer=KMeans(n_init=1)).fit(X)
    (folder,) = tmp_path.iterdir()
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    model = make_quick(checkpoint_dir=folder, clusterer=KMeans(n_init=1))
    with pytest.warns(UserWarning, match="loaded"):
        clone(model).fit(X)
    named = r"checkpoint of another fit: temperature was 0\.5 and is 0\.3\. Pass its parent folder"
    with pytest.raises(ValueError, match=named):
        clone(model).set_params(temperature=0.3).fit(X)
    with pytest.raises(ValueError, match=r"another fit: data was .*; clusterer was"):
        clone(model).set_params(clusterer=KMeans(n_init=2)).fit(X[:50])
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_warm_start_is_another_fit(tmp_path, toy_images, make_quick):
    X, _ = toy_images
    model = make_quick(checkpoint_dir=tmp_path, warm_start=True).fit(X)
    first = model.encoder_[0].weight.clone()
    model.fit(X)
    assert not torch.equal(model.encoder_[0].weight, first)
    assert len(list(tmp_path.iterdir())) == 2


# ---- Disks ----


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), OSError(30, "Read-only")]
)
def test_a_fit_goes_on_without_a_disk(tmp_path, toy_images, make_quick, plain, monkeypatch, error):
    X, _ = toy_images
    kill_after(2, monkeypatch)
    with pytest.raises(Killed):
        make_quick(checkpoint_dir=tmp_path).fit(X)
    monkeypatch.undo()
    (folder,) = tmp_path.iterdir()
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def fail(handle):
        raise error

    monkeypatch.setattr(container.os, "fsync", fail)
    with pytest.warns(UserWarning, match=rf"written to {folder}: .*{error.strerror}.*continues"):
        model = make_quick(checkpoint_dir=tmp_path).fit(X)
    monkeypatch.undo()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert_same_fit(model, plain)
    assert_same_fit(model, make_quick(checkpoint_dir=tmp_path).fit(X))  # from where it was


def test_a_fit_goes_on_where_its_folder_vanishes(tmp_path, toy_images, make_quick, plain):
    class Vanish(Callback):
        def on_epoch_begin(self, net, **kwargs):
            shutil.rmtree(tmp_path, ignore_errors=True)

    X, _ = toy_images
    with pytest.warns(UserWarning, match="No checkpoint could be written"):
        model = make_quick(callbacks=[Vanish()], checkpoint_dir=tmp_path / "kept").fit(X)
    assert_same_fit(model, plain)
    assert not tmp_path.exists()


def test_a_folder_that_cannot_be_written_is_named_before_training(
    tmp_path, toy_images, make_quick, monkeypatch
):
    monkeypatch.setattr(trainer.Trainer, "run", None)
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="checkpoint_dir must be a writable folder, got"):
        make_quick(checkpoint_dir=tmp_path / "file").fit(toy_images[0])


def test_a_damaged_checkpoint_is_trained_anew(finished, tmp_path, toy_images):
    model, unfitted = finished
    (folder,) = tmp_path.iterdir()
    path = folder / "conditioning.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    (folder / ".warm_up.safetensors.123.tmp").touch()  # as a kill leaves it
    with pytest.warns(UserWarning, match="'conditioning' saved in .* trained again: .*damaged"):
        again = unfitted.fit(toy_images[0])
    assert_same_fit(model, again)
    names = ["conditioning.safetensors", "fit.json", "warm_up.safetensors"]
    assert sorted(each.name for each in folder.iterdir()) == names


# ---- Several writers ----


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
def test_eight_processes_share_a_folder():
    assert share_a_folder(keep=2, kill=2, fit=1) == {"keep": [], "kill": [], "fit": []}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="forks")
@pytest.mark.parametrize("what", ["keep", "kill", "fit"])
def test_eight_processes_share_a_folder_fifty_times(what):
    assert share_a_folder(**{what: 50}) == {what: []}


def share_a_folder(**rounds):
    """Return what goes wrong if eight processes share a checkpoint in so many rounds."""
    script = Path(__file__).parents[1] / "writers.py"
    asked = [f"{what}={n_rounds}" for what, n_rounds in rounds.items()]
    printed = subprocess.run(
        [sys.executable, script, "8", *asked],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return json.loads(printed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, None])
def test_candidates_of_a_grid_share_a_fit(tmp_path, toy_images, make_quick, seed):
    """Over the mapper's parameter all candidates of a fold begin the same fit at once."""
    X, y = toy_images
    model = make_pipeline(
        make_quick(warm_up_epochs=2, random_state=seed, checkpoint_dir=tmp_path),
        ClusterLabelMapper(),
    )
    grid = {"clusterlabelmapper__missing_label": [None, 7, 8, 9]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what had come to its end
        found = GridSearchCV(model, grid, cv=2, n_jobs=4, error_score="raise").fit(X, y)
    scores = found.cv_results_["mean_test_score"]
    assert np.array_equal(scores, np.full(4, scores[0]))
    assert len(list(tmp_path.iterdir())) == 3  # a fit for each fold, and one of all


def test_a_file_that_is_written_stays(tmp_path):
    """What another one writes is left alone; what a dead one left is removed."""
    (tmp_path / ".phase.0.tmp").touch()
    names = []

    def sweep(handle):
        files.remove_unfinished(tmp_path)
        names.append([path.name for path in tmp_path.iterdir()])
        fsync(handle)

    fsync = os.fsync
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(os, "fsync", sweep)
        files.write_whole(tmp_path / "phase", b"content")
    assert len(names[0]) == 1
    assert re.fullmatch(r"\.phase\.[0-9a-f]{16}\.tmp", names[0][0])
    assert (tmp_path / "phase").read_bytes() == b"content"
    assert [path.name for path in tmp_path.iterdir()] == ["phase"]


@pytest.mark.parametrize("has_locks", [True, False])
def test_a_file_that_is_removed_while_it_is_written_is_written_again(
    tmp_path, monkeypatch, has_locks
):
    """As on a network file system whose locks other machines do not see."""

    def remove(handle):
        if len(removed) < 2:
            removed.extend(tmp_path.glob(".phase.*.tmp"))
            removed[-1].unlink()

    def no_locks(*args):
        raise OSError("No locks available")

    removed = []
    monkeypatch.setattr(os, "fsync", remove)
    if not has_locks:
        monkeypatch.setattr(files, "_lock", no_locks)
    files.write_whole(tmp_path / "phase", b"content")
    assert len(removed) == 2
    assert (tmp_path / "phase").read_bytes() == b"content"


def test_without_locks_nothing_is_removed(tmp_path, monkeypatch):
    def no_locks(*args):
        raise OSError("No locks available")

    monkeypatch.setattr(files, "_lock", no_locks)
    (tmp_path / ".phase.0.tmp").touch()
    files.remove_unfinished(tmp_path)
    assert (tmp_path / ".phase.0.tmp").exists()


@pytest.mark.parametrize("has_links", [True, False])
def test_of_several_beginnings_the_first_counts(tmp_path, monkeypatch, has_links):
    def no_links(*args):
        raise PermissionError("Operation not permitted")

    if not has_links:
        monkeypatch.setattr(Path, "hardlink_to", no_links)
    for content in (b"first", b"second"):
        files.write_first(tmp_path / "fit", content)
    assert (tmp_path / "fit").read_bytes() == b"first"
    assert [path.name for path in tmp_path.iterdir()] == ["fit"]


def test_windows_lets_nobody_replace_what_is_open(tmp_path, monkeypatch):
    """A reader has a file open for a moment."""
    open_ = [True, True, False]

    def replace(path, target):
        if open_.pop(0):
            raise PermissionError("Access is denied")
        os.replace(path, target)

    monkeypatch.setattr(Path, "replace", replace)
    monkeypatch.setattr(files, "_IS_WINDOWS", True)
    files.write_whole(tmp_path / "phase", b"content")
    assert (tmp_path / "phase").read_bytes() == b"content"
    assert not open_


def test_a_phase_stays_as_far_as_another_process_has_brought_it(tmp_path, toy_images, make_quick):
    """One that began before and is slower does not take it back."""

    class Overtake(Callback):
        def on_epoch_begin(self, net, **kwargs):
            if len(net.history) == 2 and not overtaken:
                overtaken.append(True)
                fast.append(clone(slow).fit(X))

    X, _ = toy_images
    overtaken, fast, before = [], [], []
    slow = make_quick(callbacks=[Overtake()], checkpoint_dir=tmp_path)
    write = container.write

    def note(path, *args):
        before.append(path.name)
        write(path, *args)

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(container, "write", note)
        last = clone(slow).fit(X)
    assert_same_fit(last, fast[0])
    # An epoch of the slow one, the others of the fast one, and nothing twice.
    assert before == ["warm_up.safetensors"] * 4 + ["conditioning.safetensors"] * 3


def test_what_is_read_is_one_file(tmp_path, monkeypatch):
    """Though another one takes its place after its checksum was looked at."""
    path, check = tmp_path / "phase", container._check

    def check_and_replace(path):
        checked = check(path)
        container.write(path, {"number": 2}, {"number": torch.tensor(2)})
        return checked

    container.write(path, {"number": 1}, {"number": torch.tensor(1)})
    monkeypatch.setattr(container, "_check", check_and_replace)
    with container.reading(path) as (header, get_tensor):
        assert header["number"] == get_tensor("number").item() == 1


# ---- What tells fits apart ----


class Views:
    def __init__(self, noise):
        self.noise = noise

    def __call__(self, batch):
        return batch + self.noise

    def call(self, batch):
        return batch


@dataclasses.dataclass
class NamedViews:
    function: Any


def some_function():
    pass


def some_arrays(*values):
    return [np.array(value, dtype=dtype) for value in values for dtype in ("f4", "f8", "O")]


class WithFunction(nn.Module):
    def extra_repr(self):
        return f"{some_function}"


class Noise(nn.Module):
    def __init__(self, std, *layers):
        super().__init__()
        self.std = std
        self.layers = nn.Sequential(*layers)


class Named(Views):
    def __repr__(self):
        return "Named()"


def nested(value, depth=20):
    return [nested(value, depth - 1)] if depth else value


#: Each is another parameter than the others: fits with them are not each other's.
DIFFERENT = [
    *[KMeans(), KMeans(n_init=3), KMeans, MiniBatchKMeans(), some_function, Views],
    *[None, "None", 0.5, 1, True, "1", [1], {1: 2}, {"1": 2}, {"a": KMeans()}, {1, 2}, {1, 3}],
    *[functools.partial(some_function, number) for number in (1, 2)],
    *[functools.partial(some_function, nn.Linear(2, 3)) for _ in range(2)],
    *[Views(0.1), Views(0.2), Views(0.1).call, Views(0.2).call],
    *[NamedViews(some_function), NamedViews(Views), nn.Linear(2, 3), nn.Linear(2, 4)],
    *some_arrays([0.0, 0.0], [[0.0, 0.0]], [0.0, 1.0], np.arange(5000)),
    *[np.random.RandomState(0), np.random.RandomState(1)],
    *[np.random.default_rng(0), np.random.default_rng(1)],
    *[torch.Generator().manual_seed(seed) for seed in (0, 1)],
    *[torch.arange(5000), torch.arange(5000) // 2, torch.arange(5000).bfloat16()],
    *[
        sparse.csr_array(np.eye(9)),
        sparse.csr_array(np.diag(np.arange(9.0))),
        sparse.csr_matrix(np.eye(9)),
    ],
    *[Noise(0.1), Noise(0.2), Noise(0.1, Noise(0.1)), Noise(0.1, Noise(0.2))],
    *[Views(torch.ones(1, 9)), Views(torch.ones(9, 1)), Named(0.1), Named(0.2)],
    *[make_pipeline(make_pipeline(PCA(n)), KMeans(3)) for n in (5, 50)],
    *[nested(1), nested(2), Named(str.upper), Named(str.lower)],
    *[AgglomerativeClustering(connectivity=sparse.csr_array(np.eye(9)) * k) for k in (1, 2)],
]


def test_parameters_are_told_apart_by_what_they_are():
    described = [json.dumps(fingerprint.describe(value)) for value in DIFFERENT]
    assert len(set(described)) == len(described)
    again = [json.dumps(fingerprint.describe(copy.deepcopy(value))) for value in DIFFERENT]
    assert again == described
    assert not any(" at 0x" in text for text in described)  # two processes have to agree


class Composed:
    def __repr__(self):
        return f"Composed({some_function})"


def test_places_in_memory_tell_nothing_apart():
    for value in (Composed(), nn.ModuleList([nn.Linear(2, 3), nn.GELU()]).append(WithFunction())):
        text = json.dumps(fingerprint.describe(value))
        assert "some_function" in text
        assert " at 0x" not in text


def test_parameters_that_were_added_do_not_change_what_is_described():
    described = fingerprint.describe(CommunityClusterer())
    assert "n_init" not in json.dumps(described)
    assert fingerprint.describe(CommunityClusterer(n_init=2)) != described


@pytest.mark.parametrize(
    ("one", "other"),
    [(0.5, np.float64(0.5)), (3, np.int64(3)), (Path("a"), "a"), ({"a", "b"}, {"b", "a"})],
)
def test_equal_parameters_are_described_alike(one, other):
    assert json.dumps(fingerprint.describe(one)) == json.dumps(fingerprint.describe(other))


# ---- What callbacks do ----


def test_what_no_checkpoint_can_hold_is_named(tmp_path, toy_images, make_quick):
    class Learn(Callback):
        def on_train_begin(self, net, **kwargs):
            self.scheduler_ = object()

    with pytest.warns(UserWarning, match="Learn has learned scheduler_, which a checkpoint cannot"):
        make_quick(callbacks=[Learn()], checkpoint_dir=tmp_path).fit(toy_images[0])


def test_networks_that_cannot_be_kept_are_refused_before_training(
    tmp_path, toy_images, make_quick, monkeypatch
):
    class Complex(UnpooledEncoder):
        def __init__(self, image_shape, embedding_dim):
            super().__init__(image_shape, embedding_dim)
            self.register_buffer("phases", torch.zeros(2, dtype=torch.complex128))

    monkeypatch.setattr(trainer.Trainer, "run", None)
    with pytest.raises(ValueError, match=r"checkpoint_dir must be None .*phases is .*complex128"):
        make_quick(encoder=Complex, checkpoint_dir=tmp_path).fit(toy_images[0])


def test_random_numbers_of_another_generator_are_refused(tmp_path, toy_images, make_quick):
    random_state = np.random.RandomState(np.random.PCG64(0))
    make_quick(random_state=random_state, warm_up_epochs=1).fit(toy_images[0])
    with pytest.raises(ValueError, match=r"random_state must be .* with checkpoint_dir.*an int"):
        make_quick(random_state=random_state, checkpoint_dir=tmp_path).fit(toy_images[0])
    assert not list(tmp_path.iterdir())


def test_a_history_that_cannot_be_kept_stops_no_fit(tmp_path, toy_images, make_quick, plain):
    class Record(Callback):
        def on_epoch_end(self, net, **kwargs):
            net.history.record("when", {1, 2})

    with pytest.warns(UserWarning, match="No checkpoint could be written"):
        model = make_quick(callbacks=[Record()], checkpoint_dir=tmp_path).fit(toy_images[0])
    assert_same_fit(plain, model, but="when")


class SetWeights(Callback):
    def on_train_begin(self, net, **kwargs):
        with torch.no_grad():
            next(net.module_.parameters()).fill_(0.1)


@pytest.mark.parametrize(
    "callback",
    [
        CountEpochs,
        SetWeights(),
        Freezer("encoder*", at=2),
        EarlyStopping("train_loss", patience=1, load_best=True, threshold=1e3),
    ],
)
def test_callbacks_go_on_where_they_were(tmp_path, toy_images, make_quick, callback):
    X, _ = toy_images
    model = make_quick(callbacks=[("one", callback)], conditioning_epochs=0, warm_up_epochs=4)
    resumed, n_deaths = fit_in_pieces(model.set_params(checkpoint_dir=tmp_path), X, 1)
    assert n_deaths > 1
    assert_same_fit(resumed, model.set_params(checkpoint_dir=None).fit(X))


@pytest.mark.parametrize("callbacks", [None, [Callback()]])
@pytest.mark.parametrize("epoch", [2, 3])
def test_ctrl_c_while_a_checkpoint_is_written(
    tmp_path, toy_images, make_quick, plain, monkeypatch, callbacks, epoch
):
    """Not taken for the end of the phase, nor for that of a callback."""
    write, written = container.write, []

    def interrupt(path, *args):
        write(path, *args)
        written.append(path.stem)
        if written == ["warm_up"] * epoch:
            signal.raise_signal(signal.SIGINT)

    X, _ = toy_images
    monkeypatch.setattr(container, "write", interrupt)
    model = make_quick(callbacks=callbacks, checkpoint_dir=tmp_path)
    with pytest.warns(match=f"interrupted after {epoch} of 3 epochs of the phase 'warm_up'"):
        assert clone(model).fit(X).interrupted_
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    monkeypatch.undo()
    assert_same_fit(clone(model).fit(X), plain)


# ---- Phases that were kept of something else ----


def test_a_phase_that_started_from_other_prototypes_is_trained_anew(
    finished, toy_images, make_quick, monkeypatch
):
    """As on another machine, where an embedding's last bits decide."""
    X, _ = toy_images
    found = search.find_prototypes
    monkeypatch.setattr(
        search,
        "find_prototypes",
        lambda *args, **kwargs: found(*args, **kwargs)._replace(
            cluster_centers=found(*args, **kwargs).cluster_centers[::-1].copy()
        ),
    )
    with pytest.warns(UserWarning, match="'conditioning' saved in .* other weights"):
        again = finished[1].fit(X)
    assert_same_fit(again, make_quick().fit(X))


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"format": 1'])
def test_a_damaged_description_is_no_fit(finished, tmp_path, toy_images, content):
    X, _ = toy_images
    model, unfitted = finished
    (folder,) = tmp_path.iterdir()
    (folder / "fit.json").write_text(content)
    with pytest.raises(ValueError, match=r"fit\.json that is damaged or does not"):
        clone(unfitted).set_params(checkpoint_dir=folder).fit(X)
    assert_same_fit(unfitted.fit(X), model)  # begun anew


@pytest.mark.parametrize("position", [2 * 10**9, -5, 623])
def test_random_numbers_are_believed_only_whole(finished, tmp_path, toy_images, position):
    model, unfitted = finished
    (folder,) = tmp_path.iterdir()
    about = json.loads((folder / "fit.json").read_text())
    about["random_state"][2] = position
    (folder / "fit.json").write_text(json.dumps(about))
    assert_same_fit(unfitted.fit(toy_images[0]), model)  # begun anew


def test_a_phase_that_is_gone_is_named(finished, tmp_path, toy_images):
    model, unfitted = finished
    for path in tmp_path.glob("*/conditioning.safetensors"):
        path.unlink()
    with pytest.warns(UserWarning, match="'conditioning' saved .* trained again: .*No such"):
        again = unfitted.fit(toy_images[0])
    assert_same_fit(again, model)


def test_what_a_fit_was_begun_with_is_told(finished, toy_images, monkeypatch):
    X, _ = toy_images
    model, unfitted = finished
    begun = model.provenance_
    assert clone(unfitted).fit(X).provenance_ == begun
    monkeypatch.setattr(trainer, "version", lambda name: "99")
    resumed = unfitted.fit(X).provenance_
    assert resumed.pop("resumed_with")["versions"]["torch"] == "99"
    assert resumed == begun


def test_no_random_numbers_are_read_from_beyond_their_end(finished, tmp_path, toy_images):
    (path,) = tmp_path.glob("*/fit.json")
    about = json.loads(path.read_text())
    del about["digest"]
    about["random_state"][2] = 2 * 10**9
    path.write_text(json.dumps({**about, "digest": fingerprint.digest(about)}))
    with pytest.raises(ValueError, match="a random state is out of its range"):
        finished[1].fit(toy_images[0])


def test_modules_and_loggers_are_told_apart_by_their_names():
    values = [functools, json, *map(logging.getLogger, ("one", "two"))]
    described = [json.dumps(fingerprint.describe(Named(value))) for value in values]
    assert len(set(described)) == 4
    logging.getLogger("one").addHandler(logging.NullHandler())
    assert json.dumps(fingerprint.describe(Named(logging.getLogger("one")))) == described[2]


def test_what_a_repr_hides_is_told_apart_and_not_written():
    class Secret(Views):
        def __repr__(self):
            return "***"

    described = [json.dumps(fingerprint.describe(Secret(noise))) for noise in ("abc", "xyz")]
    assert described[0] != described[1]
    assert "abc" not in described[0]


class BufferedEncoder(UnpooledEncoder):
    """Has buffers that are no weights."""

    def __init__(self, image_shape, embedding_dim):
        super().__init__(image_shape, embedding_dim)
        self.register_buffer("mask", torch.full((2, 2), -torch.inf))
        self.register_buffer("coarse", torch.ones(3, dtype=torch.bfloat16))


def test_buffers_of_a_users_own_are_theirs(tmp_path, toy_images, make_quick):
    model = make_quick(encoder=BufferedEncoder, checkpoint_dir=tmp_path, warm_start=True)
    assert model.fit(toy_images[0]).fit(toy_images[0]).encoder_.mask.isinf().all()
