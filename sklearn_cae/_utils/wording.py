"""Numbers as readers see them."""

import numpy as np


def to_percent(share):
    """Format a share as percent; shares below 10 % have one decimal."""
    return f"{share:.1%}" if 0 < share < 0.1 else f"{share:.0%}"


def to_number(value):
    """Format a number with four digits; a missing one is a dash."""
    if np.isnan(value):
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:#.4g}"
