"""The table of ``docs/measured/small.md``, from the results of ``benchmarks.quality.small``."""

from benchmarks._common import over_seeds
from benchmarks.pages._tables import check_alike, read, spread, table

ROWS = {  # a title for each row of clusters, and the row of its kNN
    "recommended": ("recommended", "recommended_knn"),
    "pixels_kmeans_true_k": ("KMeans on pixels, as many clusters as classes", None),
    "pixels_kmeans": ("KMeans on pixels", "pixels_knn"),
    "pca_kmeans_true_k": ("KMeans on 128 components, as many clusters as classes", None),
    "pca_kmeans": ("KMeans on 128 components", "pca_knn"),
    "pixels_communities": ("communities of pixels", None),
    "pca_whitened_communities": ("communities of whitened components", None),
}
SCORES = {"nmi": "NMI", "ari": "ARI", "balanced_accuracy": "balanced"}


def render_small():
    """Show means over seeds of the rows of each set."""
    sets = {}
    for one in read("small"):
        sets.setdefault((one["set"], one["n_samples"]), []).append(one)
    rows = []
    for (name, n_samples), runs in sets.items():
        check_alike(runs)
        runs = [run["scores"] for run in runs]
        for model, (title, knn) in ROWS.items():
            clusters = [run[model] for run in runs]
            row = [name, f"{n_samples:,}", title, ", ".join(str(c["n_clusters"]) for c in clusters)]
            row += [spread(over_seeds(c[score] for c in clusters)) for score in SCORES]
            row.append(spread(over_seeds(run[knn]["accuracy"] for run in runs)) if knn else "")
            rows.append(row)
    return table(["images", "fitted", "groups by", "k", *SCORES.values(), "kNN"], rows)


TABLES = {"small": render_small}
