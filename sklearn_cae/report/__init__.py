"""One page about a fitted clusterer, to be sent to someone who knows the images and not the code.

The page is a single HTML file that loads nothing: pictures, style and script are in it. It needs
``pip install 'sklearn_cae[report]'``.

Imports `plotting`, `metrics`, `_input`, `_storage` and `_utils`.
"""

from ._report import cluster_report

__all__ = ["cluster_report"]
