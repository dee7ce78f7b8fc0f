"""The service that the add-on talks to: a server that is never busy, and a worker that is.

May be imported by `backend_server.__main__` alone. The server imports no torch, so it is up at once and stays small;
only the worker process loads the cascade.
"""
