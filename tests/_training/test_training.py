import threading

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from nets import identity, net_params, networks, numbered_images, random_images
from skorch.callbacks import Callback, Checkpoint

from sklearn_cae._training import phases
from sklearn_cae._training.batches import ViewBatches, read_ahead
from sklearn_cae._utils.random import forked_rng


@settings(max_examples=50, deadline=None)
@given(n=st.integers(2, 40), batch_size=st.integers(2, 16))
def test_an_epoch_shows_every_sample_twice_and_none_alone(n, batch_size):
    samples = numbered_images(n)
    batches = ViewBatches(samples, batch_size, identity, torch.Generator().manual_seed(0), "cpu")
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

    batches = read_ahead(record, [1, 2, 3])
    assert next(batches) == 10
    assert read[2].wait(timeout=60)  # before it is asked for
    assert not read[3].is_set()
    assert list(batches) == [20, 30]


def test_an_interrupt_ends_the_reading():
    n_threads = threading.active_count()
    batches = read_ahead(lambda batch: batch, [1, 2, 3])
    next(batches)
    assert threading.active_count() > n_threads
    batches.close()
    assert threading.active_count() == n_threads


def test_an_error_in_reading_ahead_is_raised():
    with pytest.raises(ZeroDivisionError):
        list(read_ahead(lambda batch: 1 / batch, [2, 1, 0]))


def test_each_epoch_has_its_own_order_and_views():
    batches = ViewBatches(
        numbered_images(30), 30, identity, torch.Generator().manual_seed(0), "cpu"
    )
    (first, _), (second, _) = next(iter(batches)), next(iter(batches))
    assert not torch.equal(first, second)


def test_epoch_means_weigh_batches_by_their_size():
    samples = numbered_images(24)  # batches of 16 and 8
    module = phases.ContrastiveAutoencoder(*networks(), torch.Generator())
    net = phases.WarmUpNet(
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
    module = phases.ContrastiveAutoencoder(*networks(), torch.Generator())
    params = net_params(3)
    checkpoint = Checkpoint(monitor="is_first", dirname=tmp_path, load_best=load_best)
    params["callbacks"] += [("first", FirstIsBest()), ("checkpoint", checkpoint)]
    net = phases.WarmUpNet(
        module, temperature=0.5, reconstruction_weight=0.1, kl_weight=0.0, **params
    )
    net.fit(random_images(32))
    kept = [len(row["batches"]) for row in net.history]
    assert kept == ([2] if load_best else [1, 1, 2])  # Checkpoint went back to the first epoch


def test_forked_rng_gives_back_the_callers_state():
    state = torch.get_rng_state()
    with forked_rng(3):
        first = torch.rand(2)
    with forked_rng(3):
        assert torch.equal(torch.rand(2), first)
    assert torch.equal(torch.get_rng_state(), state)
