"""Statistics of samples that belong to patients: associations and permutations.

Imports nothing else of this package.
"""
