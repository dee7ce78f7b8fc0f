"""Names the endings of files that hold sound."""

from __future__ import annotations

SOUND_SUFFIXES = {  # of sounds, and of films, whose sound is used
    *(".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".m4a", ".aac", ".aif", ".aiff", ".au", ".caf", ".wma", ".amr"),
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".wmv", ".3gp", ".ts", ".mts"),
}
