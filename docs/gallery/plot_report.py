"""
A report for a colleague
========================

:func:`~sklearn_cae.report.cluster_report` writes one HTML file. It shows the prototype and members
of each cluster, a map of the embedding, and scores. It also tells which columns of the metadata the
clusters follow. The metadata on this page are invented, and contain a trap.
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
# The trap: the scanner in the south makes pale images.
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
# The file needs no other file and no network. It contains images and metadata of all patients in
# ``X``, so send it only to people who may see these. Scroll to the metadata: age and sex are
# random, and the site is the trap.

import html
import tempfile
from pathlib import Path

from sklearn_cae.report import cluster_report

path = cluster_report(clusterer, X, y, metadata, Path(tempfile.mkdtemp()) / "report.html")


class Page:
    """Show an HTML file inside this page, or in a notebook."""

    def _repr_html_(self):
        page = html.escape(path.read_text(encoding="utf-8"))
        return f'<iframe srcdoc="{page}" width="100%" height="700"></iframe>'


Page()

# %%
# This table counts the images of each site in each cluster. If nearly all members of a cluster are
# from one site, assume that the scanner made the cluster, until other evidence shows a different
# cause.

pd.crosstab(metadata["site"], clusterer.labels_)
