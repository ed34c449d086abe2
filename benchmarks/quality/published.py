"""The figures of the paper's table: (accuracy, precision, recall) of each row."""

PUBLISHED = {
    ("pneumoniamnist", "test"): {
        "resnet18_transfer": (0.74, 0.77, 0.74),
        "resnet18_kmeans": (0.69, 0.74, 0.69),
        "stat": (0.73, 0.73, 0.73),
        "knn": (0.84, 0.85, 0.83),
        "linear": (0.84, 0.80, 0.88),
    },
    ("pneumoniamnist", "val"): {
        "resnet18_transfer": (0.86, 0.86, 0.86),
        "resnet18_kmeans": (0.78, 0.77, 0.78),
        "stat": (0.80, 0.79, 0.80),
        "knn": (0.84, 0.86, 0.81),
        "linear": (0.84, 0.80, 0.87),
    },
    ("mnist", "test"): {
        "resnet18_transfer": (0.995, 0.995, 0.995),
        "resnet18_kmeans": (0.69, 0.68, 0.69),
        "stat": (0.90, 0.91, 0.90),
        "knn": (0.98, 0.98, 0.97),
        "linear": (0.98, 0.97, 0.98),
    },
}
