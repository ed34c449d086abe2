"""The phases: their networks and their losses."""

import torch
import torch.nn.functional as F
from torch import nn

from .._grouping.assignment import cosine_similarity
from .._processes import gather_pairs, weight
from .._utils.devices import send
from ..losses import agreement_loss, nt_xent_loss
from .nets import PhaseNet

#: For the refinement: neighbours with which a sample may be paired, and rates of AdamW.
N_NEIGHBORS = 5
ENCODER_RATE = 1e-4
PROTOTYPE_RATE = 1e-2

#: Columns that the row of an epoch has in every phase.
_EVERY_PHASE = {
    *("dur", "epoch", "learning_rate", "train_batch_count", "train_loss", "train_loss_best")
}


def recorded_columns(params):
    """Return the columns that each phase of a fit records per epoch.

    Parameters
    ----------
    params : dict
        Parameters of the estimator.

    Returns
    -------
    columns : dict
        Set of columns, by phase.
    """
    losses = {
        "warm_up": {"reconstruction_loss"},
        "refinement": set(),
        "conditioning": {"reconstruction_loss"},
    }
    if params["train_encoder"]:
        losses["warm_up"].add("contrastive_loss")
    if params["variational"]:
        losses["warm_up"].add("kl_loss")
    return {
        phase: _EVERY_PHASE | own for phase, own in losses.items() if params[f"{phase}_epochs"] > 0
    }


class ContrastiveAutoencoder(nn.Module):
    """Encoder, projection head and decoder, which the warm-up trains.

    Parameters
    ----------
    encoder, projection_head, decoder : nn.Module
    log_variance_head : nn.Module or None
        Network from the embedding to the log-variance of a Gaussian around it, in the variational
        setting.
    generator : torch.Generator
        Generator of the noise of the reparametrisation, on the CPU.
    """

    def __init__(self, encoder, projection_head, decoder, log_variance_head, generator):
        super().__init__()
        self.encoder = encoder
        self.projection_head = projection_head
        self.decoder = decoder
        self.log_variance_head = log_variance_head
        self.generator = generator

    def forward(self, views):
        """Return the projection, the reconstruction, and the posterior's mean and log-variance."""
        embedding, mean, log_variance = encode(
            self.encoder, self.log_variance_head, views, generator=self.generator
        )  # (2 * n, embedding_dim)
        # The head is behind the exchange, so that its BatchNorm sees all samples of the batch.
        projection = self.projection_head(gather_pairs(embedding))
        return projection, self.decoder(embedding), mean, log_variance


def reparametrise(mean, log_variance, generator):
    """Draw from N(mean, exp(log_variance)), or return the mean if log_variance is None."""
    if log_variance is None:
        return mean
    noise = torch.randn(mean.shape, generator=generator)
    return mean + send(noise, mean.device) * (log_variance.float() / 2).exp()


def encode(encoder, log_variance_head, views, *, generator):
    """Embed views; return the embedding, and the mean and log-variance that it is drawn from.

    If `log_variance_head` is None, the embedding is the mean.
    """
    mean = encoder(views)
    log_variance = None if log_variance_head is None else log_variance_head(mean)
    return reparametrise(mean, log_variance, generator), mean, log_variance


class WarmUpNet(PhaseNet):
    """Phase one: L = L_contrastive + alpha * L_recon, for encoder, head and decoder.

    In the variational setting, L_recon + kl_weight * KL replaces L_recon, so alpha multiplies both
    terms. kl_weight is reached linearly over the phase.

    Parameters
    ----------
    module : ContrastiveAutoencoder
    temperature, reconstruction_weight, kl_weight : float
    **kwargs
        Parameters of `PhaseNet`.
    """

    def __init__(self, module, *, temperature, reconstruction_weight, kl_weight, **kwargs):
        super().__init__(module, **kwargs)
        self.temperature = temperature
        self.reconstruction_weight = reconstruction_weight
        self.kl_weight = kl_weight

    def infer(self, x, **fit_params):
        """Encode, project and decode views."""
        with self.autocast():
            return self.module_(x)

    def get_loss(self, y_pred, y_true, X=None, training=False):
        """Compute the sum of the losses of the warm-up."""
        projection, reconstruction, mean, log_variance = y_pred
        contrastive = nt_xent_loss(*projection.chunk(2), self.temperature)
        reconstruction = self.reconstruction_loss(reconstruction, X)
        self.record(len(X), contrastive_loss=contrastive, reconstruction_loss=reconstruction)
        if log_variance is None:
            return contrastive + self.reconstruction_weight * reconstruction
        kl = weight() * kl_divergence(mean.float(), log_variance.float())
        self.record(len(X), kl_loss=kl)
        ramp = len(self.history) / self.max_epochs
        variational = reconstruction + ramp * self.kl_weight * kl
        return contrastive + self.reconstruction_weight * variational


def kl_divergence(mean, log_variance):
    """Compute KL(N(mean, exp(log_variance)) || N(0, 1)) as a mean over dimensions.

    The MSE is a mean over pixels. A sum over dimensions would outweigh it, and all but one of 128
    dimensions would contain noise.
    """
    terms = mean.square() + log_variance.exp() - 1 - log_variance
    return terms.mean() / 2


def encoder_rate(share, *, has_new_head):
    """Return the options with which an encoder learns more slowly than the other networks.

    Parameters
    ----------
    share : float
        Its learning rate, as a share of that of the other networks.
    has_new_head : bool
        Whether the encoder ends with a layer that was added to it, which learns like the others.
    """
    if share == 1:
        return {}
    encoder = "encoder.0.*" if has_new_head else "encoder.*"
    # `history_` records the rate of the first group.
    return {"optimizer__param_groups": [("projection_head.*", {}), (encoder, {"lr": share})]}


def already_encoded(embedding):
    """Return embeddings in the form of `encode`."""
    return embedding, embedding, None


class ConditioningNet(PhaseNet):
    """Phase two: MSE of the views decoded with their soft assignment, for the decoder only.

    The encoder is not a module of this net, so this phase cannot change its weights or buffers.
    With a fixed encoder, this is also the net of phase one: batches contain embeddings, and images
    as their targets.

    Parameters
    ----------
    module : ConditionalDecoder
    encode : callable
        Function `encode` of views. The embedding is decoded, and its mean is assigned.
    assign : callable
        Function from embeddings to soft assignments, tensors on the device of the net, or None.
    **kwargs
        Parameters of `PhaseNet`.
    """

    def __init__(self, module, *, encode, assign, **kwargs):
        super().__init__(module, **kwargs)
        self.encode = encode
        self.assign = assign

    def infer(self, x, **fit_params):
        """Encode views with the fixed encoder, assign them softly, and decode them."""
        with torch.no_grad(), self.autocast():
            embedding, mean, _ = self.encode(x)
        assignment = self.assign(mean.float())
        with self.autocast():
            return self.module_(embedding, assignment)

    def get_loss(self, y_pred, y_true, X=None, training=False):
        """Compute the reconstruction loss of both views, or of the targets."""
        loss = self.reconstruction_loss(y_pred, X if y_true is None else y_true)
        self.record(len(X), reconstruction_loss=loss)
        return loss


class LearnedPrototypes(nn.Module):
    """Encoder and prototypes, which the refinement trains.

    Parameters
    ----------
    encoder : nn.Module
    cluster_centers : Tensor of shape (n_clusters, embedding_dim)
    proportions : Tensor of shape (n_clusters,)
        Shares of the samples in the clusters, as the clusterer found them.
    assignment_temperature : float
    """

    def __init__(self, encoder, cluster_centers, proportions, assignment_temperature):
        super().__init__()
        self.encoder = encoder
        self.cluster_centers = nn.Parameter(cluster_centers)
        self.register_buffer("proportions", proportions)
        self.assignment_temperature = assignment_temperature

    def forward(self, views):
        """Embed views."""
        return self.encoder(views)

    def log_assignment(self, embedding):
        """Compute the logarithms of the soft assignments, (n_samples, n_clusters)."""
        similarity = cosine_similarity(embedding, F.normalize(self.cluster_centers))
        return (similarity / self.assignment_temperature).log_softmax(dim=1)


class RefinementNet(PhaseNet):
    """Refinement: neighbours should be in the same cluster, and clusters should keep their sizes.

    In the first epoch, the labels of the clusterer are learned, so that encoder and prototypes
    start from them.

    Parameters
    ----------
    module : LearnedPrototypes
    **kwargs
        Parameters of `PhaseNet`.
    """

    def infer(self, x, **fit_params):
        """Compute the logarithms of the soft assignments of views."""
        with self.autocast():
            embedding = self.module_(x)
        if len(self.history) > 1:
            embedding = gather_pairs(embedding)
        return self.module_.log_assignment(embedding.float())

    def get_loss(self, y_pred, y_true, X=None, training=False):
        """Compute the loss: likelihood of the labels in the first epoch, agreement afterwards."""
        if len(self.history) == 1:
            loss = weight() * F.nll_loss(y_pred, y_true)
        else:
            loss = agreement_loss(*y_pred.chunk(2), self.module_.proportions)
        return loss
