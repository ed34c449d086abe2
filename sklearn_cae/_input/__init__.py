"""X and y: formats, checks, passes over large arrays, labels.

Imports `_utils` alone.
"""
