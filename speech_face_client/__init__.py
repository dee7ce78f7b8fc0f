"""Talks to a Speech Face backend from Python: learns a face, animates speech, and hands out what comes.

It needs no torch: the standard library, numpy, pyzmq (in `dealer`) and msgspec (in `shared`); in `sound` also
soundfile, where it is installed.
"""

from ._shared import arkit, errors, health, mapping, motion_controls, notes, protocol
from .backend import Backend
from .face import Identity
from .faces import KeptFace, KeptFaces
from .job import Animation, Event, Job, Rendering, RenderJob

ARKIT_SHAPES = arkit.SHAPES
ErrorCode = errors.ErrorCode
SpeechFaceError = errors.SpeechFaceError
Cancelled = errors.Cancelled
MotionControls = motion_controls.MotionControls
Note = notes.Note
JobHealth = health.JobHealth
Accepted = protocol.Accepted
Progress = protocol.Progress
LandmarkCurves = protocol.LandmarkCurves
RigCurves = protocol.RigCurves
RigFace = protocol.RigFace
RigMapping = mapping.RigMapping
Said = protocol.Said
SpokenWords = protocol.SpokenWords
TextureFrames = protocol.TextureFrames
PhotoLandmarks = protocol.PhotoLandmarks
Done = protocol.Done
StatusReport = protocol.StatusReport

__all__ = [
    "ARKIT_SHAPES",
    "Accepted",
    "Animation",
    "Backend",
    "Cancelled",
    "Done",
    "ErrorCode",
    "Event",
    "Identity",
    "Job",
    "JobHealth",
    "KeptFace",
    "KeptFaces",
    "LandmarkCurves",
    "MotionControls",
    "Note",
    "PhotoLandmarks",
    "Progress",
    "RenderJob",
    "Rendering",
    "RigCurves",
    "RigFace",
    "RigMapping",
    "Said",
    "SpeechFaceError",
    "SpokenWords",
    "StatusReport",
    "TextureFrames",
    "errors",
]
