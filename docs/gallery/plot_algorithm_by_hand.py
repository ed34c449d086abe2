"""
The whole method in plain torch
===============================

This page writes Algorithm 1 of `the paper <https://arxiv.org/abs/2209.12005>`_ without this
library. Read it to see every step, or to change a step. The networks are smaller than the paper's.
"""

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from sklearn.cluster import KMeans
from torch import nn

from sklearn_cae.datasets import make_toy_images
from sklearn_cae.losses import nt_xent_loss

X, y = make_toy_images(600, n_classes=4, random_state=0, return_X_y=True)
images = torch.tensor(X[:, None] / 255, dtype=torch.float32)
torch.manual_seed(0)  # the library itself never sets the global seed
k, dim, temperature, alpha = 4, 32, 0.5, 0.1
encoder = nn.Sequential(
    *(nn.Conv2d(1, 32, 4, 2, 1), nn.GELU(), nn.Conv2d(32, 64, 4, 2, 1), nn.GELU()),
    *(nn.Flatten(), nn.Linear(64 * 4 * 4, dim)),
)
head = nn.Sequential(nn.Linear(dim, dim), nn.BatchNorm1d(dim), nn.ReLU(), nn.Linear(dim, dim))
decoder = nn.Sequential(
    *(nn.Linear(dim, 64 * 4 * 4), nn.GELU(), nn.Unflatten(1, (64, 4, 4))),
    *(nn.ConvTranspose2d(64, 32, 4, 2, 1), nn.GELU(), nn.ConvTranspose2d(32, 1, 4, 2, 1)),
)
condition = nn.Linear(k, dim, bias=False)  # used in phase two
nn.init.zeros_(condition.weight)  # phase two starts with the decoder of phase one


def view(batch):
    """Shift each image by up to two pixels, change its brightness, add noise."""
    shifts = torch.randint(-2, 3, (len(batch), 2)).tolist()
    moved = torch.stack([image.roll(s, (1, 2)) for image, s in zip(batch, shifts, strict=True)])
    return moved * (0.7 + 0.6 * torch.rand(len(batch), 1, 1, 1)) + 0.05 * torch.randn(batch.shape)


def nt_xent(z_a, z_b):
    """Find the other view of each image among all 2N - 1 other views, by cosine."""
    z = F.normalize(torch.cat([z_a, z_b]))
    similarity = (z @ z.T / temperature).fill_diagonal_(-torch.inf)
    return F.cross_entropy(similarity, torch.arange(len(z)).roll(len(z_a)))


def train(networks, n_epochs, loss_of):
    optimizer = torch.optim.AdamW([p for net in networks for p in net.parameters()], lr=1e-3)
    for _ in range(n_epochs):
        for batch in images[torch.randperm(len(images))].split(100):
            optimizer.zero_grad()
            loss_of(view(batch), view(batch)).backward()
            optimizer.step()


# %%
# Phase one trains all three networks. The contrastive loss makes two views of an image similar. The
# reconstruction loss keeps the content of the image in the embedding.


def warm_up_loss(view_a, view_b):
    h_a, h_b = encoder(view_a), encoder(view_b)
    reconstruction = F.mse_loss(decoder(h_a), view_a) + F.mse_loss(decoder(h_b), view_b)
    return nt_xent(head(h_a), head(h_b)) + alpha * reconstruction


train([encoder, head, decoder], 20, warm_up_loss)

# %%
# Now the encoder is fixed. KMeans on embeddings of length 1 finds prototypes. The softmax of the
# cosines to them is the soft assignment. Phase two trains the decoder, which receives it.

h = encoder(images).detach()
kmeans = KMeans(k, n_init=10, random_state=0).fit(F.normalize(h).numpy())
prototypes = F.normalize(torch.tensor(kmeans.cluster_centers_))


def decode(h):
    return decoder(h + condition((F.normalize(h) @ prototypes.T / 0.1).softmax(dim=1)))


def conditioning_loss(*views):
    return sum(F.mse_loss(decode(encoder(each).detach()), each) for each in views)


train([decoder, condition], 10, conditioning_loss)

# %%
# The pictures show the decoded mean embedding of each cluster. The last line compares the loss with
# the library's loss.

figure, axes = plt.subplots(1, k, figsize=(8, 2.3))
for label, ax in enumerate(axes):
    picture = decode(h[kmeans.labels_ == label].mean(dim=0, keepdim=True)).detach()
    ax.imshow(picture[0, 0], cmap="gray")
    ax.set(title=f"cluster {label}, n = {(kmeans.labels_ == label).sum()}", xticks=[], yticks=[])
z_a, z_b = head(h).detach().chunk(2)
print(f"{nt_xent(z_a, z_b):.6f} here, {nt_xent_loss(z_a, z_b, temperature):.6f} in sklearn_cae")
