"""
One page to send to a colleague
===============================

:func:`~sklearn_cae.report.cluster_report` writes what was found into one HTML file: each cluster's
prototype and members, the embedding to move about in, scores, and how each column of the metadata
goes with the clusters. Here the metadata are made up, with a trap in them.
"""

# sphinx_gallery_thumbnail_path = "figures/report.png"

import numpy as np
import pandas as pd

from sklearn_cae import ContrastiveAutoencoderClusterer
from sklearn_cae.datasets import make_toy_images

X, y = make_toy_images(300, n_classes=3, random_state=0, return_X_y=True)
rng = np.random.default_rng(0)
metadata = pd.DataFrame(
    {
        "age": rng.normal(60, 12, len(X)).round(),
        "sex": rng.choice(["female", "male"], len(X)),
        "site": rng.choice(["north", "south"], len(X)),
    }
)
# The trap: the scanner in the south gives pale images.
south = (metadata["site"] == "south").to_numpy()
X[south] = X[south] // 2 + 110

# %%
clusterer = ContrastiveAutoencoderClusterer(
    n_clusters=4,
    warm_up_epochs=15,
    conditioning_epochs=10,
    batch_size=64,
    optimizer="adamw",
    augmentation="xray",
    random_state=0,
).fit(X)

# %%
# The file needs no other file and no network. It holds images and metadata of everyone in ``X``:
# send it only to those who may see them. Scroll to the metadata: age and sex were drawn without a
# look at the images, and the site is the trap.

import html
import tempfile
from pathlib import Path

from sklearn_cae.report import cluster_report

path = cluster_report(clusterer, X, y, metadata, Path(tempfile.mkdtemp()) / "report.html")


class Page:
    """Show a file of HTML inside of this page, as a notebook would, too."""

    def _repr_html_(self):
        page = html.escape(path.read_text(encoding="utf-8"))
        return f'<iframe srcdoc="{page}" width="100%" height="700"></iframe>'


Page()

# %%
# The same, counted. A cluster that is nearly all of one site is a scanner until someone shows that
# it is not.

pd.crosstab(metadata["site"], clusterer.labels_)
