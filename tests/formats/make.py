"""Make the file of a format that is to be released, once: ``python tests/formats/make.py``.

Files of released formats are never made anew: that later versions read them is what is tested.
"""

from pathlib import Path

import numpy as np
from sklearn.datasets import make_blobs
from sklearn.pipeline import make_pipeline

from sklearn_cae import ClusterLabelMapper, ContrastiveAutoencoderClusterer, save
from sklearn_cae._storage.container import FORMAT


def main():
    X, y = make_blobs(90, n_features=5, centers=3, random_state=0)
    clusterer = ContrastiveAutoencoderClusterer(
        n_clusters=3,
        embedding_dim=2,
        warm_up_epochs=5,
        conditioning_epochs=1,
        batch_size=32,
        optimizer="adamw",
        precision="float32",
        random_state=0,
    )
    model = make_pipeline(clusterer, ClusterLabelMapper()).fit(X, np.array(["a", "b", "c"])[y])
    path = Path(__file__).parent / f"format_{FORMAT}.safetensors"
    if path.exists():
        raise SystemExit(f"{path} has been released")
    save(model, path)
    probability, labels = model.predict_proba(X), model.predict(X)
    np.savez(
        path.with_suffix(".npz"),
        X=X,
        probability=probability,
        labels=labels,
        covariances=clusterer.embedding_covariances_,
    )


if __name__ == "__main__":
    main()
