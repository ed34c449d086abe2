"""The gallery's examples, as they are written: building the documentation runs them."""

import ast
import re
from pathlib import Path

import pytest

GALLERY = Path(__file__).resolve().parents[2] / "docs" / "gallery"
EXAMPLES = sorted(GALLERY.glob("plot_*.py"))
MAX_LINES = 100


@pytest.fixture(params=EXAMPLES, ids=lambda path: path.stem)
def source(request):
    return request.param.read_text(encoding="utf-8")


def calls(source):
    """Give the name of every call, and its keywords: None stands for those of a ``**dict``."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", None))
            yield name, {keyword.arg for keyword in node.keywords}


def test_there_are_examples():
    assert len(EXAMPLES) >= 10
    header = (GALLERY / "GALLERY_HEADER.rst").read_text(encoding="utf-8")
    assert header.startswith("Gallery\n=======\n")


def test_it_has_a_title_and_says_what_it_shows(source):
    title, underline, empty, *text = ast.get_docstring(ast.parse(source)).splitlines()
    assert underline == "=" * len(title)
    assert empty == ""
    assert len(" ".join(text)) > 80


def test_headings_are_underlined_as_far_as_they_go(source):
    for heading, underline in re.findall(r"^# (.+)\n# (-{3,}|={3,})$", source, re.MULTILINE):
        assert len(underline) == len(heading), heading


def test_it_can_be_read_in_one_go(source):
    assert len(source.splitlines()) <= MAX_LINES


def test_its_seeds_are_fixed(source):
    assert re.search(r"\brandom_state\b\W+0\b", source)
    unseeded = {
        name
        for name, keywords in calls(source)
        if name in {"ContrastiveAutoencoderClusterer", "make_toy_images", "train_test_split"}
        and not keywords & {"random_state", None}
    }
    assert not unseeded
    assert "default_rng()" not in source
    if re.search(r"\btorch\.rand", source):  # of the script itself, or of views that a fit seeds
        assert "torch.manual_seed(0)" in source or "augmentation=" in source


def test_it_downloads_nothing(source):
    loaders = {"load_mnist", "load_medmnist", "load_pneumoniamnist"}
    said = re.findall(r"download_if_missing\W+(True|False)", source)
    assert set(said) == ({"False"} if loaders & {name for name, _ in calls(source)} else set())
