"""The arithmetic of both phases alone, the limit that `fit` is compared with."""

from contextlib import nullcontext

import torch
import torch.nn.functional as F

from sklearn_cae.losses import nt_xent_loss
from sklearn_cae.modules import Encoder, ProjectionHead, image_decoder
from sklearn_cae.optim import LARS

SHAPE = (1, 28, 28)


def autocast(precision, device="cpu"):
    if precision == "float32":
        return nullcontext()
    return torch.autocast(device, torch.bfloat16)


class Networks(torch.nn.Module):
    """The three networks of the warm-up, from views to projection and reconstruction."""

    def __init__(self, shape=SHAPE):
        super().__init__()
        self.encoder = Encoder(shape)
        self.projection_head = ProjectionHead()
        self.decoder = image_decoder(shape)

    def forward(self, views):
        embedding = self.encoder(views)
        return self.projection_head(embedding), self.decoder(embedding)


def warm_up_loss(projection, reconstruction, views):
    """Return the warm-up loss of 2N views, with default temperature and weight."""
    return nt_xent_loss(*projection.chunk(2)) + 0.1 * 2 * F.mse_loss(reconstruction.float(), views)


class WarmUp:
    """Steps of the warm-up on one fixed batch of views."""

    def __init__(self, views, precision, memory_format):
        self.views = views
        self.precision = precision
        self.networks = Networks(views.shape[1:]).to(views.device, memory_format=memory_format)
        self.optimizer = LARS(self.networks.parameters(), lr=0.01)

    def step(self):
        with autocast(self.precision, self.views.device.type):
            projection, reconstruction = self.networks(self.views)
        self._update(warm_up_loss(projection, reconstruction, self.views))

    def _update(self, loss):
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        loss.item()


class Conditioning(WarmUp):
    """Steps of the conditioning phase on one fixed batch of views."""

    def __init__(self, views, precision, memory_format, n_clusters=6):
        super().__init__(views, precision, memory_format)
        self.networks.decoder.add_condition(n_clusters)
        self.networks.to(views.device)
        self.centers = F.normalize(torch.randn(n_clusters, 128, device=views.device))
        self.optimizer = LARS(self.networks.decoder.parameters(), lr=0.01)

    def step(self):
        with autocast(self.precision, self.views.device.type):
            with torch.no_grad():
                embedding = self.networks.encoder(self.views)
                similarity = F.normalize(embedding.float()) @ self.centers.T
                assignment = (similarity / 0.1).softmax(dim=1)
            reconstruction = self.networks.decoder(embedding, assignment)
        self._update(2 * F.mse_loss(reconstruction.float(), self.views))


PHASES = {"warm_up": WarmUp, "conditioning": Conditioning}
