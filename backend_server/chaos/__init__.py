"""Proves that the service loses nothing: hostile messages, and faults at random moments of its jobs.

Only `backend_server.commands` may import it. It starts real servers with real worker processes, whose cascade is a
light one, and judges what a client gets. Everything follows from a seed.
"""
