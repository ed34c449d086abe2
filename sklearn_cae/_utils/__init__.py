"""Helpers of every room: devices, random numbers, optional packages, warnings.

Imports nothing else of this package.
"""
