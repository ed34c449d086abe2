"""Helpers for all rooms: devices, random numbers, optional packages, warnings.

Imports nothing else of this package.
"""
