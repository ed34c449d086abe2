"""The house: what imports what, what importing costs, and the sizes worth worrying about."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import sklearn_cae

PACKAGE = Path(sklearn_cae.__file__).parent
LEAVES = {"losses", "modules", "optim", "_devices", "_random", "_warnings"}
STAND_ASIDE = {"label_mapper", "probes", "metrics", "plotting", "datasets"}
ALLOWED = {
    **{leaf: set() for leaf in LEAVES},
    **{module: {"_random"} for module in STAND_ASIDE},
    "augmentations": {"_devices"},
    "_images": set(),
    "_labels": set(),
    "label_mapper": {"_labels"},
    "metrics": {"_labels", "_random"},
    "probes": {"_labels", "_random"},
    "_extras": set(),
    "_pictures": {"_extras"},
    "_thumbnails": {"_pictures"},
    "_markers": set(),
    "_page": set(),
    "_associations": set(),
    "report": {
        *["__version__", "_associations", "_extras", "_files", "_fingerprint", "_images"],
        *[
            "_labels",
            "_markers",
            "_page",
            "_pictures",
            "_prototypes",
            "_random",
            "_thumbnails",
            "metrics",
            "plotting",
        ],
    },
    "plotting": {"_images", "_labels", "_pictures", "_random", "augmentations"},
    "callbacks": {"_pictures", "_trainer", "plotting"},
    "_memmap": {"_files"},
    "datasets": {"_extras", "_memmap", "_random"},
    "export": {"_assignment", "_extras", "_files", "_random"},
    "_networks": {"modules"},
    "_recommended": {"clusterers", "modules"},
    "clusterers": {"_random"},
    "_assignment": set(),
    "_prototypes": {"_assignment", "_random", "clusterers"},
    "_whitening": set(),
    "_files": set(),
    "_container": {"_files"},
    "_packing": {"_random"},
    "_fingerprint": {"_packing"},
    "_checkpoint": {"_container", "_files", "_fingerprint", "_packing", "_random"},
    "persistence": {
        *["__version__", "_assignment", "_container", "_devices", "_fitted", "_networks"],
        *["_packing", "_random", "_whitening"],
    },
    "_training": {"_devices"},
    "_callbacks": {"_packing"},
    "_trainer": {
        "__version__",
        "_callbacks",
        "_devices",
        "_fingerprint",
        "_networks",
        "_random",
        "_training",
        "augmentations",
        "optim",
    },
    "_phases": {"_assignment", "_devices", "_training", "losses"},
    "_fitted": {"_assignment", "_devices", "_images", "_random"},
    "_clusterer": {
        *["_assignment", "_callbacks", "_checkpoint", "_fingerprint", "_fitted", "_images"],
        *["_networks", "_phases", "_prototypes", "_random"],
        *["_trainer", "_training", "_whitening", "augmentations"],
    },
}
KNOW_SKORCH = {"_callbacks", "_trainer", "_training", "callbacks"}


def imports(module):
    """Names of the package's own rooms, and of other packages, that a room imports."""
    folder = PACKAGE / module
    inner = folder.is_dir()  # a room of several files, which know each other
    own, other = set(), set()
    for path in folder.glob("*.py") if inner else [PACKAGE / f"{module}.py"]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level > inner:
                named = [node.module or alias.name for alias in node.names]
                own |= {name.split(".")[0] for name in named}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                other.add(node.module.split(".")[0])
            elif isinstance(node, ast.Import):
                other |= {alias.name.split(".")[0] for alias in node.names}
    return own, other


@pytest.mark.parametrize("module", sorted(ALLOWED))
def test_imports_point_down_only(module):
    own, other = imports(module)
    assert own <= ALLOWED[module] | {"_warnings"}
    assert "skorch" not in other or module in KNOW_SKORCH
    assert "sklearn_cae" not in other  # relative imports alone, which the line above sees


def test_every_module_has_its_arrows():
    modules = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__", "__main__"}
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert modules | packages == set(ALLOWED)


def test_importing_loads_nothing_heavy():
    code = (
        "import sys, sklearn_cae; dir(sklearn_cae);"
        "print([m for m in ('torch', 'skorch', 'matplotlib', 'sklearn') if m in sys.modules])"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert printed.strip() == "[]"


def test_public_names():
    assert sklearn_cae.__all__ == sorted(sklearn_cae.__all__)
    assert len(sklearn_cae.__all__) <= 15
    for name in sklearn_cae.__all__:
        assert getattr(sklearn_cae, name).__name__ == name
        assert name in dir(sklearn_cae)
    assert sklearn_cae.losses.nt_xent_loss
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = sklearn_cae.nonsense


def test_an_estimator_names_the_extra_of_a_missing_package():
    """Checked for each extra where it is used; here, that none is needed to import."""
    code = (
        "import sys\n"
        "for name in ('matplotlib', 'medmnist', 'torchvision', 'pandas', 'jinja2', 'PIL'):\n"
        "    sys.modules[name] = None\n"
        "import sklearn_cae\n"
        "for name in sklearn_cae.__all__: getattr(sklearn_cae, name)\n"
        "import sklearn_cae.datasets, sklearn_cae.plotting\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_citation_is_that_of_this_version():
    citation = (PACKAGE.parent / "CITATION.cff").read_text()
    assert f"\nversion: {sklearn_cae.__version__}\n" in citation
