"""The settings that are compared. Each has a hash, which the log records before a result."""

import hashlib
import json

from sklearn_cae import ContrastiveAutoencoderClusterer, recommended
from sklearn_cae._storage.packing import dotted_name

#: The augmentation depends on the content of the images; the rest of the paper's setting is the
#: same for all data sets. So is the recommended setting.
PAPER_VIEWS = {"pneumoniamnist": "paper", "mnist": "digits"}
#: Numbers of clusters for methods that do not find them.
N_CLUSTERS = {"pneumoniamnist": 7, "mnist": 10}
N_TRAIN = {"pneumoniamnist": 4708, "mnist": 60_000}


def paper(dataset, n_samples):
    """Return the paper's setting: the estimator's defaults."""
    return {"augmentation": PAPER_VIEWS[dataset]}


def as_recommended(dataset, n_samples):
    """Return the recommended setting."""
    return recommended(n_samples)


#: Defaults of parameters that were added later. They are left out, so that hashes do not change.
ADDED_SINCE = {
    "whiten": False,
    "checkpoint_dir": None,
    "spatial_dims": 2,
    "train_encoder": True,
}
#: Parameters that went into others since, with the values that all runs had. They stay in hashes.
GONE_SINCE = {"max_clusters": 20, "kl_weight": 1e-3}
SETTINGS = {"paper": paper, "recommended": as_recommended}


def parameters(setting, dataset, n_samples):
    """Return all parameters of the estimator in a setting, without the seed."""
    model = ContrastiveAutoencoderClusterer(**SETTINGS[setting](dataset, n_samples))
    params = model.get_params(deep=False)
    del params["random_state"]
    return {
        name: value
        for name, value in params.items()
        if name not in ADDED_SINCE or value != ADDED_SINCE[name]
    }


def setting_of(job):
    """Return the setting at the beginning of a job's name, None for a baseline."""
    name = job.split("_")[0]
    return name if name in SETTINGS else None


def hash_of_setting(params):
    """Return the hash of all parameters of a setting."""
    return fingerprint(GONE_SINCE | params)


def fingerprint(params):
    """Return a hash of parameters. It does not cover the code; the commit is recorded with it."""
    text = json.dumps(params, sort_keys=True, default=_describe)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _describe(value):
    """Return the repr, with the public name of a class, so that moved classes stay the same."""
    return f"<class '{dotted_name(value)}'>" if isinstance(value, type) else repr(value)
