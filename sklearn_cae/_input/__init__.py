"""X and y: conversion to arrays, pictures, formats, checks, passes over large arrays, labels.

Imports `_utils` alone.
"""
