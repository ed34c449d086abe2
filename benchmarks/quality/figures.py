"""The paper's figures 3 and 4, drawn again from a fitted model."""

from pathlib import Path

import matplotlib.pyplot as plt

from sklearn_cae import ClusterLabelMapper
from sklearn_cae.plotting import EmbeddingDisplay, PrototypeDisplay

FOLDER = Path(__file__).parents[2] / "docs" / "figures"


def draw(model, splits, name):
    """Draw a fitted model's embedding, and its clusters with members and samples."""
    plt.switch_backend("agg")
    X, y = splits["train"]
    mapper = ClusterLabelMapper().fit(model.predict_proba(X), y)
    X, y = splits["test"]
    mapped = mapper.predict(model.predict_proba(X))
    FOLDER.mkdir(parents=True, exist_ok=True)
    for what, display in (("embedding", EmbeddingDisplay), ("prototypes", PrototypeDisplay)):
        drawn = display.from_estimator(model, X, y, mapped_labels=mapped)
        drawn.figure_.savefig(FOLDER / f"{name}_{what}.png", dpi=80, bbox_inches="tight")
        plt.close(drawn.figure_)
