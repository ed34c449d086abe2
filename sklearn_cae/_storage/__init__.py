"""Files without code: atomic writes, container, packing, fingerprints, checkpoints.

Imports `_utils` alone; does not depend on networks or the estimator.
"""
