"""Display of what groups consist of, such as images of several scanners."""

from typing import Self

import numpy as np

from ._display import Display
from ._pictures import COLORS, make_axes


class ConfoundingDisplay(Display):
    """What each group consists of: shares of categories, or the median of a number.

    A panel per nuisance has a row per group. Points are shares, or medians, and lines their 95 %
    intervals. A dashed line is the share, or the median, of all samples. If a group has nothing to
    do with the nuisance, its points are near the dashed lines of their colours. Of more than 7
    categories, the most frequent ones are drawn.

    Parameters
    ----------
    makeup : dict of str to DataFrame
        Tables as in :class:`~sklearn_cae.metrics.ConfoundingReport`, by nuisance.

    Attributes
    ----------
    figure_ : matplotlib Figure
    axes_ : ndarray of matplotlib Axes
        One per nuisance.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_cae.datasets import load_digit_images
    >>> from sklearn_cae.metrics import confounding_report
    >>> from sklearn_cae.plotting import ConfoundingDisplay
    >>> X = load_digit_images().data[:90]
    >>> scanner = np.where(np.arange(90) % 3, "A", "B")
    >>> report = confounding_report(np.arange(90) // 45, X, scanner, random_state=0)
    >>> display = ConfoundingDisplay.from_report(report)
    >>> [label.get_text() for label in display.axes_[0].get_yticklabels()]
    ['group 0', 'group 1']
    """

    def __init__(self, makeup):
        if not makeup:
            raise ValueError("makeup must hold at least one nuisance, got none.")
        self.makeup = makeup

    @classmethod
    def from_report(cls, report, *, ax=None) -> Self:
        """Draw what the groups of a report consist of.

        Parameters
        ----------
        report : ConfoundingReport
            Result of :func:`~sklearn_cae.metrics.confounding_report`.
        ax : matplotlib Axes, or one per nuisance, default=None
            Axes to draw on. None makes a new figure.

        Returns
        -------
        display : ConfoundingDisplay
        """
        return cls(report.makeup).plot(ax=ax)

    def _draw(self, ax):
        n_groups = max(len(table.index.unique(0)) for table in self.makeup.values())
        self.figure_, self.axes_ = make_axes(
            ax, len(self.makeup), width=4.2, height=max(2.4, 1.4 + 0.4 * n_groups)
        )
        for panel, (name, table) in zip(self.axes_, self.makeup.items(), strict=True):
            groups = table.index.unique(0)
            if "median" in table:
                _draw_numbers(panel, table)
            else:
                _draw_categories(panel, table)
            panel.set_title(name)
            panel.set_yticks(range(len(groups)), [f"group {group}" for group in groups])
            panel.set_ylim(len(groups) - 0.5, -0.5)
            panel.spines[["top", "right"]].set_visible(False)


def _draw_numbers(panel, table):
    _draw_points(panel, table, "median", np.arange(len(table)), COLORS[0])
    panel.set_xlabel("median")


def _draw_categories(panel, table):
    most = table.overall.groupby(level=1, sort=False).first().nlargest(len(COLORS)).index
    names = [name for name in table.index.unique(1) if name in most]
    places = np.linspace(-0.25, 0.25, len(names))
    for name, place, color in zip(names, places, COLORS, strict=False):
        rows = table.xs(name, level=1)
        _draw_points(panel, rows, "share", np.arange(len(rows)) + place, color, name)
    panel.set(xlabel="share of the group", xlim=(-0.03, 1.03))
    panel.legend(
        loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=4, frameon=False, handletextpad=0.1
    )


def _draw_points(panel, rows, column, heights, color, name=None):
    """Draw a point with its interval per group, and a dashed line for all samples."""
    panel.hlines(heights, rows.low, rows.high, color=color, linewidth=1.5)
    panel.plot(rows[column], heights, "o", color=color, label=name)
    panel.axvline(rows.overall.iloc[0], color=color, linestyle="--", linewidth=0.8, zorder=0.9)
