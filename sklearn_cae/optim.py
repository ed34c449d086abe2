"""LARS, and the paper's learning-rate schedule."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

__all__ = ["LARS", "learning_rate_at"]


class LARS(Optimizer):
    """SGD with momentum and with a learning rate that is scaled per layer.

    The update of a weight w with gradient g is ``u = (g + weight_decay * w) * trust_ratio``, with
    ``trust_ratio = trust_coefficient * |w| / (|g| + weight_decay * |w|)`` [1]_ (1 if either norm
    is 0). Then ``m = momentum * m + u`` and ``w = w - lr * m``.

    Vectors and scalars (biases, the weights of normalisation layers) are neither scaled nor
    decayed. All other weights are scaled, also if `weight_decay` is 0.

    Parameters
    ----------
    params : iterable of Tensor or dict
        Parameters to train, or groups of them, as in other torch optimizers.
    lr : float, default=0.25
        Learning rate, at least 0.
    momentum : float, default=0.9
        Momentum, in [0, 1).
    weight_decay : float, default=1e-6
        Weight decay, at least 0.
    trust_coefficient : float, default=0.02
        Positive factor of the trust ratio. With the 0.001 of [1]_, the small networks of this
        library hardly change in 50 epochs.

    Raises
    ------
    ValueError
        If a value is outside its range.

    References
    ----------
    .. [1] You et al., "Large batch training of convolutional networks", arXiv 1708.03888.

    Examples
    --------
    >>> import torch
    >>> from sklearn_cae.optim import LARS
    >>> layer = torch.nn.Linear(3, 2)
    >>> optimizer = LARS(layer.parameters(), lr=0.1)
    >>> layer(torch.ones(4, 3)).square().mean().backward()
    >>> optimizer.step()
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 0.25,
        *,
        momentum: float = 0.9,
        weight_decay: float = 1e-6,
        trust_coefficient: float = 0.02,
    ) -> None:
        if lr < 0:
            raise ValueError(f"lr must be at least 0, got {lr!r}.")
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum must be in [0, 1), got {momentum!r}.")
        if weight_decay < 0:
            raise ValueError(f"weight_decay must be at least 0, got {weight_decay!r}.")
        if trust_coefficient <= 0:
            raise ValueError(f"trust_coefficient must be positive, got {trust_coefficient!r}.")
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "trust_coefficient": trust_coefficient,
        }
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        """Update all parameters once.

        Parameters
        ----------
        closure : callable, default=None
            Function that computes the loss and its gradients. It is called before the update.

        Returns
        -------
        loss : result of `closure`, or None
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            self._update(group)
        return loss

    def _update(self, group: dict[str, Any]) -> None:
        params = [p for p in group["params"] if p.grad is not None]
        if not params:
            return
        updates = [p.grad.clone() for p in params]
        _scale_by_trust(
            [p for p in params if p.ndim > 1], [u for u in updates if u.ndim > 1], group
        )
        momenta = [self._momentum(p) for p in params]
        torch._foreach_mul_(momenta, group["momentum"])
        torch._foreach_add_(momenta, updates)
        torch._foreach_add_(params, momenta, alpha=-group["lr"])

    def _momentum(self, param: Tensor) -> Tensor:
        state = self.state[param]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(param)
        return state["momentum"]


def _scale_by_trust(weights: list[Tensor], updates: list[Tensor], group: dict[str, Any]) -> None:
    """Scale gradients per layer, in place and without waiting for a device."""
    if not weights:
        return
    weight_norm = torch.stack(torch._foreach_norm(weights))
    gradient_norm = torch.stack(torch._foreach_norm(updates))
    decayed_norm = gradient_norm + group["weight_decay"] * weight_norm
    ratio = group["trust_coefficient"] * weight_norm / decayed_norm
    # If the loss does not depend on a layer, scaled weight decay alone would shrink it to 0.
    usable = (weight_norm > 0) & (gradient_norm > 0)
    ratio = torch.where(usable, ratio, torch.ones_like(ratio))
    torch._foreach_add_(updates, weights, alpha=group["weight_decay"])
    torch._foreach_mul_(updates, ratio.unbind())


def learning_rate_at(epoch: int, n_epochs: int, peak: float = 0.25) -> float:
    """Compute the learning rate of an epoch: linear ramp, then cosine decay.

    For 100 epochs and a peak of 0.25 this is the paper's schedule [1]_: 0.01 to 0.25 over 10
    epochs, then down to 0.05 over the remaining 90. Other lengths and peaks scale it. The ramp
    takes 10 % of the epochs and starts at 4 % of the peak. The decay ends at 20 % of the peak.

    Parameters
    ----------
    epoch : int
        Epoch, counted from 0 over warm-up and conditioning together.
    n_epochs : int
        Number of epochs of warm-up and conditioning together.
    peak : float, default=0.25
        Highest learning rate.

    Returns
    -------
    learning_rate : float

    References
    ----------
    .. [1] Ferrante et al., arXiv 2209.12005.

    Examples
    --------
    >>> from sklearn_cae.optim import learning_rate_at
    >>> [round(learning_rate_at(epoch, 100), 3) for epoch in (0, 5, 10, 55, 100)]
    [0.01, 0.13, 0.25, 0.15, 0.05]
    """
    ramp = 0.1 * n_epochs
    start, end = 0.04 * peak, 0.2 * peak
    if epoch < ramp:
        return start + (peak - start) * epoch / ramp
    progress = (epoch - ramp) / (n_epochs - ramp)
    return end + (peak - end) * (1 + math.cos(math.pi * progress)) / 2
