"""Two processes train what one would."""

import os
import signal
import time
from collections import Counter

import numpy as np
import pytest
import torch
import torch.distributed as dist
from processes import in_processes
from quick import quick_clusterer
from sklearn.base import BaseEstimator
from skorch.callbacks import Callback

from sklearn_cae.clusterers import MixtureClusterer
from sklearn_cae.datasets import make_toy_images
from sklearn_cae.modules import LogScattering

X = make_toy_images(69, image_size=8, random_state=0, return_X_y=True)[0]
NETWORKS = ("encoder_", "projection_head_", "decoder_")


def same(samples):
    """Views without random numbers, so that all fits see the same."""
    return samples


def noisy(samples):
    """Views of a user, which draw from torch's global generator."""
    return samples + 0.1 * torch.rand(samples.shape)


def with_batch_norm(image_shape, embedding_dim):
    """An encoder of a user, whose weights come from torch's global generator."""
    return torch.nn.Sequential(
        torch.nn.Conv2d(image_shape[0], 8, 3, stride=2),
        torch.nn.BatchNorm2d(8),
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.LazyLinear(embedding_dim),
    )


class StopsInAnEpoch(Callback):
    """End the warm-up between two steps."""

    def on_batch_end(self, net, **kwargs):
        if net.phase == "warm_up" and len(net.history[-1, "batches"]) == 2:
            raise KeyboardInterrupt


class Gradients(Callback):
    """Gradients of every step, by the names of the weights."""

    seen: list = []

    def on_grad_computed(self, net, named_parameters, **kwargs):
        weights = net.module_.named_parameters()
        self.seen.append({name: w.grad.clone() for name, w in weights if w.grad is not None})


def one_epoch(X=X, nuisance=None, n_fits=1, **params):
    """Weights, buffers, and gradients of each step after an epoch of each phase."""
    Gradients.seen = []
    clusterer = quick_clusterer(
        **{"augmentation": same, "warm_up_epochs": 1, "callbacks": [Gradients()], **params}
    )
    for _ in range(n_fits):
        clusterer.fit(X, nuisance=nuisance)
    return {
        "states": {
            name: {key: value.clone() for key, value in network.items()}
            for name in NETWORKS
            for network in [getattr(clusterer, name).state_dict()]
        },
        "gradients": Gradients.seen,
        "labels": clusterer.labels_,
        "predicted": clusterer.predict(X),
        "history": [{k: v for k, v in row.items() if k != "dur"} for row in clusterer.history_],
        "processes": clusterer.provenance_["processes"],
    }


CASES = {
    "lars": {"optimizer": "lars"},
    "all phases": {"refinement_epochs": 2, "whiten": True, "temperature": 0.2},
    "variational": {"variational": True},
    "fixed": {
        "encoder": LogScattering,
        "train_encoder": False,
        "refinement_epochs": 2,
        "warm_up_epochs": 2,
        "n_clusters": "auto",
    },
    "nuisance": {
        "encoder": LogScattering,
        "train_encoder": False,
        "nuisance": np.arange(len(X)) % 2,
    },
    "bfloat16": {"precision": "bfloat16", "refinement_epochs": 1},
    "batches of 2": {"batch_size": 2, "encoder": with_batch_norm},
    "own networks and views": {
        "encoder": with_batch_norm,
        "augmentation": noisy,
        "refinement_epochs": 2,
    },
    "lambda": {"augmentation": lambda samples: samples.flip(-1)},
    "posterior": {"clusterer": MixtureClusterer(), "assignment": "clusterer"},
    "vectors": {"X": X.reshape(len(X), -1)},
    "stopped in an epoch": {"encoder": with_batch_norm, "callbacks": [StopsInAnEpoch()]},
    "warm start": {"warm_start": True, "refinement_epochs": 1, "n_fits": 2},
}


def message_of(fit):
    """Type and words of the error of a fit, and the seconds until it comes."""
    began = time.monotonic()
    try:
        fit()
    except BaseException as error:
        return type(error).__name__, str(error), time.monotonic() - began
    return None


def fails_in_one(samples):
    """Views that fail in the second process; not in the first, where nothing is wrong."""
    if dist.get_rank() == 1:
        raise OSError("no view")
    return samples


def interrupted_in_one(samples):
    if dist.get_rank() == 1:
        os.kill(os.getpid(), signal.SIGINT)
    return samples


class Recorder(Callback):
    """A callback that records a column, freezes a layer and stops, with a memory of its calls."""

    calls = 0

    def on_train_begin(self, net, **kwargs):
        if net.phase == "warm_up":
            net.module_.encoder[0].requires_grad_(False)

    def on_epoch_end(self, net, **kwargs):
        type(self).calls += 1
        net.history.record("mine", 7.0)
        if net.phase == "warm_up" and len(net.history) == 2:
            raise KeyboardInterrupt


def with_callback():
    clusterer = quick_clusterer(warm_up_epochs=4, callbacks=[Recorder()]).fit(X)
    return {
        "calls": Recorder.calls,
        "columns": [row.get("mine") for row in clusterer.history_],
        "epochs": clusterer.n_iter_,
        "weights": clusterer.encoder_.state_dict(),
    }


class Fails(Callback):
    """Fail in the second epoch, as long as this is switched on."""

    is_on = False

    def on_epoch_begin(self, net, **kwargs):
        if self.is_on and len(net.history) == 2:
            raise OSError("the disk is full")


RESUMED = {"warm_up_epochs": 3, "refinement_epochs": 1, "n_clusters": 2, "callbacks": [Fails()]}


def stopped(folder):
    """Leave the checkpoint of a fit that failed."""
    Fails.is_on = True
    message_of(lambda: quick_clusterer(**RESUMED, checkpoint_dir=folder).fit(X))
    Fails.is_on = False


SEEN: dict = {"samples": [], "numbers": []}


def noted(samples):
    """Views that note the samples, and random numbers that belong to them."""
    SEEN["samples"] += [sample.numpy().tobytes() for sample in samples]
    SEEN["numbers"] += torch.rand(len(samples)).tolist()
    return samples


def views_of_an_epoch():
    quick_clusterer(augmentation=noted, warm_up_epochs=1, conditioning_epochs=0).fit(X)
    return SEEN


def resumed(folder):
    """Weights without a stop, and after one; the folder is not the same in each process."""
    whole = quick_clusterer(**RESUMED).fit(X)
    if dist.get_rank() == 1:
        folder += " of another machine"
    stopped = quick_clusterer(**RESUMED, checkpoint_dir=folder)
    Fails.is_on = True
    error = message_of(lambda: stopped.fit(X))
    Fails.is_on = False
    return {
        "error": error,
        "n_kept": len(stopped.history_),
        "weights": [m.decoder_.state_dict() for m in (whole, stopped.fit(X))],
    }


def every_case(rank, folder):
    found = {name: one_epoch(**params) for name, params in CASES.items()}
    found["views"] = views_of_an_epoch()
    stopped(f"{folder}/stopped")
    found["callback"] = with_callback()
    found["resumed"] = resumed(folder)
    other = X.copy()
    other[3, 2, 1] += 1
    wrong = {
        "X": lambda: quick_clusterer().fit(other if rank else X),
        "number of samples": lambda: quick_clusterer().fit(X[: 69 - rank]),
        "temperature": lambda: quick_clusterer(temperature=0.5 + rank).fit(X),
        "invalid": lambda: quick_clusterer(temperature=-rank or 1).fit(X),
        "views": lambda: quick_clusterer(augmentation=fails_in_one).fit(X),
        "Ctrl-C": lambda: quick_clusterer(augmentation=interrupted_in_one).fit(X),
        "NaN": lambda: quick_clusterer(learning_rate=1e20).fit(X),
        "clusterer": lambda: quick_clusterer(n_clusters="auto", clusterer=NoClusterer()).fit(X),
    }
    found["errors"] = {name: message_of(fit) for name, fit in wrong.items()}
    return found


class NoClusterer(BaseEstimator):
    def fit_predict(self, X, y=None):
        raise FloatingPointError("no clusters")


@pytest.fixture(scope="module")
def two_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("two")


@pytest.fixture(scope="module")
def two(two_folder):
    return in_processes(every_case, two_folder, str(two_folder / "checkpoints"))


def test_a_resumed_fit_is_the_fit(two):
    for each in two:
        assert each["resumed"]["error"][:2] == ("OSError", "the disk is full")
        assert each["resumed"]["n_kept"] == 1
        whole, again = each["resumed"]["weights"]
        for key, value in whole.items():
            assert torch.equal(value, again[key])


def test_another_number_of_processes_is_told(two, two_folder):
    clusterer = quick_clusterer(**RESUMED, checkpoint_dir=two_folder / "checkpoints" / "stopped")
    with pytest.warns(UserWarning, match=r"begun by 2 process\(es\), and goes on with 1"):
        clusterer.fit(X)
    assert clusterer.provenance_["processes"] == 2
    assert clusterer.provenance_["resumed_with"]["processes"] == 1
    assert len(clusterer.history_) == 5


def test_no_sample_comes_twice_and_views_differ(two):
    samples = [each["views"]["samples"] for each in two]
    assert set(samples[0]).isdisjoint(samples[1])
    times = Counter(samples[0] + samples[1])
    assert len(times) == len(X)
    assert set(times.values()) == {2}  # one pair of views
    numbers = two[0]["views"]["numbers"] + two[1]["views"]["numbers"]
    assert len(set(numbers)) == len(numbers) == 2 * len(X)


def test_gradients_are_those_of_one_process(two):
    one, ours = one_epoch(**CASES["lars"]), two[0]["lars"]
    assert len(ours["gradients"]) == len(one["gradients"]) > 3
    step, expected = ours["gradients"][0], one["gradients"][0]
    largest = max(gradient.norm() for gradient in expected.values())
    assert set(step) == set(expected)
    for name, gradient in expected.items():
        # The gradient of the encoder's last bias is 0, because a BatchNorm follows.
        tolerance = 1e-5 * gradient.norm() + 2e-6 * largest
        assert (step[name] - gradient).norm() < tolerance, name


def test_an_epoch_is_that_of_one_process(two):
    """Its last batch is smaller, with another number of samples in each process."""
    one, ours = one_epoch(**CASES["lars"]), two[0]["lars"]
    for name, state in one["states"].items():
        for key, value in state.items():
            torch.testing.assert_close(
                ours["states"][name][key], value, rtol=1e-3, atol=1e-4, msg=f"{name}.{key}"
            )
    for row, expected in zip(ours["history"], one["history"], strict=True):
        losses = {key: value for key, value in expected.items() if key != "phase"}
        assert {key: row[key] for key in losses} == pytest.approx(losses, rel=1e-4)


@pytest.mark.parametrize("case", list(CASES))
def test_all_processes_have_the_same_model(two, case):
    first, second = (each[case] for each in two)
    for name, state in first["states"].items():
        for key, value in state.items():
            assert torch.equal(value, second["states"][name][key]), f"{name}.{key}"
    for each in (first, second):
        np.testing.assert_array_equal(each["labels"], first["labels"])
        np.testing.assert_array_equal(each["predicted"], each["labels"])
        assert each["history"] == first["history"]
        assert each["processes"] == 2
    assert second["gradients"] == []  # callbacks are called in the first process


def test_callbacks_decide_in_the_first_process(two):
    first, second = (each["callback"] for each in two)
    assert first["calls"] == 3
    assert second["calls"] == 0
    for each in (first, second):
        assert each["columns"] == [7.0] * 3
        assert each["epochs"] == 3
    for key, value in first["weights"].items():
        assert torch.equal(value, second["weights"][key])


@pytest.mark.parametrize("name", ["X", "number of samples", "temperature"])
def test_processes_with_another_input_are_named(two, name):
    for each in two:
        kind, words, _ = each["errors"][name]
        assert kind == "ValueError"
        assert f"must have the same {name}" in words
        assert "in process 1" in words


@pytest.mark.parametrize(
    ("name", "rank", "kind", "words"),
    [
        ("invalid", 1, "InvalidParameterError", "temperature"),
        ("views", 1, "OSError", "no view"),
        ("Ctrl-C", 1, "KeyboardInterrupt", ""),
    ],
)
def test_an_error_in_one_process_ends_all(two, name, rank, kind, words):
    found, said, _ = two[rank]["errors"][name]
    assert found == kind
    assert words in said
    found, said, seconds = two[1 - rank]["errors"][name]
    assert found == "RuntimeError"
    assert f"Process {rank} of 2 ended the fit. {kind}" in said
    assert words in said
    assert seconds < 20


def test_an_error_of_the_first_process_is_raised_by_all(two):
    for each in two:
        assert each["errors"]["clusterer"][:2] == ("FloatingPointError", "no clusters")


def test_all_stop_if_the_loss_becomes_nan(two):
    for each in two:
        kind, words, _ = each["errors"]["NaN"]
        assert kind == "ValueError"
        assert "became NaN or infinite in epoch 1" in words


def killed_in_one(samples):
    if dist.get_rank() == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return samples


def dies(rank):
    return message_of(lambda: quick_clusterer(augmentation=killed_in_one).fit(X))


def test_a_killed_process_ends_all(tmp_path):
    (kind, words, seconds), lost = in_processes(dies, tmp_path, one_dies=True)
    assert lost is None
    assert kind == "RuntimeError"
    assert "One of the 2 processes of this fit ended without a word" in words
    assert seconds < 20


def small_batch(rank):
    return message_of(lambda: quick_clusterer(batch_size=2).fit(X))


def test_a_batch_has_a_sample_for_each_process(tmp_path):
    for kind, words, _ in in_processes(small_batch, tmp_path, n=3):
        assert kind == "ValueError"
        assert "at least one sample for each of the 3 processes, got batch_size=2" in words
