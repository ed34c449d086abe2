"""Draw the presets of views: a chest X-ray of 28 pixels, and a photograph of 128 pixels.

The photograph is ``flower.jpg`` of scikit-learn (CC BY 2.0,
https://www.flickr.com/photos/vultilion/6056698931). It shows what becomes of colours. Run from the
repository, with PneumoniaMNIST where ``sklearn_cae.datasets`` finds it (seconds):

    python docs/tools/views_picture.py
"""

from pathlib import Path

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_sample_image

from sklearn_cae.augmentations import PRESETS, ImageViews
from sklearn_cae.datasets import load_pneumoniamnist

N_VIEWS = 6
x_ray = load_pneumoniamnist("test").data[3]
flower = Image.fromarray(load_sample_image("flower.jpg")).crop((120, 0, 547, 427))
flower = np.asarray(flower.resize((128, 128), Image.Resampling.BICUBIC))
names = [name for name, views in PRESETS.items() if isinstance(views, ImageViews)]

figure, axes = plt.subplots(
    len(names), 2, figsize=(8.3, 4.9), layout="constrained", gridspec_kw={"wspace": 0.03}
)
for name, row in zip(names, axes, strict=True):
    for image, ax in zip((np.repeat(x_ray[..., None], 3, axis=2), flower), row, strict=True):
        batch = torch.tensor(image / 255, dtype=torch.float32).permute(2, 0, 1)
        batch = batch.expand(N_VIEWS, -1, -1, -1)
        if image is not flower:
            batch = batch[:, :1]  # gray, so that its colours do not change
        views = PRESETS[name](batch, torch.Generator().manual_seed(0))
        block = torch.cat([batch[:1], views])
        gap = image.shape[0] // 14
        block = torch.nn.functional.pad(block, (0, gap), value=1)
        ax.imshow(block.permute(2, 0, 3, 1).flatten(1, 2), cmap="gray", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    row[0].set_ylabel(name, rotation=0, ha="right", va="center")
axes[0, 0].set_title("X-ray, 28 pixels: original and views", fontsize=10)
axes[0, 1].set_title("photograph, 128 pixels: original and views", fontsize=10)
path = Path(__file__).parents[1] / "figures" / "views.png"
figure.savefig(path, dpi=110, bbox_inches="tight")
