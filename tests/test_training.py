import math
import threading

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from skorch.callbacks import Callback, Checkpoint

from sklearn_cae import _training as training
from sklearn_cae._images import Samples, infer_image_format
from sklearn_cae._networks import build_networks
from sklearn_cae._random import forked_rng
from sklearn_cae.modules import Encoder, ProjectionHead, image_decoder
from sklearn_cae.optim import LARS, learning_rate_at

SHAPE = (1, 8, 8)


def identity(samples, generator):
    return samples


def numbered_images(n):
    """Images whose every pixel is their own number, as float in [0, 1]."""
    X = np.linspace(0, 1, n)[:, None, None] * np.ones((n, 8, 8))
    return Samples(X, infer_image_format(X, None, None))


def random_images(n):
    X = np.random.default_rng(0).random((n, 8, 8))
    return Samples(X, infer_image_format(X, None, None))


def networks(seed=0, log_variance=False):
    torch.manual_seed(seed)
    head = torch.nn.Linear(6, 6) if log_variance else None
    return Encoder(SHAPE, 6), ProjectionHead(6), image_decoder(SHAPE, 6), head


def net_params(n_epochs=2, generator=None, augment=identity, **options):
    generator = generator or torch.Generator().manual_seed(0)
    return {
        "max_epochs": n_epochs,
        "batch_size": 16,
        "optimizer": LARS,
        "lr": 1.0,
        "device": "cpu",
        "iterator_train": training.ViewBatches,
        "iterator_train__augment": augment,
        "iterator_train__generator": generator,
        "iterator_train__device": "cpu",
        "callbacks": training.phase_callbacks(
            "warm_up", first_epoch=0, n_epochs=n_epochs, peak=0.25, verbose=0, user_callbacks=[]
        ),
        **options,
    }


@settings(max_examples=50, deadline=None)
@given(n=st.integers(2, 40), batch_size=st.integers(2, 16))
def test_an_epoch_shows_every_sample_twice_and_none_alone(n, batch_size):
    samples = numbered_images(n)
    batches = training.ViewBatches(
        samples, batch_size, identity, torch.Generator().manual_seed(0), "cpu"
    )
    seen = []
    for views, _ in batches:
        first, second = views.chunk(2)
        assert torch.equal(first, second)  # row i of both halves is the same sample
        assert 2 <= len(first) <= batch_size + 1
        seen += (first[:, 0, 0, 0] * (n - 1)).round().int().tolist()
    assert sorted(seen) == list(range(n))


def test_batches_are_read_one_ahead_and_in_order():
    read = {batch: threading.Event() for batch in (1, 2, 3)}

    def record(batch):
        read[batch].set()
        return batch * 10

    batches = training.read_ahead(record, [1, 2, 3])
    assert next(batches) == 10
    assert read[2].wait(timeout=60)  # before it is asked for
    assert not read[3].is_set()
    assert list(batches) == [20, 30]
    training.read_ahead(record, [1, 2, 3]).close()  # as an interrupt does


def test_an_error_in_reading_ahead_is_raised():
    with pytest.raises(ZeroDivisionError):
        list(training.read_ahead(lambda batch: 1 / batch, [2, 1, 0]))


def test_each_epoch_has_its_own_order_and_views():
    batches = training.ViewBatches(
        numbered_images(30), 30, identity, torch.Generator().manual_seed(0), "cpu"
    )
    (first, _), (second, _) = next(iter(batches)), next(iter(batches))
    assert not torch.equal(first, second)


@pytest.mark.parametrize("log_variance", [False, True])
def test_warm_up_steps_equal_a_plain_transcription(log_variance):
    """The paper's loss and updates, written out as one would by hand."""
    samples = random_images(16)
    weight, temperature, kl_weight, n_epochs = 0.1, 0.5, 0.01, 3
    module = training.ContrastiveAutoencoder(
        *networks(log_variance=log_variance), torch.Generator().manual_seed(5)
    )
    net = training.WarmUpNet(
        module,
        temperature=temperature,
        reconstruction_weight=weight,
        kl_weight=kl_weight,
        **net_params(n_epochs),
    )
    net.fit(samples)

    encoder, head, decoder, log_variance_head = networks(log_variance=log_variance)
    parts = [part for part in (encoder, head, decoder, log_variance_head) if part is not None]
    optimizer = LARS([parameter for part in parts for parameter in part.parameters()])
    order, noise = torch.Generator().manual_seed(0), torch.Generator().manual_seed(5)
    for epoch in range(n_epochs):
        (optimizer.param_groups[0]["lr"],) = [learning_rate_at(epoch, n_epochs, 0.25)]
        views = samples[torch.randperm(16, generator=order).numpy()].repeat(2, 1, 1, 1)
        h = encoder(views)
        kl = torch.zeros(())
        if log_variance:
            mean, log_var = h, log_variance_head(h)
            h = mean + torch.randn(mean.shape, generator=noise) * torch.exp(log_var / 2)
            kl = (0.5 * (mean**2 + log_var.exp() - 1 - log_var)).mean()
        z = F.normalize(head(h))
        logits = (z @ z.T / temperature).fill_diagonal_(-math.inf)
        contrastive = F.cross_entropy(logits, torch.arange(32).roll(16))
        a, b = decoder(h).chunk(2)
        reconstruction = F.mse_loss(a, views[:16]) + F.mse_loss(b, views[16:])
        ramp = kl_weight * (epoch + 1) / n_epochs
        loss = contrastive + weight * (reconstruction + ramp * kl)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        row = net.history[epoch]
        assert row["train_loss"] == pytest.approx(loss.item(), rel=1e-5)
        assert row["contrastive_loss"] == pytest.approx(contrastive.item(), rel=1e-5)
        assert row["reconstruction_loss"] == pytest.approx(reconstruction.item(), rel=1e-5)
        assert ("kl_loss" in row) == log_variance
    assert_same_weights_and_gradients(module.encoder, encoder)
    assert_same_weights_and_gradients(module.projection_head, head)
    assert_same_weights_and_gradients(module.decoder, decoder)


def assert_same_weights_and_gradients(ours, plain):
    for one, other in zip(ours.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-4, atol=1e-6)


def test_conditioning_steps_equal_a_plain_transcription():
    """Phase two of Algorithm 1, written out as one would by hand."""
    samples, n_epochs = random_images(16), 3
    centers = F.normalize(torch.randn(3, 6, generator=torch.Generator().manual_seed(1)))
    encoder, _, ours, _ = networks()
    ours.add_condition(3)
    net = training.ConditioningNet(
        ours,
        encode=lambda views: training.encode(encoder, None, views, generator=None),
        cluster_centers=centers,
        assignment_temperature=0.1,
        **net_params(n_epochs),
    )
    net.fit(samples)

    _, _, decoder, _ = networks()
    condition = torch.zeros(128, 3, requires_grad=True)  # the first map is 128 x 1 x 1
    optimizer = LARS([condition, *decoder.parameters()])
    order = torch.Generator().manual_seed(0)
    for epoch in range(n_epochs):
        optimizer.param_groups[0]["lr"] = learning_rate_at(epoch, n_epochs, 0.25)
        views = samples[torch.randperm(16, generator=order).numpy()].repeat(2, 1, 1, 1)
        with torch.no_grad():
            h = encoder(views)
            cosine = F.cosine_similarity(h[:, None], centers[None], dim=2)
            assignment = torch.softmax(cosine / 0.1, dim=1)
        first_map = decoder.stem(h) + (assignment @ condition.T).view(-1, 128, 1, 1)
        a, b = decoder.body(first_map).chunk(2)
        loss = F.mse_loss(a, views[:16]) + F.mse_loss(b, views[16:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        assert net.history[epoch]["train_loss"] == pytest.approx(loss.item(), rel=1e-5)
    torch.testing.assert_close(ours.condition.weight, condition, rtol=1e-4, atol=1e-6)
    assert_same_weights_and_gradients(ours.stem, decoder.stem)
    assert_same_weights_and_gradients(ours.body, decoder.body)


def test_the_layout_of_the_weights_changes_neither_outputs_nor_gradients():
    views, outputs = torch.rand(8, 3, 20, 12, generator=torch.Generator().manual_seed(0)), []
    for memory_format in (torch.channels_last, torch.contiguous_format):
        with forked_rng(0):
            built = build_networks((3, 20, 12), 6)
        assert built["encoder"][0].weight.is_contiguous(memory_format=torch.channels_last)
        module = training.ContrastiveAutoencoder(**built, generator=None)
        module.to(memory_format=memory_format).eval()  # batch statistics magnify rounding
        projection, reconstruction, *_ = module(views)
        (projection.square().mean() + reconstruction.square().mean()).backward()
        gradients = [parameter.grad for parameter in module.parameters()]
        outputs.append([projection, reconstruction, *gradients])
    for channels_last, contiguous in zip(*outputs, strict=True):
        torch.testing.assert_close(channels_last, contiguous, rtol=1e-4, atol=1e-6)


def test_conditioning_updates_the_decoder_and_reads_the_condition():
    encoder, _, decoder, _ = networks()
    encoder.eval()
    decoder.add_condition(2)
    before = {key: value.clone() for key, value in encoder.state_dict().items()}
    warm = {key: value.clone() for key, value in decoder.state_dict().items()}
    net = training.ConditioningNet(
        decoder,
        encode=lambda views: training.encode(encoder, None, views, generator=None),
        cluster_centers=torch.eye(6)[:2],
        assignment_temperature=0.1,
        **net_params(),
    )
    net.fit(numbered_images(16))
    assert all(torch.equal(encoder.state_dict()[key], value) for key, value in before.items())
    changed = {
        key for key, value in warm.items() if not torch.equal(net.module_.state_dict()[key], value)
    }
    assert changed == set(warm)
    assert decoder.condition.weight.any()


def test_epoch_means_weigh_batches_by_their_size():
    samples = numbered_images(24)  # batches of 16 and 8
    module = training.ContrastiveAutoencoder(*networks(), torch.Generator())
    net = training.WarmUpNet(
        module,
        temperature=0.5,
        reconstruction_weight=0.1,
        kl_weight=0.0,
        **net_params(1),
    )
    net.fit(samples)
    batches = net.history[0]["batches"]
    losses = [batch["train_loss"] for batch in batches]
    assert [batch["train_batch_size"] for batch in batches] == [32, 16]
    row = net.history[0]
    mean = row["contrastive_loss"] + 0.1 * row["reconstruction_loss"]
    assert mean == pytest.approx(np.average(losses, weights=[2, 1]))
    assert losses[0] != pytest.approx(losses[1])


class FirstIsBest(Callback):
    def on_epoch_end(self, net, **kwargs):
        net.history.record("is_first", len(net.history) == 1)


@pytest.mark.parametrize("load_best", [False, True])
def test_the_history_keeps_the_last_batch_of_older_epochs(tmp_path, load_best):
    """All of them would outgrow the data; skorch's Checkpoint looks at the last one."""
    module = training.ContrastiveAutoencoder(*networks(), torch.Generator())
    params = net_params(3)
    checkpoint = Checkpoint(monitor="is_first", dirname=tmp_path, load_best=load_best)
    params["callbacks"] += [("first", FirstIsBest()), ("checkpoint", checkpoint)]
    net = training.WarmUpNet(
        module, temperature=0.5, reconstruction_weight=0.1, kl_weight=0.0, **params
    )
    net.fit(random_images(32))
    kept = [len(row["batches"]) for row in net.history]
    assert kept == ([2] if load_best else [1, 1, 2])  # Checkpoint went back to the first epoch


def test_kl_divergence_by_hand():
    mean, log_variance = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, math.log(4.0)]])
    # 1/2 (1 + 1 - 1 - 0) + 1/2 (0 + 4 - 1 - log 4)
    expected = np.mean([0.5, 0.5 * (3 - math.log(4.0))])
    assert training.kl_divergence(mean, log_variance).item() == pytest.approx(expected)


def test_reparametrised_draws_have_their_mean_and_variance():
    mean, log_variance = torch.full((20_000, 2), 3.0), torch.full((20_000, 2), math.log(0.25))
    drawn = training.reparametrise(mean, log_variance, torch.Generator().manual_seed(0))
    assert drawn.mean().item() == pytest.approx(3.0, abs=0.02)
    assert drawn.std().item() == pytest.approx(0.5, abs=0.02)
    assert training.reparametrise(mean, None, None) is mean


def test_devices_and_precisions(monkeypatch):
    assert training.choose_device("cpu").type == "cpu"
    assert training.choose_precision("bfloat16", torch.device("cpu")) == "bfloat16"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert training.choose_device("auto").type == "cpu"
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert training.choose_device("auto").type == "mps"
    assert training.choose_precision("auto", torch.device("mps")) == "float32"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert training.choose_device("auto").type == "cuda"
    for supported, precision in ((True, "bfloat16"), (False, "float32")):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda yes=supported, **_: yes)
        monkeypatch.setattr(training, "_multiplies_bfloat16", lambda yes=supported: yes)
        assert training.choose_precision("auto", torch.device("cuda")) == precision
        assert training.choose_precision("auto", torch.device("cpu")) == precision


def test_forked_rng_gives_back_the_callers_state():
    state = torch.get_rng_state()
    with forked_rng(3):
        first = torch.rand(2)
    with forked_rng(3):
        assert torch.equal(torch.rand(2), first)
    assert torch.equal(torch.get_rng_state(), state)
