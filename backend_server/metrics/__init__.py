"""Numbers that judge results: pure functions of arrays; imports numpy, scipy, `shared` and the names of phones."""
