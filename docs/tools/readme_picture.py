"""Draw the README's picture: the groups of chest X-rays that the recommended setting finds.

Run from the repository, with PneumoniaMNIST where ``sklearn_cae.datasets`` finds it (seven minutes
on two cores that multiply bfloat16, twice as long on others):

    python docs/tools/readme_picture.py
"""

from pathlib import Path

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt

from sklearn_cae import ContrastiveAutoencoderClusterer, recommended
from sklearn_cae.datasets import load_pneumoniamnist
from sklearn_cae.plotting import EmbeddingDisplay, PrototypeDisplay

X, _ = load_pneumoniamnist("train", return_X_y=True)
test = load_pneumoniamnist("test")
names = test.target_names[test.target]
clusterer = ContrastiveAutoencoderClusterer(**recommended(len(X)), random_state=0).fit(X)

figure, (left, right) = plt.subplots(
    1, 2, figsize=(14, 4.8), width_ratios=[1, 2.1], layout="compressed"
)
EmbeddingDisplay.from_estimator(clusterer, test.data, ax=left)
left.set_title("624 chest X-rays, by cluster", loc="left")
PrototypeDisplay.from_estimator(clusterer, test.data, names, ax=right)
path = Path(__file__).parents[1] / "figures" / "readme.png"
figure.savefig(path, dpi=100, bbox_inches="tight")
