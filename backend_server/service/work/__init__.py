"""Runs jobs in a worker process, and notices when it dies, hangs or loses something."""
