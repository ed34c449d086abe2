"""From an embedding to groups: search, Gaussians, neighbours, assignment, whitening.

Imports `clusterers` and `_utils`; works on arrays, and on tensors while a phase runs.
"""
