"""Numbers that judge results: pure functions of arrays.

Imports numpy, scipy, scikit-image, `shared` and the names of phones.
"""
