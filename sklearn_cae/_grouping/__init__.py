"""Groups from an embedding: search, Gaussians, neighbours, assignment, whitening.

Imports `clusterers` and `_utils`. Uses arrays, and tensors while a phase runs.
"""
