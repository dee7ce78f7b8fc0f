"""Numbers that judge the stages' results: pure functions of arrays; imports numpy, scipy and `shared` alone."""
