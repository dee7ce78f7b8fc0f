"""The service that the add-on talks to: a server that always answers, and a worker that computes.

Only `backend_server.__main__` may import it. The server imports no torch, so it starts at once and stays small; only
the worker process loads the cascade.
"""
