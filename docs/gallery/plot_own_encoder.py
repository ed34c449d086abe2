"""
An encoder of your own
======================

The paper's encoder has three convolutions. For larger or more complex images, pass a function as
``encoder=``. It may build any ``torch.nn.Module``. This page uses a small residual network.
"""

from torch import nn


class Residual(nn.Module):
    """Two convolutions, and a shortcut."""

    def __init__(self, n_in, n_out, stride):
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(n_in, n_out, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(n_out),
            nn.ReLU(),
            nn.Conv2d(n_out, n_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(n_out),
        )
        self.short_cut = nn.Conv2d(n_in, n_out, 1, stride)

    def forward(self, images):
        return (self.main(images) + self.short_cut(images)).relu()


def small_resnet(image_shape, embedding_dim):
    """Build a network from (n, C, H, W) to (n, embedding_dim)."""
    return nn.Sequential(
        Residual(image_shape[0], 16, stride=1),
        Residual(16, 32, stride=2),
        Residual(32, 64, stride=2),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(64 * 4, embedding_dim),
    )


# %%
# The clusterer passes ``image_shape`` and ``embedding_dim`` to the function, if it has parameters
# of these names. The decoder does not change; pass ``decoder=`` to replace it.

import pandas as pd

from sklearn_cae import ContrastiveAutoencoderClusterer, clustering_report
from sklearn_cae.datasets import make_toy_images
from sklearn_cae.plotting import PrototypeDisplay

X, y = make_toy_images(300, n_classes=6, noise=0.3, random_state=0, return_X_y=True)
rows = {}
for name, encoder in {"the paper's": None, "small_resnet": small_resnet}.items():
    clusterer = ContrastiveAutoencoderClusterer(
        n_clusters=6,
        encoder=encoder,
        warm_up_epochs=20,
        conditioning_epochs=10,
        batch_size=64,
        optimizer="adamw",
        augmentation="xray",
        random_state=0,
    ).fit(X)
    report = clustering_report(y, clusterer.labels_)
    rows[name] = {
        "weights": sum(weight.numel() for weight in clusterer.encoder_.parameters()),
        "contrastive loss": clusterer.history_[19]["contrastive_loss"],
        "adjusted Rand index": report.ari,
    }
pd.DataFrame(rows).T.round(3)

# %%
# The contrastive loss is taken from the last epoch of the warm-up. One seed on toy images does not
# show which encoder is better. Use several seeds and ``stability_report``. These are the groups of
# the residual network:

_ = PrototypeDisplay.from_estimator(clusterer, X, y)

# %%
# Save the model as usual. The file contains only the name of the function. To load it, pass the
# function: ``load(path, encoder=small_resnet)``.
