"""The refinement of a fixed encoder: a small network that is added to the known embedding."""

import pickle

import numpy as np
import pytest
import torch
from quick import quick_clusterer
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import Callback

from sklearn_cae import load, save
from sklearn_cae._grouping.fixed import Correction, has_correction
from sklearn_cae.clusterers import CommunityClusterer
from sklearn_cae.modules import DeepDecoder, LogScattering


def refined(**changes):
    """Build a quick clusterer of a scattering, which is refined."""
    params = {
        "encoder": LogScattering,
        "train_encoder": False,
        "decoder": DeepDecoder,
        "whiten": True,
        "refinement_epochs": 3,
        "warm_up_epochs": 1,
    }
    return quick_clusterer(**{**params, **changes})


@pytest.fixture(scope="module")
def model(toy_images):
    """Fit once. Tests do not change it."""
    return refined().fit(toy_images[0])


class Stop(Callback):
    """Interrupt the refinement in one of its epochs."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_batch_end(self, net, **kwargs):
        if net.phase == "refinement" and len(net.history) == self.epoch:
            raise KeyboardInterrupt


def assert_same_answers(one, other, X):
    for method in ("predict", "predict_proba", "embed", "reconstruct"):
        np.testing.assert_array_equal(getattr(one, method)(X), getattr(other, method)(X))
    samples = [each.sample(5, random_state=0)[0] for each in (one, other)]
    np.testing.assert_array_equal(*samples)


def test_it_is_trained_and_the_rest_of_the_encoder_is_not(model, toy_images):
    X, _ = toy_images
    plain = refined(refinement_epochs=0).fit(X)
    assert has_correction(model.encoder_)
    assert not has_correction(plain.encoder_)
    assert isinstance(model.encoder_[-1], Correction)
    assert model.encoder_[-1].correction[-1].weight.any()
    np.testing.assert_allclose(
        model.encoder_[:-1](torch.zeros(1, 1, 16, 16)).detach(),
        plain.encoder_(torch.zeros(1, 1, 16, 16)).detach(),
        atol=1e-5,
    )
    phases = [row["phase"] for row in model.history_]
    assert phases == ["warm_up"] + ["refinement"] * 3 + ["conditioning"]
    np.testing.assert_array_equal(model.predict(X), model.labels_)


def test_before_its_first_step_nothing_changes(toy_images):
    X, _ = toy_images
    plain = refined(refinement_epochs=0, conditioning_epochs=0).fit(X)

    class StopAtOnce(Callback):
        def on_batch_begin(self, net, **kwargs):
            if net.phase == "refinement":
                raise KeyboardInterrupt

    with pytest.warns(ConvergenceWarning, match="after 0 of 3 epochs of the phase 'refinement'"):
        stopped = refined(callbacks=[StopAtOnce()]).fit(X)
    np.testing.assert_array_equal(stopped.labels_, plain.labels_)
    np.testing.assert_array_equal(stopped.embed(X), plain.embed(X))


def test_what_was_refined_is_kept_if_it_is_interrupted(toy_images):
    X, _ = toy_images
    with pytest.warns(ConvergenceWarning, match="after 1 of 3 epochs of the phase 'refinement'"):
        model = refined(callbacks=[Stop(2)]).fit(X)
    assert model.interrupted_
    assert model.encoder_[-1].correction[-1].weight.any()
    np.testing.assert_array_equal(model.predict(X), model.labels_)
    assert model.decode_prototypes().shape == (model.n_clusters_, 16, 16)


@pytest.mark.filterwarnings("ignore:The fit was interrupted", "ignore:This fit is already finished")
def test_a_refinement_that_was_interrupted_goes_on(toy_images, tmp_path):
    X, _ = toy_images
    whole = refined().fit(X)
    kept = refined(checkpoint_dir=tmp_path)
    calls = []

    class StopOnce(Callback):
        def on_epoch_begin(self, net, **kwargs):
            if net.phase == "refinement" and len(net.history) == 2 and not calls:
                calls.append(1)
                raise KeyboardInterrupt

    kept.set_params(callbacks=[StopOnce()])
    assert clone(kept).fit(X).interrupted_
    resumed = clone(kept).fit(X)
    assert not resumed.interrupted_
    assert_same_answers(resumed, whole, X)
    assert_same_answers(clone(kept).fit(X), whole, X)  # a finished fit is loaded


def test_it_repeats(model, toy_images):
    X, _ = toy_images
    assert_same_answers(refined().fit(X), model, X)


def test_it_is_saved_and_pickled(model, toy_images, tmp_path):
    X, _ = toy_images
    save(model, tmp_path / "model.safetensors")
    assert_same_answers(load(tmp_path / "model.safetensors"), model, X)
    assert_same_answers(pickle.loads(pickle.dumps(model)), model, X)


@pytest.mark.parametrize("whiten", [False, True])
def test_a_warm_start_goes_on_with_it(toy_images, tmp_path, whiten):
    X, _ = toy_images
    model = refined(whiten=whiten, warm_start=True).fit(X)
    names = list(model.encoder_.state_dict())
    fixed_part = [weight.clone() for weight in model.encoder_[0].parameters()]
    for _ in range(2):
        before = model.encoder_[-1].correction[-1].weight.clone()
        model.fit(X)
        assert list(model.encoder_.state_dict()) == names
        assert not torch.equal(model.encoder_[-1].correction[-1].weight, before)
    weights = zip(model.encoder_[0].parameters(), fixed_part, strict=True)
    assert all(torch.equal(now, before) for now, before in weights)
    np.testing.assert_array_equal(model.predict(X), model.labels_)
    save(model, tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    assert_same_answers(again, model, X)
    # Without a refinement, the correction stays as it is.
    embedding = again.embed(X)
    again.set_params(warm_start=True, refinement_epochs=0).fit(X)
    np.testing.assert_array_equal(again.embed(X), embedding)


def test_a_warm_start_corrects_the_fixed_embedding_and_not_the_corrected_one(toy_images):
    X, _ = toy_images
    seen = []

    class Look(Callback):
        def on_batch_begin(self, net, batch=None, **kwargs):
            if net.phase == "refinement" and not seen:
                with torch.no_grad():
                    seen.append(net.module_(batch[0]).numpy())

    model = refined(warm_start=True, refinement_epochs=10).fit(X)
    before = model.embed(X)
    model.set_params(callbacks=[Look()]).fit(X)
    distances = np.abs(seen[0][:, None] - before).max(axis=2)
    np.testing.assert_allclose(distances.min(axis=1), 0, atol=1e-5)


def test_a_warm_start_may_add_it_later(toy_images):
    X, _ = toy_images
    model = refined(warm_start=True, refinement_epochs=0).fit(X)
    assert not has_correction(model.encoder_)
    model.set_params(refinement_epochs=2).fit(X)
    assert has_correction(model.encoder_)
    np.testing.assert_array_equal(model.predict(X), model.labels_)


def test_reclustering_keeps_it(model, toy_images):
    X, _ = toy_images
    again = pickle.loads(pickle.dumps(model))
    again.set_params(n_clusters="auto", clusterer=CommunityClusterer()).recluster(X)
    np.testing.assert_array_equal(again.embed(X), model.embed(X))
    np.testing.assert_array_equal(again.predict(X), again.labels_)


def test_saliency_goes_through_it_and_the_scattering(model, toy_images):
    maps = model.saliency(toy_images[0][:6])
    assert maps.shape == (6, 16, 16)
    assert np.isfinite(maps).all()
    np.testing.assert_allclose(maps.max(axis=(1, 2)), 1, rtol=1e-5)
    assert maps.std(axis=(1, 2)).min() > 0.01


def test_the_encoder_of_a_warm_start_must_be_fixed_as_before(toy_images):
    model = refined(warm_start=True).fit(toy_images[0])
    model.set_params(train_encoder=True)
    with pytest.raises(ValueError, match="warm_start needs the train_encoder"):
        model.fit(toy_images[0])
