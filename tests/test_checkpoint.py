"""Interrupted fits: taken up at the last epoch, to the same bits, and nothing overwritten."""

import functools
import shutil
import warnings

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback, EarlyStopping
from torch import nn

from sklearn_cae import _checkpoint, _trainer
from sklearn_cae import _container as container
from sklearn_cae.modules import UnpooledEncoder


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
    "lars": {"optimizer": "lars", "n_clusters": "elbow", "max_clusters": 4},
    "refinement": {
        "n_clusters": "auto",
        "encoder": UnpooledEncoder,
        "whiten": True,
        "refinement_epochs": 3,
    },
    "variational": {"variational": True, "kl_weight": 1.0},
    "global generator": {"encoder": DropoutEncoder},
    "callbacks": {"callbacks": [CountEpochs(), ("stop", EarlyStopping("train_loss", patience=1))]},
    "bfloat16": {"precision": "bfloat16"},
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


def assert_same_fit(one, other):
    for name in ("encoder_", "projection_head_", "decoder_", "log_variance_head_"):
        networks = [getattr(model, name) for model in (one, other)]
        if networks != [None, None]:
            first, second = (network.state_dict() for network in networks)
            assert first.keys() == second.keys()
            assert all(torch.equal(first[key], second[key]) for key in first)
    names = ("cluster_centers_", "labels_", "embedding_means_", "embedding_covariances_")
    assert all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)
    first, second = (
        [{**row, "dur": 0.0} for row in model.history_] for model in (one, other)
    )  # durations differ
    assert first == second


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("n_writes", [1, 3])
@pytest.mark.parametrize("name", VARIANTS)
def test_a_fit_in_pieces_is_the_fit(tmp_path, toy_images, make_quick, name, n_writes):
    X, _ = toy_images
    model = make_quick(**VARIANTS[name])
    state = torch.get_rng_state()
    resumed, n_deaths = fit_in_pieces(model.set_params(checkpoint_dir=tmp_path), X, n_writes)
    assert n_deaths > 1
    assert torch.equal(torch.get_rng_state(), state)
    assert_same_fit(resumed, model.set_params(checkpoint_dir=None).fit(X))


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


def test_a_finished_fit_is_loaded(tmp_path, toy_images, make_quick, monkeypatch):
    X, _ = toy_images
    model = make_quick(checkpoint_dir=tmp_path).fit(X)

    def train(*args, **kwargs):
        raise AssertionError("it was trained")

    monkeypatch.setattr("skorch.NeuralNet.run_single_epoch", train)
    with pytest.warns(UserWarning, match="had come to its end in .* not trained again"):
        again = clone(model).set_params(device="cpu", output="embedding", verbose=0).fit(X)
    assert_same_fit(model, again)
    with pytest.raises(AssertionError, match="it was trained"):
        clone(model).set_params(temperature=0.3).fit(X)
    with pytest.raises(AssertionError, match="it was trained"):
        clone(model).fit(X[::-1])


def test_values_count_and_not_how_they_lie_in_memory(tmp_path, toy_images, make_quick):
    X, _ = toy_images
    make_quick(checkpoint_dir=tmp_path).fit(X)
    with pytest.warns(UserWarning, match="loaded"):
        make_quick(checkpoint_dir=str(tmp_path)).fit(np.asfortranarray(X))
    make_quick(checkpoint_dir=tmp_path).fit(X.astype(np.int16))
    assert len(list(tmp_path.iterdir())) == 2


def test_an_interrupted_fit_goes_on(tmp_path, toy_images, make_quick):
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
    assert_same_fit(resumed, make_quick().fit(X))


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
    named = r"checkpoint of another fit: temperature was 0\.5 and is 0\.3\. Pass the folder above"
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
def test_a_fit_goes_on_without_a_disk(tmp_path, toy_images, make_quick, monkeypatch, error):
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
    with pytest.warns(UserWarning, match=rf"written to {folder}: .*{error.strerror}.*goes on"):
        model = make_quick(checkpoint_dir=tmp_path).fit(X)
    monkeypatch.undo()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert_same_fit(model, make_quick().fit(X))
    assert_same_fit(model, make_quick(checkpoint_dir=tmp_path).fit(X))  # from where it was


def test_a_fit_goes_on_where_its_folder_vanishes(tmp_path, toy_images, make_quick):
    class Vanish(Callback):
        def on_epoch_begin(self, net, **kwargs):
            shutil.rmtree(tmp_path, ignore_errors=True)

    X, _ = toy_images
    with pytest.warns(UserWarning, match="No checkpoint could be written"):
        model = make_quick(callbacks=[Vanish()], checkpoint_dir=tmp_path / "kept").fit(X)
    assert_same_fit(model, make_quick().fit(X))
    assert not tmp_path.exists()


def test_a_folder_that_cannot_be_written_is_named_before_training(
    tmp_path, toy_images, make_quick, monkeypatch
):
    monkeypatch.setattr(_trainer.Trainer, "run", None)
    (tmp_path / "file").touch()
    with pytest.raises(
        ValueError, match="checkpoint_dir must be a folder that can be written, got"
    ):
        make_quick(checkpoint_dir=tmp_path / "file").fit(toy_images[0])


def test_a_damaged_checkpoint_is_trained_anew(tmp_path, toy_images, make_quick):
    X, _ = toy_images
    model = make_quick(checkpoint_dir=tmp_path).fit(X)
    (folder,) = tmp_path.iterdir()
    path = folder / "conditioning.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    (folder / ".warm_up.safetensors.123.tmp").touch()  # as a kill leaves it
    with pytest.warns(UserWarning, match="'conditioning' is trained anew: .*damaged or cut off"):
        again = clone(model).fit(X)
    assert_same_fit(model, again)
    names = ["conditioning.safetensors", "fit.json", "warm_up.safetensors"]
    assert sorted(each.name for each in folder.iterdir()) == names


# ---- What tells fits apart ----


class Nameless:
    def __call__(self, batch):
        return batch


def some_function():
    pass


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (KMeans(), KMeans(n_init=3)),
        (some_function, Nameless),
        (functools.partial(some_function, 1), functools.partial(some_function, 2)),
        (np.arange(3), np.arange(4)),
        (np.random.RandomState(0), np.random.RandomState(1)),
        ({"a": KMeans()}, {"a": 1}),
        ([1.0, None], [1.0, "None"]),
        (nn.Linear(2, 3), nn.Linear(2, 4)),
    ],
)
def test_parameters_are_described_by_what_they_are(one, other):
    assert _checkpoint.describe(one) == _checkpoint.describe(one)
    assert _checkpoint.describe(one) != _checkpoint.describe(other)


def test_a_description_has_no_address():
    """Two processes have to agree on it."""
    for value in (Nameless(), functools.partial(Nameless()), [Nameless()], some_function):
        assert " at 0x" not in str(_checkpoint.describe(value))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert _checkpoint.describe(None) == "None"
