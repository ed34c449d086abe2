"""Helpers for all rooms: devices, estimators, random numbers, optional packages, warnings.

Imports nothing else of this package.
"""
