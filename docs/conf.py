"""The documentation site: ``make docs`` builds it into ``docs/_build/html``."""

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml

import sklearn_cae

project = "sklearn_cae"
copyright = "the sklearn_cae developers"
version = release = sklearn_cae.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "gallery/GALLERY_HEADER.rst"]
html_theme = "pydata_sphinx_theme"
html_title = "sklearn_cae"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
# Pages without pages below them have nothing to list at the left.
html_sidebars = {page: [] for page in ("index", "guide/get_started", "contributing", "changes")}
html_sidebars["auto_examples/plot_*"] = []  # code wants the room
html_theme_options = {
    "navbar_align": "left",
    "navbar_persistent": ["search-button"],
    "navbar_end": ["theme-switcher"],
    "header_links_before_dropdown": 7,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc", "sg_download_links"],
    "footer_start": ["copyright"],
    "footer_end": [],
}

myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3

autosummary_generate = True
templates_path = ["_templates"]
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "auto_examples",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_signature": False,
    "remove_config_comments": True,
    # Lists, for each public name, the examples that use it: the templates show them below it.
    "backreferences_dir": "generated/backreferences",
    "doc_module": ("sklearn_cae",),
}

# Formulas are MathML, which browsers draw by themselves: the site needs no network.
html_math_renderer = "mathml"


def setup(app):
    """Draw formulas as MathML."""

    def draw(as_block):
        def visit(translator, node):
            translator.body.append(tex2mathml(node.astext(), as_block=as_block))
            raise nodes.SkipNode

        return visit, None

    app.add_html_math_renderer("mathml", draw(as_block=False), draw(as_block=True))
