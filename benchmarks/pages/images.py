"""The tables of ``docs/measured/benchmarks_images.md``: reconstructions, and the use of samples."""

from benchmarks.pages._tables import TITLES, read_cells, spread, table
from benchmarks.quality.published import PUBLISHED

DECODED_BY = {
    "reconstruction_warm_up": "decoder after the warm-up",
    "reconstruction_conditioning": "conditional decoder",
    "reconstruction_shuffled_condition": "conditional decoder, with other images' clusters",
    "reconstruction_without_condition": "decoder trained as long, without clusters",
    "reconstruction_pca_128": "128 principal components",
}
TRAINED = {"few_labels": "without", "few_labels_and_samples": "with samples"}
WHERE = ["data", "split", "setting", "images"]


def rows_everywhere(titles):
    """Yield the rows of all splits: the values of `WHERE`, the title, the records."""
    models = list(titles)
    for dataset, split in PUBLISHED:
        cells = read_cells(dataset, split)
        for model, setting, n_train in sorted(
            (row for row in cells if row[0] in titles),
            key=lambda row: (*row[1:], models.index(row[0])),
        ):
            where = [TITLES[dataset], split, setting, n_train]
            yield where, titles[model], cells[model, setting, n_train]


def render_images():
    """Show the error of reconstructions."""
    rows = [
        [
            *(*where, scores["mse"]["n_seeds"], title),
            *(f"{scores[name]['mean']:.4f}" for name in ("mse", "psnr", "ssim")),
        ]
        for where, title, scores in rows_everywhere(DECODED_BY)
    ]
    return table([*WHERE, "seeds", "decoded by", "MSE", "PSNR (dB)", "SSIM"], rows)


def render_samples():
    """Show the gain of a small classifier on 5 % of the labels from sampled images."""
    rows = []
    for where, title, scores in rows_everywhere(TRAINED):
        one, balanced = scores["accuracy"], scores["balanced_accuracy"]["mean"]
        rows.append([*where, one["n_seeds"], title, f"{spread(one)} ({balanced:.3f})"])
    return table([*WHERE, "seeds", "trained", "accuracy (balanced)"], rows)


TABLES = {"images": render_images, "samples": render_samples}
