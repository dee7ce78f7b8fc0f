"""Numbers that judge results: pure functions of arrays; imports numpy, scipy, scikit-image, `shared` and the names of phones."""
