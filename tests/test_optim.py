from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pytorch_optimizer import LARS as PublicLARS

from sklearn_cae.optim import LARS, learning_rate_at


def parameters(seed=0):
    """A matrix, a convolution, a bias and a scalar, with gradients."""
    generator = torch.Generator().manual_seed(seed)
    shapes = [(4, 3), (2, 3, 4, 4), (4,), ()]
    params = [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in shapes]
    for param in params:
        param.grad = torch.randn(param.shape, generator=generator)
    return params


def test_one_step_by_hand():
    weight = torch.nn.Parameter(torch.tensor([[3.0, 4.0]]))  # norm 5
    bias = torch.nn.Parameter(torch.tensor([1.0]))
    optimizer = LARS([weight, bias], lr=0.5, momentum=0.9, weight_decay=0.1, trust_coefficient=0.01)
    weight.grad = torch.tensor([[0.0, 2.0]])  # norm 2
    bias.grad = torch.tensor([4.0])
    optimizer.step()
    ratio = 0.01 * 5 / (2 + 0.1 * 5)
    update = ratio * torch.tensor([[0.0 + 0.1 * 3, 2.0 + 0.1 * 4]])
    torch.testing.assert_close(weight.detach(), torch.tensor([[3.0, 4.0]]) - 0.5 * update)
    torch.testing.assert_close(bias.detach(), torch.tensor([1.0 - 0.5 * 4.0]))

    weight.grad = torch.zeros(1, 2)
    bias.grad = torch.zeros(1)
    optimizer.step()  # momentum goes on; without a gradient the decayed weight is the update
    assert bias.item() == pytest.approx(-1.0 - 0.5 * 0.9 * 4.0)


def test_scales_at_the_defaults_and_without_weight_decay():
    # An implementation that scales only where weight_decay > 0 is silently SGD.
    for options in ({}, {"weight_decay": 0.0}):
        ours, sgd = parameters(), parameters()
        LARS(ours, lr=0.1, **options).step()
        torch.optim.SGD(sgd, lr=0.1, momentum=0.9).step()
        for our, other in zip(ours, sgd, strict=True):
            assert torch.equal(our, other) == (our.ndim <= 1)


@pytest.mark.parametrize("weight_decay", [0.0, 1e-3])
def test_equals_a_public_implementation_over_50_steps(weight_decay):
    options = {"lr": 0.2, "momentum": 0.9, "weight_decay": weight_decay, "trust_coefficient": 0.02}
    ours, theirs = parameters(), parameters()
    our_optimizer, their_optimizer = LARS(ours, **options), PublicLARS(theirs, **options)
    generator = torch.Generator().manual_seed(1)
    for _ in range(50):
        for our, other in zip(ours, theirs, strict=True):
            our.grad = torch.randn(our.shape, generator=generator)
            other.grad = our.grad.clone()
        our_optimizer.step()
        their_optimizer.step()
    for our, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(our, other, rtol=1e-5, atol=1e-6)


def test_leaves_gradients_as_they_are():
    params = parameters()
    before = [param.grad.clone() for param in params]
    LARS(params).step()
    assert all(torch.equal(param.grad, grad) for param, grad in zip(params, before, strict=True))


def test_zero_weights_and_zero_gradients_take_a_plain_step():
    zero_weight, zeros = (torch.nn.Parameter(torch.zeros(2, 2)) for _ in range(2))
    zero_grad, without_grad = (torch.nn.Parameter(torch.ones(2, 2)) for _ in range(2))
    zero_weight.grad = torch.ones(2, 2)
    zeros.grad, zero_grad.grad = torch.zeros(2, 2), torch.zeros(2, 2)
    LARS([zero_weight, zeros, zero_grad, without_grad], lr=0.1, weight_decay=1e-3).step()
    torch.testing.assert_close(zero_weight.detach(), torch.full((2, 2), -0.1))
    assert torch.equal(zeros.detach(), torch.zeros(2, 2))
    torch.testing.assert_close(zero_grad.detach(), torch.full((2, 2), 1 - 1e-4))
    assert torch.equal(without_grad.detach(), torch.ones(2, 2))
    LARS([without_grad]).step()  # nothing to update at all


def test_step_returns_the_loss_of_its_closure():
    weight = torch.nn.Parameter(torch.ones(2, 2))

    def closure():
        loss = weight.square().sum()
        loss.backward()
        return loss

    assert LARS([weight]).step(closure).item() == 4.0
    assert weight.grad is not None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr": -1}, "lr must be at least 0, got -1"),
        ({"momentum": 1.0}, r"momentum must be in \[0, 1\), got 1.0"),
        ({"momentum": -0.1}, r"momentum must be in \[0, 1\), got -0.1"),
        ({"weight_decay": -0.1}, "weight_decay must be at least 0, got -0.1"),
        ({"trust_coefficient": 0}, "trust_coefficient must be positive, got 0"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        LARS(parameters(), **options)


def test_schedule_of_the_paper():
    assert learning_rate_at(0, 100) == pytest.approx(0.01)
    assert learning_rate_at(10, 100) == pytest.approx(0.25)
    assert learning_rate_at(100, 100) == pytest.approx(0.05)
    ramp = [learning_rate_at(epoch, 100) for epoch in range(11)]
    steps = [after - before for before, after in pairwise(ramp)]
    assert steps == pytest.approx([0.024] * 10)
    decay = [learning_rate_at(epoch, 100) for epoch in range(10, 101)]
    assert sorted(decay, reverse=True) == decay
    assert decay[45] == pytest.approx(0.15)  # half of the way down


def test_a_rate_of_zero_leaves_weights_alone():
    weight = torch.nn.Parameter(torch.ones(2, 2))
    weight.grad = torch.ones(2, 2)
    LARS([weight], lr=0).step()
    assert (weight == 1).all()


@given(
    n_epochs=st.integers(1, 300),
    peak=st.floats(1e-5, 10),
    data=st.data(),
)
def test_schedule_stays_between_its_ends_and_scales_with_its_peak(n_epochs, peak, data):
    epoch = data.draw(st.integers(0, n_epochs - 1))
    rate = learning_rate_at(epoch, n_epochs, peak)
    assert 0.04 * peak * (1 - 1e-9) <= rate <= peak * (1 + 1e-9)
    assert rate == pytest.approx(peak * learning_rate_at(epoch, n_epochs, 1.0))


def test_without_decay_the_length_of_a_gradient_does_not_matter():
    steps = []
    for scale in (1e-3, 1.0, 1e3):
        weight = torch.nn.Parameter(torch.ones(2, 2))
        weight.grad = scale * torch.tensor([[1.0, -2.0], [0.5, 0.0]])
        LARS([weight], lr=0.1, weight_decay=0).step()
        steps.append(weight.detach() - 1)
    for step in steps[1:]:
        torch.testing.assert_close(step, steps[0])
