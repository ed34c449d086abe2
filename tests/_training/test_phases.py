import math
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from nets import net_params, networks, numbered_images, random_images

from sklearn_cae._grouping.assignment import assign_by_cosine
from sklearn_cae._training import phases
from sklearn_cae._training.batches import NeighborBatches
from sklearn_cae._training.networks import build_networks
from sklearn_cae._training.watchers import EpochMeans
from sklearn_cae._utils.random import forked_rng
from sklearn_cae.optim import LARS, learning_rate_at


@pytest.mark.parametrize("log_variance", [False, True])
def test_warm_up_steps_equal_a_plain_transcription(log_variance):
    """The paper's loss and updates, written out as one would by hand."""
    samples = random_images(16)
    weight, temperature, kl_weight, n_epochs = 0.1, 0.5, 0.01, 3
    module = phases.ContrastiveAutoencoder(
        *networks(log_variance=log_variance), torch.Generator().manual_seed(5)
    )
    net = phases.WarmUpNet(
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


def by_cosine(centers):
    return partial(assign_by_cosine, cluster_centers=centers, assignment_temperature=0.1)


def test_conditioning_steps_equal_a_plain_transcription():
    """Phase two of Algorithm 1, written out as one would by hand."""
    samples, n_epochs = random_images(16), 3
    centers = F.normalize(torch.randn(3, 6, generator=torch.Generator().manual_seed(1)))
    encoder, _, ours, _ = networks()
    ours.add_condition(3)
    net = phases.ConditioningNet(
        ours,
        encode=lambda views: phases.encode(encoder, None, views, generator=None),
        assign=by_cosine(centers),
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
        module = phases.ContrastiveAutoencoder(**built, generator=None)
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
    net = phases.ConditioningNet(
        decoder,
        encode=lambda views: phases.encode(encoder, None, views, generator=None),
        assign=by_cosine(torch.eye(6)[:2]),
        **net_params(),
    )
    net.fit(numbered_images(16))
    assert all(torch.equal(encoder.state_dict()[key], value) for key, value in before.items())
    changed = {
        key for key, value in warm.items() if not torch.equal(net.module_.state_dict()[key], value)
    }
    assert changed == set(warm)
    assert decoder.condition.weight.any()


def test_refinement_steps_equal_a_plain_transcription():
    """First the labels that were given, then -log <p, q> of a sample and its neighbour + 2 KL."""
    samples, n_epochs = random_images(16), 3
    start = F.normalize(torch.randn(3, 6, generator=torch.Generator().manual_seed(1)))
    labels, neighbors = np.arange(16) % 3, (np.arange(16)[:, None] + [1, 2]) % 16
    proportions = torch.tensor([0.2, 0.3, 0.5])
    encoder, *_ = networks()
    net = phases.RefinementNet(
        phases.LearnedPrototypes(encoder, start.clone(), proportions, assignment_temperature=0.1),
        **{
            **net_params(n_epochs),
            "optimizer": torch.optim.SGD,
            "lr": 0.02,
            "optimizer__param_groups": [("cluster_centers", {"lr": 0.1})],
            "callbacks": [("epoch_means", EpochMeans())],
            "iterator_train": NeighborBatches,
            "iterator_train__neighbors": neighbors,
            "iterator_train__labels": labels,
        },
    )
    net.fit(samples)

    plain, *_ = networks()
    centers = start.clone().requires_grad_()
    optimizer = torch.optim.SGD(
        [{"params": plain.parameters(), "lr": 0.02}, {"params": [centers], "lr": 0.1}]
    )
    order = torch.Generator().manual_seed(0)
    for epoch in range(n_epochs):
        shuffled = torch.randperm(16, generator=order).numpy()
        column = torch.randint(2, (16,), generator=order).numpy()
        partners = neighbors[shuffled, column]
        p, q = (
            torch.softmax(F.cosine_similarity(plain(x)[:, None], centers[None], dim=2) / 0.1, 1)
            for x in (samples[shuffled], samples[partners])
        )
        if epoch == 0:
            given = [p[range(16), labels[shuffled]], q[range(16), labels[partners]]]
            loss = -torch.cat(given).log().mean()
        else:
            mean = torch.cat([p, q]).mean(dim=0)
            loss = -(p * q).sum(dim=1).log().mean() + 2 * (mean * (mean / proportions).log()).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        assert net.history[epoch]["train_loss"] == pytest.approx(loss.item(), rel=1e-4)
    torch.testing.assert_close(net.module_.cluster_centers, centers, rtol=1e-3, atol=1e-5)
    for ours, other in zip(encoder.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours, other, rtol=1e-3, atol=1e-5)


def test_kl_divergence_by_hand():
    mean, log_variance = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, math.log(4.0)]])
    # 1/2 (1 + 1 - 1 - 0) + 1/2 (0 + 4 - 1 - log 4)
    expected = np.mean([0.5, 0.5 * (3 - math.log(4.0))])
    assert phases.kl_divergence(mean, log_variance).item() == pytest.approx(expected)


def test_reparametrised_draws_have_their_mean_and_variance():
    mean, log_variance = torch.full((20_000, 2), 3.0), torch.full((20_000, 2), math.log(0.25))
    drawn = phases.reparametrise(mean, log_variance, torch.Generator().manual_seed(0))
    assert drawn.mean().item() == pytest.approx(3.0, abs=0.02)
    assert drawn.std().item() == pytest.approx(0.5, abs=0.02)
    assert phases.reparametrise(mean, None, None) is mean
