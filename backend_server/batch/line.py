"""Makes one line: listens, animates, writes its files and puts them into its folder in one step."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import traceback
import zlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import msgspec
import numpy as np
import psutil
import torch
from numpy.typing import NDArray

from backend_server.batch.order import RESULT_NAME, Character, Face, Job, Line, Outcome, Output, Plan, Result
from backend_server.batch.own_folder import publish, unchanged_result, sha256_of
from backend_server.cascade import Cascade, LandmarkMotion
from backend_server.export.arkit_csv import write_arkit_csv
from backend_server.export.frames import FrameSettings, frame_files
from backend_server.export.json_curves import write_json_curves
from backend_server.export.landmarks_npz import write_landmarks
from backend_server.export.tags import synthetic_tags
from backend_server.files import atomic_write, temporary_name
from backend_server.identities.learning import find_or_learn, open_learnt
from backend_server.identities.pictures import read_source
from backend_server.identities.store import open_store
from backend_server.identity import Identity, load_identity, save_identity
from backend_server.metrics.landmarks import mouth_opening
from backend_server.processes import is_alive
from backend_server.progress import silent
from backend_server.speech.recording import FileSound, Recording, listen
from shared.arkit import SHAPES
from shared.errors import Cancelled, SpeechFaceError
from shared.timing import frame_times
