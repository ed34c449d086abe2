"""The user's skorch callbacks: what they watch, their parameters, and errors that they raise."""

import copy
import signal
import warnings
from functools import partial

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import (
    BatchScoring,
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    LRScheduler,
)
from torch.optim.lr_scheduler import ReduceLROnPlateau, StepLR

from sklearn_cae._training.phases import recorded_columns


@pytest.fixture
def make_quick(make_quick):
    """Make clusterers whose phases have a middle, in which these tests stop or look."""
    return partial(make_quick, warm_up_epochs=3, conditioning_epochs=2)


def never_better(monitor, **params):
    """Stop after the first epoch that does not lower a loss by a lot."""
    return EarlyStopping(monitor, patience=1, threshold=1e9, threshold_mode="abs", **params)


def epochs_of(model):
    phases = [row["phase"] for row in model.history_]
    return {phase: phases.count(phase) for phase in dict.fromkeys(phases)}


# ---- What is watched ----


class NoteColumns(Callback):
    seen = {}

    def on_epoch_end(self, net, **kwargs):
        self.seen[net.phase] = set(net.history[-1]) - {"batches"}


@pytest.mark.parametrize(
    "params",
    [{"variational": True}, {"refinement_epochs": 1}, {"conditioning_epochs": 0}],
)
def test_the_columns_of_each_phase_are_known(toy_images, make_quick, params):
    NoteColumns.seen.clear()
    model = make_quick(callbacks=[NoteColumns()], **params).fit(toy_images[0])
    assert recorded_columns(model.get_params()) == NoteColumns.seen


def test_a_callback_rests_where_its_monitor_is_not_recorded(toy_images, make_quick):
    model = make_quick(refinement_epochs=2, callbacks=[never_better("contrastive_loss")])
    model.fit(toy_images[0])
    assert epochs_of(model) == {"warm_up": 2, "refinement": 2, "conditioning": 2}
    assert not model.interrupted_


def test_the_best_is_loaded_only_where_it_was_kept(toy_images, make_quick, tmp_path):
    """The file is the warm-up's: of the decoder alone it is no state."""
    best = Checkpoint("contrastive_loss", dirname=tmp_path, load_best=True)
    plain = make_quick().fit(toy_images[0])
    model = make_quick(callbacks=[best]).fit(toy_images[0])
    assert np.array_equal(model.labels_, plain.labels_)
    assert epochs_of(model) == epochs_of(plain)


def count(net, X=None, y=None):
    return float(len(net.history))


def is_last(net):
    return len(net.history) == 2


class Watching(Callback):
    def __init__(self, monitor):
        self.monitor = monitor

    def on_epoch_end(self, net, **kwargs):
        net.history[-1, self.monitor]


@pytest.mark.parametrize(
    "callbacks",
    [
        [EarlyStopping()],
        [EarlyStopping],
        [("stop", EarlyStopping("kl_loss"))],
        [Checkpoint()],
        [Checkpoint("contrastive_loss_best")],
        [LRScheduler(ReduceLROnPlateau, monitor="valid_loss")],
        [LRScheduler("ReduceLROnPlateau", monitor="contrastive_loss", step_every="batch")],
        [EpochScoring(count, name="count"), EarlyStopping("count")],
        [EarlyStopping("count"), EpochScoring(count, on_train=True)],
        [EpochScoring(count, on_train=True, lower_is_better=None), Checkpoint("count_best")],
        [Watching("valid_acc")],
        [LRScheduler(StepLR, step_size=1), Checkpoint("train_loss_best"), Watching("train_los")],
    ],
)
def test_a_monitor_that_no_phase_records_is_refused_before_training(
    toy_images, make_quick, callbacks
):
    model = make_quick(callbacks=callbacks)
    with pytest.raises(ValueError, match=r"monitor of a callback must .*Pass one of .*train_loss"):
        model.fit(toy_images[0])
    assert not hasattr(model, "encoder_")


def test_the_columns_of_phases_that_are_left_out_do_not_count(toy_images, make_quick):
    model = make_quick(callbacks=[EarlyStopping("kl_loss")])
    with pytest.raises(ValueError, match="got 'kl_loss' for EarlyStopping"):
        model.fit(toy_images[0])
    model.set_params(variational=True).fit(toy_images[0])
    assert epochs_of(model) == {"warm_up": 3, "conditioning": 2}


@pytest.mark.parametrize(
    "callbacks",
    [
        [Checkpoint("train_loss_best", f_pickle=None), EarlyStopping("train_loss")],
        [Checkpoint(monitor=None)],
        [Checkpoint(is_last)],
        [Checkpoint("train_loss_best", event_name="kept"), Watching("kept")],
        [LRScheduler(StepLR, step_size=1, monitor="valid_loss")],  # which StepLR does not look at
        [LRScheduler(ReduceLROnPlateau, monitor="contrastive_loss")],
        [LRScheduler(ReduceLROnPlateau, monitor="train_loss", step_every="batch")],
        [EpochScoring(count, on_train=True), Watching("count_best")],
        [
            BatchScoring(count, on_train=True),
            LRScheduler(ReduceLROnPlateau, monitor="count", step_every="batch"),
        ],
    ],
)
def test_a_monitor_that_a_phase_records_is_taken(
    toy_images, make_quick, callbacks, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    model = make_quick(callbacks=callbacks, warm_up_epochs=2, conditioning_epochs=1)
    assert epochs_of(model.fit(toy_images[0])) == {"warm_up": 2, "conditioning": 1}


class RecordInConditioning(Callback):
    def on_epoch_end(self, net, **kwargs):
        if net.phase == "conditioning":
            net.history.record("own_score", 1.0)


def test_what_an_own_callback_records_is_watched_where_it_does(toy_images, make_quick):
    model = make_quick(
        conditioning_epochs=4, callbacks=[RecordInConditioning(), never_better("own_score")]
    )
    with pytest.warns(UserWarning, match="EarlyStopping does nothing .* 'own_score'") as warned:
        model.fit(toy_images[0])
    assert len(warned) == 1
    assert warned[0].filename == __file__
    assert epochs_of(model) == {"warm_up": 3, "conditioning": 2}


# ---- Errors after the warm-up ----


class Fail(Callback):
    def __init__(self, phase, event="on_batch_end", epoch=1):
        self.phase = phase
        self.event = event
        self.epoch = epoch

    def _fail(self, net, event):
        if (net.phase, event, len(net.history)) == (self.phase, self.event, self.epoch):
            raise RuntimeError("of the user's")

    def on_train_begin(self, net, **kwargs):
        self._fail(net, "on_train_begin")

    def on_batch_end(self, net, **kwargs):
        self._fail(net, "on_batch_end")

    def on_epoch_end(self, net, **kwargs):
        self._fail(net, "on_epoch_end")

    def on_train_end(self, net, **kwargs):
        self._fail(net, "on_train_end")


class FailToCluster(KMeans):
    def fit_predict(self, X, y=None):
        raise RuntimeError("of the user's")


class FailLate:
    """Views that fail at a call: each of three batches takes two of them."""

    def __init__(self, call):
        self.call = call
        self.n_calls = 0

    def __call__(self, batch):
        self.n_calls += 1
        if self.n_calls == self.call:
            raise RuntimeError("of the user's")
        return batch


class KeepEncoder(Callback):
    """Note the encoder's weights at the end of the warm-up, outside of its clones."""

    weights = {}

    def on_train_end(self, net, **kwargs):
        if net.phase == "warm_up":
            self.weights.update(copy.deepcopy(net.module_.encoder.state_dict()))


LATE_ERRORS = {
    "batch": {"callbacks": [Fail("conditioning")]},
    "epoch": {"callbacks": [Fail("conditioning", "on_epoch_end", epoch=2)]},
    "begin": {"callbacks": [Fail("conditioning", "on_train_begin", epoch=0)]},
    "end": {"callbacks": [Fail("warm_up", "on_train_end", epoch=3)]},
    "clusterer": {"clusterer": FailToCluster()},
    "views": {"augmentation": FailLate(call=20)},
}


@pytest.mark.parametrize("params", LATE_ERRORS.values(), ids=LATE_ERRORS)
def test_an_error_after_the_warm_up_does_not_lose_it(toy_images, make_quick, params):
    X, _ = toy_images
    params = {**params, "callbacks": [KeepEncoder(), *params.get("callbacks", [])]}
    model = make_quick(**params)
    with pytest.raises(RuntimeError, match="of the user's") as raised:
        model.fit(X)
    (note,) = raised.value.__notes__
    assert "call set_params(warm_start=True), and fit again" in note
    assert "checkpoint_dir" not in note
    with pytest.raises(NotFittedError):
        model.predict(X)
    assert epochs_of(model)["warm_up"] == 3
    encoder = model.encoder_
    kept = encoder.state_dict()
    assert all(torch.equal(kept[name], KeepEncoder.weights[name]) for name in kept)
    for network in (encoder, model.projection_head_, model.decoder_):
        assert not network.training
        assert all(weight.grad is None for weight in network.parameters())
    model.set_params(callbacks=None, clusterer=None, augmentation="paper", warm_start=True).fit(X)
    assert model.encoder_ is encoder
    assert np.array_equal(model.predict(X), model.labels_)


def test_an_error_tells_that_a_checkpoint_resumes(toy_images, make_quick, tmp_path):
    params = {"checkpoint_dir": tmp_path}
    views = FailLate(call=20)
    with pytest.raises(RuntimeError) as raised:
        make_quick(augmentation=views, **params).fit(toy_images[0])
    assert "with the same parameters and data, fit resumes" in raised.value.__notes__[0]


def test_an_error_before_any_epoch_has_no_note(toy_images, make_quick):
    X, _ = toy_images
    model = make_quick(callbacks=[Fail("warm_up")])
    with pytest.raises(RuntimeError) as raised:
        model.fit(X)
    assert not hasattr(raised.value, "__notes__")
    model.set_params(callbacks=None).fit(X)
    with pytest.raises(ValueError, match="n_clusters must be") as raised:
        model.set_params(n_clusters=1000).fit(X)
    assert not hasattr(raised.value, "__notes__")


class CtrlCInTheFirstFit(Callback):
    n_fits = [0]

    def on_train_begin(self, net, **kwargs):
        self.n_fits[0] += 1

    def on_epoch_end(self, net, **kwargs):
        if self.n_fits[0] == 1 and len(net.history) == 2:
            signal.raise_signal(signal.SIGINT)


def search_with_ctrl_c(make_quick, **params):
    CtrlCInTheFirstFit.n_fits[0] = 0
    return GridSearchCV(
        make_quick(conditioning_epochs=0, callbacks=[CtrlCInTheFirstFit()], **params),
        {"temperature": [0.5, 0.2]},
        scoring=lambda model, X, y=None: model.n_iter_,
        cv=2,
        error_score="raise",
    )


def test_a_search_goes_on_after_ctrl_c_and_resumes(toy_images, make_quick, tmp_path):
    """As docs/guide/saving.md tells."""
    X, _ = toy_images
    search = search_with_ctrl_c(make_quick, checkpoint_dir=tmp_path)
    with pytest.warns(ConvergenceWarning, match="after 2 of 3 epochs of the phase 'warm_up'"):
        search.fit(X)
    assert search.cv_results_["split0_test_score"].tolist() == [2, 3]
    assert search.cv_results_["split1_test_score"].tolist() == [3, 3]
    with pytest.warns(UserWarning, match="already finished"):
        again = clone(search).fit(X)  # n_fits goes on: nothing interrupts
    assert again.cv_results_["split0_test_score"].tolist() == [3, 3]


def test_a_search_ends_on_ctrl_c_if_the_warning_is_an_error(toy_images, make_quick):
    search = search_with_ctrl_c(make_quick)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="The fit was interrupted")
        with pytest.raises(ConvergenceWarning, match="The fit was interrupted after 2 of 3"):
            search.fit(toy_images[0])
    assert CtrlCInTheFirstFit.n_fits == [1]


# ---- safetensors ----


def test_checkpoint_writes_safetensors_of_each_phase(toy_images, make_quick, tmp_path):
    checkpoint = Checkpoint(
        monitor=None,
        f_params="{net.phase}.safetensors",
        f_optimizer=None,
        f_criterion=None,
        dirname=tmp_path,
        use_safetensors=True,
    )
    model = make_quick(callbacks=[checkpoint]).fit(toy_images[0])
    decoder = load_file(tmp_path / "conditioning.safetensors")
    assert decoder.keys() == model.decoder_.state_dict().keys()
    for name, weight in model.decoder_.state_dict().items():
        assert torch.equal(decoder[name], weight)
    warm_up = load_file(tmp_path / "warm_up.safetensors")
    for name, weight in model.encoder_.state_dict().items():
        assert torch.equal(warm_up[f"encoder.{name}"], weight)


@pytest.mark.parametrize("use_safetensors", [False, True])
def test_the_best_epoch_of_each_phase_is_loaded(toy_images, make_quick, tmp_path, use_safetensors):
    """The first one of each, which one epoch alone comes to."""
    checkpoint = Checkpoint(
        monitor=lambda net: len(net.history) == 1,
        f_params="{net.phase}.params",
        f_optimizer=None,
        f_criterion=None,
        dirname=tmp_path,
        load_best=True,
        use_safetensors=use_safetensors,
    )
    params = {"conditioning_epochs": 0, "learning_rate": 1e-3}
    model = make_quick(callbacks=[checkpoint], **params).fit(toy_images[0])
    kept = torch.cat([weight.flatten() for weight in model.encoder_.state_dict().values()])
    saved = (
        load_file(tmp_path / "warm_up.params")
        if use_safetensors
        else torch.load(tmp_path / "warm_up.params", weights_only=True)
    )
    first = [saved[f"encoder.{name}"].flatten() for name in model.encoder_.state_dict()]
    assert torch.equal(kept, torch.cat(first))
    longer = make_quick(**params).fit(toy_images[0])
    last = torch.cat([weight.flatten() for weight in longer.encoder_.state_dict().values()])
    assert not torch.equal(kept, last)


# ---- Parameters ----


def test_parameters_of_callbacks_have_names(make_quick):
    stop, twice = EarlyStopping("train_loss", patience=3), [NoteColumns(), NoteColumns()]
    model = make_quick(callbacks=[("early_stopping", stop), Checkpoint(monitor=None), *twice])
    params = model.get_params()
    assert params["callbacks__early_stopping"] is stop
    assert params["callbacks__early_stopping__patience"] == 3
    assert params["callbacks__Checkpoint__monitor"] is None
    assert params["callbacks__NoteColumns_2"] is twice[1]
    assert "callbacks__early_stopping" not in model.get_params(deep=False)
    model.set_params(callbacks__early_stopping__patience=7, callbacks__Checkpoint__dirname="kept")
    assert stop.patience == 7
    assert model.callbacks[1].dirname == "kept"


def test_callbacks_are_replaced_and_left_out(toy_images, make_quick):
    before = [("stop", EarlyStopping("train_loss")), Watching("learning_rate")]
    model = make_quick(callbacks=before, warm_up_epochs=6)
    other = never_better("train_loss")
    model.set_params(callbacks__stop__patience=2, callbacks__stop=other, callbacks__Watching=None)
    assert model.callbacks == [("stop", other), ("Watching", None)]
    assert other.patience == 2  # of the new one
    assert before[0][1].patience == 5
    model.fit(toy_images[0])
    assert epochs_of(model) == {"warm_up": 3, "conditioning": 2}
    model.set_params(callbacks=[("late", other)], callbacks__late__patience=9)
    assert other.patience == 9


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("callbacks__other__patience", r"no callback 'other'. Valid names are: \['stop'\]"),
        ("callbacks__left__patience", r"no callback 'left'. Valid names are: \['stop'\]"),
        ("callbacks__stop__patent", "Invalid parameter 'patent'"),
        ("callbackz", "Invalid parameter 'callbackz'"),
    ],
)
def test_parameters_of_no_callback_are_refused(make_quick, name, message):
    model = make_quick(callbacks=[("stop", EarlyStopping("train_loss")), ("left", None)])
    with pytest.raises(ValueError, match=message):
        model.set_params(**{name: 1})


def test_a_left_out_callback_does_not_disturb_a_checkpoint(toy_images, make_quick, tmp_path):
    callbacks = [("left", None), ("stop", never_better("train_loss"))]
    params = {"callbacks": callbacks, "checkpoint_dir": tmp_path}
    model = make_quick(**params).fit(toy_images[0])
    with pytest.warns(UserWarning, match="already finished"):
        again = make_quick(**params).fit(toy_images[0])
    assert np.array_equal(again.labels_, model.labels_)


def test_clones_have_callbacks_of_their_own(make_quick):
    model = make_quick(callbacks=[("stop", EarlyStopping("train_loss")), Watching("dur")])
    copied = clone(model).set_params(callbacks__stop__patience=1, callbacks__Watching__monitor="x")
    assert model.callbacks[0][1].patience == 5
    assert model.callbacks[1].monitor == "dur"
    assert copied.callbacks[0][1].patience == 1


def test_a_grid_over_a_callbacks_parameter(toy_images, make_quick):
    stop = never_better("train_loss")
    search = GridSearchCV(
        make_quick(warm_up_epochs=5, conditioning_epochs=0, callbacks=[("stop", stop)]),
        {"callbacks__stop__patience": [1, 3]},
        scoring=lambda model, X, y=None: model.n_iter_,
        cv=2,
        error_score="raise",
    ).fit(toy_images[0])
    assert list(search.cv_results_["mean_test_score"]) == [2, 4]
    assert stop.patience == 1
    assert search.best_estimator_.callbacks[0][1].patience == 3
