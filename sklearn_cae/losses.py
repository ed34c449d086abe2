"""The losses of the phases, each one pure function of tensors."""

import torch
import torch.nn.functional as F
from torch import Tensor


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
    log_assignment_a: Tensor, log_assignment_b: Tensor, entropy_weight: float = 2.0
) -> Tensor:
    r"""Disagreement of two soft assignments of each sample, less the spread of all of them.

    .. math::
        -\frac{1}{N} \sum_i \log \langle p_i, q_i \rangle - w H(\bar p)

    where H is the entropy of the mean assignment over both: as in SCAN [1]_, agreement alone would
    be reached by a single cluster.

    Parameters
    ----------
    log_assignment_a, log_assignment_b : Tensor of shape (n_samples, n_clusters)
        Logarithms of soft assignments; row i of both belongs to sample i, or to it and a neighbour.
    entropy_weight : float, default=2.0
        Weight of the entropy: the higher, the more are clusters of equal size preferred.

    Returns
    -------
    loss : Tensor of shape ()
        At least ``-entropy_weight * log(n_clusters)``, reached where all agree, surely, on clusters
        of equal size.

    References
    ----------
    .. [1] Van Gansbeke et al., "SCAN: learning to classify images without labels", ECCV 2020.

    Examples
    --------
    >>> import torch
    >>> from sklearn_cae.losses import agreement_loss
    >>> log_assignment = torch.eye(4).clamp_min(1e-30).log()
    >>> print(f"{agreement_loss(log_assignment, log_assignment):.4f}")  # -2 log(4)
    -2.7726
    """
    agreement = torch.logsumexp(log_assignment_a + log_assignment_b, dim=1).mean()
    mean = torch.cat([log_assignment_a, log_assignment_b]).exp().mean(dim=0)  # (n_clusters,)
    mean = mean.clamp_min(torch.finfo(mean.dtype).tiny)  # the slope of the entropy at 0 is infinite
    entropy = torch.special.entr(mean).sum()
    return -agreement - entropy_weight * entropy
