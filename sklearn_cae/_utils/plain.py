"""Reports as plain values, which JSON can represent."""

import numpy as np


def plain(value):
    """Return a value of a report as JSON can represent it."""
    if hasattr(value, "to_dict"):
        rows = value.reset_index().to_dict("records") if hasattr(value, "columns") else None
        return plain(value.to_dict() if rows is None else rows)
    if isinstance(value, dict):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or value != value:
        return None
    return value if isinstance(value, (bool, int, float, str)) else str(value)
