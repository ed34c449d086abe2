"""The house: what imports what, what importing costs, and the sizes worth worrying about."""

import ast
import inspect
from importlib import import_module
from pathlib import Path

import pytest
from fresh import run_fresh

import sklearn_cae

PACKAGE = Path(sklearn_cae.__file__).parent
#: Public rooms that know nothing of the method.
LEAVES = {"augmentations", "losses", "modules", "optim"}
#: What each room may import, from the bottom up. A folder is one room: its modules know each other.
ALLOWED = {
    "_utils": set(),
    "_processes": {"_utils"},
    "_input": {"_utils"},
    "_statistics": set(),
    "_storage": {"_utils"},
    **{leaf: {"_utils"} for leaf in LEAVES},
    "backbones": {"_utils"},
    "clusterers": {"_input", "_utils"},
    "_grouping": {"_utils", "clusterers"},
    "_training": {
        *("__version__", "_grouping", "_processes", "_storage", "_utils", "backbones"),
        *LEAVES,
    },
    # Aside: they never import the estimator or a net.
    **{aside: {"_input", "_utils"} for aside in ("label_mapper", "probes")},
    "metrics": {"_input", "_statistics", "_utils"},
    "datasets": {"_input", "_storage", "_utils"},
    "images": {"__version__", "_input", "_storage", "_utils"},
    "plotting": {"_grouping", "_input", "_utils", "augmentations"},
    "report": {
        *("__version__", "_grouping", "_input", "_statistics", "_storage", "_utils"),
        *("images", "metrics", "plotting"),
    },
    # The estimator, and what stands above it.
    "_fitted": {"_grouping", "_input", "_processes", "_utils", "clusterers"},
    "_estimator": {
        *("_fitted", "_grouping", "_input", "_processes", "_storage", "_training", "_utils"),
        *("backbones", "clusterers", *LEAVES),
    },
    "_recommended": {"_input", "clusterers", "modules"},
    "_quick": {
        *("_estimator", "_input", "_recommended", "augmentations", "clusterers", "modules"),
    },
    "callbacks": {"_training", "plotting"},
    "export": {"_fitted", "_grouping", "_storage", "_utils"},
    "persistence": {
        *("__version__", "_fitted", "_grouping", "_storage", "_training", "_utils"),
        *("backbones", "clusterers"),
    },
    "new_images": {
        *("_grouping", "_input", "_statistics", "_utils", "images", "persistence", "report"),
    },
    # Above all others: calls of what is public.
    "_command": {
        *("_estimator", "_recommended", "_storage", "_utils", "datasets", "images"),
        *("label_mapper", "metrics", "new_images", "persistence", "plotting", "probes", "report"),
    },
}
KNOW_SKORCH = {"_training", "callbacks"}


def imports(room):
    """Names of the package's own rooms, and of other packages, that a room imports."""
    folder = PACKAGE / room
    inner = folder.is_dir()
    own, other = set(), set()
    for path in folder.glob("*.py") if inner else [PACKAGE / f"{room}.py"]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level > inner:
                named = [node.module or alias.name for alias in node.names]
                own |= {name.split(".")[0] for name in named}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                other.add(node.module.split(".")[0])
            elif isinstance(node, ast.Import):
                other |= {alias.name.split(".")[0] for alias in node.names}
    return own, other


@pytest.mark.parametrize("room", sorted(ALLOWED))
def test_rooms_import_what_is_below_them_only(room):
    own, other = imports(room)
    assert own <= ALLOWED[room]
    assert "skorch" not in other or room in KNOW_SKORCH
    assert "sklearn_cae" not in other  # relative imports alone, which the line above sees


def test_every_room_has_its_arrows():
    modules = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__", "__main__"}
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert modules | folders == set(ALLOWED)


def test_arrows_go_in_no_circle():
    done = {"__version__"}
    while waiting := set(ALLOWED) - done:
        free = {room for room in waiting if ALLOWED[room] <= done}
        assert free, f"a circle among {sorted(waiting)}"
        done |= free


def test_importing_loads_nothing_heavy():
    code = (
        "import sys, sklearn_cae; dir(sklearn_cae);"
        "print([m for m in ('torch', 'skorch', 'matplotlib', 'sklearn') if m in sys.modules])"
    )
    printed = run_fresh(code)
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


PUBLIC = [f"sklearn_cae.{room}" for room in sorted(ALLOWED) if room[0] != "_"]


@pytest.mark.parametrize("name", ["sklearn_cae", *PUBLIC])
def test_public_functions_tell_what_they_return(name):
    module = import_module(name)
    names = getattr(module, "__all__", [name for name in vars(module) if name[0] != "_"])
    found = [getattr(module, name) for name in names]
    own = [each for each in found if getattr(each, "__module__", "").startswith(module.__name__)]
    functions = [each for each in own if inspect.isfunction(each)]
    for one in filter(inspect.isclass, own):
        methods = [getattr(one, name) for name in dir(one) if name[0] != "_"]
        functions += [
            each
            for each in methods
            if inspect.isfunction(each) and each.__module__.startswith("sklearn_cae")
        ]
    silent = [each.__qualname__ for each in functions if "return" not in each.__annotations__]
    assert functions
    assert not silent


def test_an_estimator_names_the_extra_of_a_missing_package():
    """Checked for each extra where it is used; here, that none is needed to import."""
    code = (
        "import sys\n"
        "for name in ('matplotlib', 'medmnist', 'torchvision', 'pandas', 'jinja2', 'PIL',\n"
        "             'pydicom', 'nibabel', 'tifffile'):\n"
        "    sys.modules[name] = None\n"
        "import sklearn_cae\n"
        "for name in sklearn_cae.__all__: getattr(sklearn_cae, name)\n"
        "import sklearn_cae.datasets, sklearn_cae.plotting\n"
    )
    run_fresh(code)


def test_the_citation_is_that_of_this_version():
    citation = (PACKAGE.parent / "CITATION.cff").read_text()
    assert f"\nversion: {sklearn_cae.__version__}\n" in citation
