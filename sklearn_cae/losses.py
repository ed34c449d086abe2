"""The losses of the phases, each one pure function of tensors."""

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["agreement_loss", "nt_xent_loss"]


def nt_xent_loss(projection_a: Tensor, projection_b: Tensor, temperature: float = 0.5) -> Tensor:
    r"""Normalised temperature-scaled cross entropy between two views of each sample.

    .. math::
        \ell(i, j) = -\log \frac{\exp(\mathrm{sim}(z_i, z_j) / \tau)}
            {\sum_{k \ne i} \exp(\mathrm{sim}(z_i, z_k) / \tau)}

    averaged over all 2N anchors, with the cosine as similarity. The sum runs over the other 2N - 1
    views: as in SimCLR [1]_, and unlike the letter of [2]_ (Eq. 1), it keeps the positive.

    Parameters
    ----------
    projection_a, projection_b : Tensor of shape (n_samples, n_features)
        Projections of the first and the second view; row i of both belongs to sample i.
    temperature : float, default=0.5
        Positive divisor of the cosine similarities.

    Returns
    -------
    loss : Tensor of shape ()
        In float32 whatever the precision of the projections, and at least 0. It is
        ``log(2 * n_samples - 1)`` where all projections are equal.

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
    positive = torch.arange(2 * n, device=z.device).roll(n)  # anchor i < n finds its pair at i + n
    return F.cross_entropy(similarity, positive)


def agreement_loss(
    log_assignment_a: Tensor,
    log_assignment_b: Tensor,
    proportions: Tensor,
    divergence_weight: float = 2.0,
) -> Tensor:
    r"""Disagreement of two soft assignments of each sample, and of all of them with proportions.

    .. math::
        -\frac{1}{N} \sum_i \log \langle p_i, q_i \rangle + w \, \mathrm{KL}(\bar p \,\|\, \pi)

    where the mean assignment is over both. Agreement alone would be reached by a single cluster.
    SCAN [1]_ subtracts the entropy of the mean assignment, which with equal proportions is the same
    but for a constant.

    Parameters
    ----------
    log_assignment_a, log_assignment_b : Tensor of shape (n_samples, n_clusters)
        Logarithms of soft assignments; row i of both belongs to sample i, or to it and a neighbour.
    proportions : Tensor of shape (n_clusters,)
        Positive, with a sum of 1: how large the clusters are thought to be.
    divergence_weight : float, default=2.0
        Weight of the divergence: the higher, the closer clusters keep to the proportions.

    Returns
    -------
    loss : Tensor of shape ()
        At least 0, reached where all agree, surely, on clusters of the given proportions.

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
