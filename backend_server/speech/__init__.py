"""Turns sound into character scores (F_t of Section 3.1); used by the cascade, the service and the data stage."""
