"""What searches of the backend share: one job whose answer is kept at its end, and no pictures meanwhile."""

from __future__ import annotations

from ._shared import errors
from .job import AnimationJob, JobState


class Search:
    """A run of one job, which the session holds; a subclass makes `job` and keeps what was found in `finish`."""

    job: AnimationJob

    @property
    def is_over(self) -> bool:
        """Whether the job has ended."""
        return self.job.is_over

    def tick(self) -> None:
        """Takes a step of the job."""
        self.job.tick()

    def run_until_done(self) -> None:
        """Ticks until it is over."""
        self.job.run_until_done()

    def discard(self) -> None:
        """Cancels the job if it runs."""
        if not self.job.is_over:
            self.job.cancel()
            self.job.tick()

    def check(self) -> None:
        """Checks that the job has ended well.

        Raises:
            Cancelled: it was cancelled.
            SpeechFaceError: it failed.
        """
        if self.job.state is JobState.CANCELLED:
            raise errors.Cancelled
        if self.job.error is not None:
            raise self.job.error
