"""HTML report of a fitted clusterer, for readers who know the images and not the code.

The report is a single HTML file that contains its pictures, style and script, and loads nothing. It
needs ``pip install 'sklearn_cae[report]'``.

Imports `plotting`, `metrics`, `images`, `_grouping`, `_input`, `_statistics`,
`_storage` and `_utils`.
"""

from ._answers import Answers, read_answers
from ._report import cluster_report
from ._table import cluster_table

__all__ = ["Answers", "cluster_report", "cluster_table", "read_answers"]
