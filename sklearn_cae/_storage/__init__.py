"""Files without code: atomic writes, container, packing, fingerprints, checkpoints.

Imports `_utils` alone; knows neither networks nor the estimator.
"""
