"""Losses of the phases, as pure functions of tensors."""

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["agreement_loss", "nt_xent_loss"]


def nt_xent_loss(projection_a: Tensor, projection_b: Tensor, temperature: float = 0.5) -> Tensor:
    r"""Compute the normalised temperature-scaled cross entropy of two views per sample.

    .. math::
        \ell(i, j) = -\log \frac{\exp(\mathrm{sim}(z_i, z_j) / \tau)}
            {\sum_{k \ne i} \exp(\mathrm{sim}(z_i, z_k) / \tau)}

    The loss is the mean over all 2N anchors, and the similarity is the cosine. The sum runs over
    the other 2N - 1 views. It includes the positive, as in SimCLR [1]_; Eq. 1 of [2]_, read
    literally, excludes it.

    Parameters
    ----------
    projection_a, projection_b : Tensor of shape (n_samples, n_features)
        Projections of the first and the second view; row i of both belongs to sample i.
    temperature : float, default=0.5
        Positive divisor of the cosine similarities.

    Returns
    -------
    loss : Tensor of shape ()
        Loss in float32, for any precision of the projections. It is at least 0, and
        ``log(2 * n_samples - 1)`` if all projections are equal.

    References
    ----------
    .. [1] Chen et al., "A simple framework for contrastive learning of visual representations",
       ICML 2020.
    .. [2] Ferrante et al., "Contrastive learning for unsupervised medical image clustering and
       reconstruction", arXiv 2209.12005.

    Examples
    --------
    >>> import torch
    >>> from sklearn_cae.losses import nt_xent_loss
    >>> collapsed = torch.ones(4, 8)
    >>> print(f"{nt_xent_loss(collapsed, collapsed):.4f}")  # log(7)
    1.9459
    """
    n = len(projection_a)
    z = F.normalize(torch.cat([projection_a, projection_b]).float())  # (2n, n_features)
    similarity = z @ z.T / temperature  # (2n, 2n)
    itself = torch.eye(2 * n, dtype=torch.bool, device=z.device)
    similarity = similarity.masked_fill(itself, -torch.inf)
    positive = torch.arange(2 * n, device=z.device).roll(n)  # the positive of i < n is i + n
    return F.cross_entropy(similarity, positive)


def agreement_loss(
    log_assignment_a: Tensor,
    log_assignment_b: Tensor,
    proportions: Tensor,
    divergence_weight: float = 2.0,
) -> Tensor:
    r"""Compute how far two soft assignments per sample differ, and their mean from proportions.

    .. math::
        -\frac{1}{N} \sum_i \log \langle p_i, q_i \rangle + w \, \mathrm{KL}(\bar p \,\|\, \pi)

    The mean assignment is the mean over both. Without the second term, a single cluster would
    minimise the loss. SCAN [1]_ subtracts the entropy of the mean assignment instead; with equal
    proportions, this differs only by a constant.

    Parameters
    ----------
    log_assignment_a, log_assignment_b : Tensor of shape (n_samples, n_clusters)
        Logarithms of soft assignments. Row i of the first belongs to sample i; row i of the second
        belongs to the same sample, or to a neighbour.
    proportions : Tensor of shape (n_clusters,)
        Expected shares of the clusters, positive, with a sum of 1.
    divergence_weight : float, default=2.0
        Weight of the divergence. With a higher weight, clusters stay closer to the proportions.

    Returns
    -------
    loss : Tensor of shape ()
        Loss, at least 0. It is 0 if all pairs are certain and agree, and the clusters have the
        given proportions.

    References
    ----------
    .. [1] Van Gansbeke et al., "SCAN: learning to classify images without labels", ECCV 2020.

    Examples
    --------
    >>> import torch
    >>> from sklearn_cae.losses import agreement_loss
    >>> sure = torch.eye(4)[[0, 1, 2, 3, 3]].clamp_min(1e-30).log()
    >>> print(f"{agreement_loss(sure, sure, torch.tensor([0.2, 0.2, 0.2, 0.4])):.4f}")
    0.0000
    """
    agreement = torch.logsumexp(log_assignment_a + log_assignment_b, dim=1).mean()
    mean = torch.cat([log_assignment_a, log_assignment_b]).exp().mean(dim=0)  # (n_clusters,)
    mean = mean.clamp_min(torch.finfo(mean.dtype).tiny)  # the logarithm's slope at 0 is infinite
    divergence = (mean * (mean / proportions).log()).sum()
    return -agreement + divergence_weight * divergence
