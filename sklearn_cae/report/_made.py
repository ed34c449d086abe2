"""How a report and its fit were made, and what calls for care in reading it."""

from datetime import datetime
from functools import partial

from sklearn.base import clone

from .. import __version__
from .._input.passes import fingerprint
from .._storage.fingerprint import steady_repr


def find_notes(estimator, stable, explained):
    """Return warnings for the reader, each with its details.

    Parameters
    ----------
    estimator : fitted ContrastiveAutoencoderClusterer
    stable : dict or None
        Result of `tell_stability`.
    explained : list of str
        Sentences about clusters that technical columns explain.

    Returns
    -------
    notes : list of (str, list of str)
    """
    notes = []
    if estimator.interrupted_:
        notes.append(
            "The training was interrupted before its end, and later steps were left out. The "
            "clusters are from an unfinished model."
        )
    if estimator.search_ and not estimator.search_["found"]:
        notes.append(
            "The search found no clear number of clusters. The groups may not be separate, and "
            "another number may describe the data equally well."
        )
    notes = [(note, []) for note in notes]
    if explained:
        notes.append(
            ("Some clusters may show how the images were taken, and not the patients:", explained)
        )
    if stable and stable["unstable"]:
        notes.append((_tell_unstable(stable), []))
    return notes


def _tell_unstable(stable):
    *others, last = map(str, stable["unstable"])
    if not others:
        who, them = f"Cluster {last} does", "it"
    else:
        who, them = f"Clusters {', '.join(others)} and {last} do", "them"
    return (
        f"{who} not come back when the network is trained again on one half of the data. Do not "
        f"build on {them}."
    )


#: Parameters that are folders: of the clusterer, of pipelines, and of skorch's callbacks.
_FOLDERS = {"checkpoint_dir", "memory", "dirname"}


def tell_parameters(estimator):
    """Return all parameters except folders, which are paths of one machine."""
    names = sorted(estimator.get_params())
    folders = [name for name in names if name.rpartition("__")[2] in _FOLDERS]
    params = clone(estimator).set_params(**dict.fromkeys(folders)).get_params()
    return {name: _in_words(params[name]) for name in names if name not in folders}


def tell_how(estimator, X, random_state):
    """Return how fit and report were made; X is converted as in fit, such as integers to floats."""
    provenance = dict(estimator.provenance_)
    versions, resumed = provenance.pop("versions"), provenance.pop("resumed_with", {})
    same = fingerprint(X) == provenance["data_sha256"]
    facts = {
        "date of this report": datetime.now().astimezone().isoformat(" ", "minutes"),
        "sklearn_cae that wrote this report": __version__,
        "seed of this report": _in_words(random_state),
        "seed of the fit": _in_words(estimator.random_state),
        "training interrupted": "yes" if estimator.interrupted_ else "no",
        "epochs run": estimator.n_iter_,
        "samples in this report": len(X),
        "samples of the fit": len(estimator.labels_),
        "same samples as in the fit": "yes" if same else "no, or stored in another form",
    }
    fit = {name.replace("_", " "): value for name, value in provenance.items()}
    fit |= {f"resumed with other {name}": _in_words(value) for name, value in resumed.items()}
    return facts | fit | {f"{name} (version)": version for name, version in versions.items()}


def _in_words(value):
    """Return the name of a function or class, otherwise the repr without memory addresses.

    For a partial, only the function is named: its arguments may be paths of one machine.
    """
    if isinstance(value, partial):
        return f"partial of {_in_words(value.func)}"
    name = getattr(value, "__qualname__", None)
    return steady_repr(value) if name is None else f"{value.__module__}.{name}"
