"""Sound to character scores over time (F_t of Section 3.1); imported by the cascade, the service and the data stage."""
