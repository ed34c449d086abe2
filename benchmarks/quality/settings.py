"""The settings that are compared, frozen: each has a hash, which the log names before a result."""

import hashlib
import json

from sklearn_cae import ContrastiveAutoencoderClusterer, recommended

#: What the views may do to an image depends on what it shows; in the paper's setting this is all
#: that differs between data sets. The recommended one has the same views for all.
PAPER_VIEWS = {"pneumoniamnist": "paper", "mnist": "digits"}
#: Clusters where a number has to be given.
N_CLUSTERS = {"pneumoniamnist": 7, "mnist": 10}
N_TRAIN = {"pneumoniamnist": 4708, "mnist": 60_000}


def paper(dataset, n_samples):
    """Give the paper's setting: the estimator's defaults."""
    return {"augmentation": PAPER_VIEWS[dataset]}


def as_recommended(dataset, n_samples):
    """Give the setting that the project recommends."""
    return recommended(n_samples)


#: Parameters that came later, where they change nothing: a setting's hash stays what it was.
ADDED_SINCE = {"whiten": False, "checkpoint_dir": None}
SETTINGS = {"paper": paper, "recommended": as_recommended}


def parameters(setting, dataset, n_samples):
    """All parameters of a setting but the seed, as the estimator has them."""
    model = ContrastiveAutoencoderClusterer(**SETTINGS[setting](dataset, n_samples))
    params = model.get_params(deep=False)
    del params["random_state"]
    return {
        name: value
        for name, value in params.items()
        if name not in ADDED_SINCE or value != ADDED_SINCE[name]
    }


def setting_of(job):
    """Name the setting that a job is about, as the job's name begins; None of a baseline."""
    name = job.split("_")[0]
    return name if name in SETTINGS else None


def fingerprint(params):
    """Hash of parameters. The code that they mean something to is named by the commit beside it."""
    return hashlib.sha256(json.dumps(params, sort_keys=True, default=repr).encode()).hexdigest()[
        :12
    ]
