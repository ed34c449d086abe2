"""X and y: what is no array, pictures, formats, checks, passes over large arrays, labels.

Imports `_utils` alone.
"""
