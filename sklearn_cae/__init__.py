"""Find groups in images without labels, with a contrastive autoencoder."""

from importlib import import_module

__version__ = "0.1.0.dev0"

_MODULE_OF = {
    "ClusterLabelMapper": "label_mapper",
    "ContrastiveAutoencoderClusterer": "_estimator",
    "KNNProbe": "probes",
    "LinearProbe": "probes",
    "assign_files": "new_images",
    "cluster_report": "report",
    "clustering_report": "metrics",
    "drift_report": "new_images",
    "load": "persistence",
    "patient_profile": "metrics",
    "quick_look": "_quick",
    "recommended": "_recommended",
    "save": "persistence",
}
_SUBMODULES = [
    "augmentations",
    "backbones",
    "callbacks",
    "clusterers",
    "datasets",
    "export",
    "images",
    "label_mapper",
    "losses",
    "metrics",
    "modules",
    "new_images",
    "optim",
    "persistence",
    "plotting",
    "probes",
    "report",
]

__all__ = sorted(_MODULE_OF)


def __getattr__(name):
    # Import lazily, so that `import sklearn_cae` loads neither torch nor skorch.
    if name in _MODULE_OF:
        return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    if name in _SUBMODULES:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *__all__, *_SUBMODULES])
