"""Write the results table of the README from ``benchmarks/results``.

python benchmarks/render_readme.py           # rewrite it
python benchmarks/render_readme.py --check   # fail where it is not what the results say
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
START, END = "<!-- results -->\n", "<!-- end of results -->\n"
PAPER = {  # accuracies that the paper reports
    ("pneumoniamnist", "val"): {"stat": 0.80, "knn": 0.84, "linear": 0.84},
    ("pneumoniamnist", "test"): {"stat": 0.73, "knn": 0.84, "linear": 0.84},
    ("mnist", "test"): {"stat": 0.90, "knn": 0.98, "linear": 0.98},
}
ROWS = {
    "stat": "stat: each cluster carries its most frequent label",
    "stat_k10": "stat, at k = 10",
    "knn": "kNN, k = 5, in the embedding",
    "linear": "linear layer, 20 % of the labels",
    "logistic_all_labels": "logistic regression, all labels",
}
TITLES = {"pneumoniamnist": "PneumoniaMNIST", "mnist": "MNIST"}


def render():
    """Render all tables as Markdown."""
    return "\n".join(render_dataset(dataset) for dataset in TITLES)


def render_dataset(dataset):
    path = ROOT / "benchmarks" / "results" / f"paper_setting_{dataset}.json"
    results = json.loads(path.read_text())
    runs, means = results["runs"], results["mean_and_std"]
    columns = [
        f"{split} (majority {results['majority_baseline'][split]:.3f}) | paper" for split in means
    ]
    lines = [
        f"**{TITLES[dataset]}**, {results['n_samples']['train']} training images, "
        f"{results['epochs']} + {results['epochs']} epochs, {len(runs)} seed(s): "
        f"{'; '.join(render_k(run) for run in runs)}",
        "",
        "| accuracy (balanced) | " + " | ".join(columns) + " |",
        "|---|" + "---|---|" * len(means),
    ]
    for model, title in ROWS.items():
        cells = [render_cells(dataset, split, model, means[split][model]) for split in means]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def render_k(run):
    how = "elbow" if run["elbow_found"] else "no elbow found, best silhouette"
    return f"k = {run['n_clusters']} ({how})"


def render_cells(dataset, split, model, metrics):
    (mean, std), (balanced, _) = metrics["accuracy"], metrics["balanced_accuracy"]
    published = PAPER[dataset, split].get(model)
    return f"{mean:.3f} ± {std:.3f} ({balanced:.3f}) | {published or ''}"


def main():
    path = ROOT / "README.md"
    before, rest = path.read_text().split(START)
    old, after = rest.split(END)
    new = render()
    if "--check" in sys.argv:
        sys.exit("README.md: run python benchmarks/render_readme.py" if new != old else 0)
    path.write_text(before + START + new + END + after)


if __name__ == "__main__":
    main()
