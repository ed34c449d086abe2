import math

import pytest
import torch

from sklearn_cae.losses import agreement_loss, nt_xent_loss


def naive_nt_xent(a, b, temperature):
    """The formula, letter by letter: loops over anchors and the other 2N - 1 views."""
    views = [*a, *b]
    n = len(a)
    total = 0.0
    for i, anchor in enumerate(views):
        similarities = [
            math.exp(torch.cosine_similarity(anchor, other, dim=0).item() / temperature)
            for other in views
        ]
        positive = similarities[(i + n) % (2 * n)]
        total += -math.log(positive / (sum(similarities) - similarities[i]))
    return total / (2 * n)


@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
@pytest.mark.parametrize("n", [1, 2, 7])
def test_equals_the_naive_transcription(n, temperature):
    generator = torch.Generator().manual_seed(n)
    a, b = torch.randn(2, n, 5, generator=generator, dtype=torch.float64)
    expected = naive_nt_xent(a, b, temperature)
    assert nt_xent_loss(a, b, temperature).item() == pytest.approx(expected, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("n", [2, 8])
def test_collapsed_projections_cost_log_of_all_others(n):
    collapsed = torch.ones(n, 4)
    assert nt_xent_loss(collapsed, collapsed).item() == pytest.approx(math.log(2 * n - 1))


def test_aligned_pairs_orthogonal_to_the_rest():
    n, temperature = 6, 0.5
    aligned = torch.eye(n)
    positive = math.exp(1 / temperature)
    expected = -math.log(positive / (positive + 2 * n - 2))
    assert nt_xent_loss(aligned, aligned, temperature).item() == pytest.approx(expected)


def test_knows_neither_length_nor_order_nor_which_view_is_first():
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 9, 4, generator=generator)
    order = torch.randperm(9, generator=generator)
    loss = nt_xent_loss(a, b).item()
    assert nt_xent_loss(b, a).item() == pytest.approx(loss, rel=1e-6)
    assert nt_xent_loss(a[order], b[order]).item() == pytest.approx(loss, rel=1e-6)
    assert nt_xent_loss(3 * a, 0.2 * b).item() == pytest.approx(loss, rel=1e-6)
    assert nt_xent_loss(a[order], b).item() != pytest.approx(loss, rel=1e-3)


def test_is_computed_in_float32():
    a, b = torch.randn(2, 5, 4, generator=torch.Generator().manual_seed(0)).bfloat16()
    loss = nt_xent_loss(a, b)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(nt_xent_loss(a.float(), b.float()).item(), rel=1e-6)


def test_gradient_pulls_the_views_of_a_sample_together():
    a, b = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(1))
    a.requires_grad_()
    before = nt_xent_loss(a, b)
    before.backward()
    assert nt_xent_loss(a.detach() - 0.1 * a.grad, b) < before


def test_agreement_loss_by_hand():
    p = torch.tensor([[0.9, 0.1], [0.2, 0.8]])
    q = torch.tensor([[0.6, 0.4], [0.5, 0.5]])
    agreement = -(math.log(0.9 * 0.6 + 0.1 * 0.4) + math.log(0.2 * 0.5 + 0.8 * 0.5)) / 2
    first = (0.9 + 0.2 + 0.6 + 0.5) / 4
    divergence = first * math.log(first / 0.7) + (1 - first) * math.log((1 - first) / 0.3)
    for weight in (0.0, 2.0):
        loss = agreement_loss(p.log(), q.log(), torch.tensor([0.7, 0.3]), weight)
        assert loss.item() == pytest.approx(agreement + weight * divergence, rel=1e-5)


def test_equal_proportions_are_the_entropy_of_scan():
    log_p, log_q = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(0)).log_softmax(2)
    mean = torch.cat([log_p, log_q]).exp().mean(dim=0)
    agreement = -(log_p.exp() * log_q.exp()).sum(dim=1).log().mean()
    scan = agreement - 2 * torch.special.entr(mean).sum()
    loss = agreement_loss(log_p, log_q, torch.full((4,), 0.25))
    assert loss.item() == pytest.approx(scan.item() + 2 * math.log(4), rel=1e-5)


def test_a_cluster_that_is_empty_has_a_gradient_too():
    logits = torch.tensor([[100.0, 0, -120], [0, 100, -120]], requires_grad=True)
    log_p = logits.log_softmax(dim=1)
    agreement_loss(log_p, log_p.flip(0), torch.full((3,), 1 / 3)).backward()
    assert logits.grad.isfinite().all()


def test_agreement_that_is_far_off_still_has_a_gradient():
    log_p = torch.tensor([[0.0, -150.0], [-150.0, 0.0]], requires_grad=True)
    loss = agreement_loss(log_p, log_p.detach().flip(0), torch.tensor([0.5, 0.5]))
    loss.backward()
    assert loss.item() == pytest.approx(150 - math.log(2))
    assert log_p.grad.isfinite().all()
    assert log_p.grad.abs().sum() > 0


def test_the_default_temperature_is_the_papers():
    a, b = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(nt_xent_loss(a, b), nt_xent_loss(a, b, temperature=0.5))
