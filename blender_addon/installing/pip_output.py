"""Reads what pip writes: how far it is, and why it failed. No bpy."""

from __future__ import annotations

import re

_FILE = re.compile(r"\s*(?:Downloading|Using cached) (\S+\.(?:whl|tar\.gz|zip)) \(([\d.]+) ([kKMG]?)B\)")
_PROGRESS = re.compile(r"Progress (\d+) of (\d+)")
_LOCAL = re.compile(r"Processing (\S+\.whl)")
_UNITS = {"": 1, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9}

# The first that is found in pip's output is the cause; {what} is what was being installed.
_CAUSES = (
    (
        r"No space left on device|Errno 28\b|WinError 112\b|not enough space on the disk",
        "the disk became full while {what} was installed; free some space, or choose another Install Folder, then "
        "press Install Backend again",
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED|SSLCertVerificationError|certificate verify failed",
        "the connection to the package index is not trusted (its certificate cannot be verified); set the clock of "
        "this machine, or ask who runs your network for the certificate to name in $PIP_CERT",
    ),
    (
        r"ProxyError|Tunnel connection failed|407 Proxy",
        "the network's proxy refuses the connection to the package index; name the right one in $HTTPS_PROXY, start "
        "Blender again and press Install Backend",
    ),
    (
        r"NameResolutionError|NewConnectionError|ConnectTimeout|ReadTimeout|Connection refused|ConnectionResetError|"
        r"ProtocolError|IncompleteRead|incomplete-download|Network is unreachable|name resolution|getaddrinfo failed",
        "the package index cannot be reached for {what}; check this machine's connection, then press Install Backend "
        "again: it goes on where it stopped",
    ),
    (
        r"THESE PACKAGES DO NOT MATCH THE HASHES|hash mismatch",
        "a download of {what} arrived damaged; press Install Backend again",
    ),
    (
        r"Errno 13\b|Permission denied|WinError (5|32)\b|Access is denied|being used by another process",
        "a file of the Install Folder cannot be written while {what} is installed; stop the backend in all Blenders, "
        "see that the folder is yours, then press Install Backend again",
    ),
    (
        r"\(from versions: none\)",
        "the package index has no {what}, or cannot be reached; check this machine's connection and the index that pip "
        "is set up for, then press Install Backend again",
    ),
    (
        r"not a supported wheel on this platform|No matching distribution found for|"
        r"Could not find a version that satisfies",
        "there is no {what} for this system and Python; use Linux x86-64, Windows x86-64 or Apple silicon, or run the "
        "backend elsewhere and choose its connection file",
    ),
    (r"MemoryError", "the memory did not suffice for {what}; close other programs, then press Install Backend again"),
)


class PipReader:
    """How far one run of pip is, read from its output.

    Attributes:
        name: of the package that is loaded; empty before the first.
        loaded_bytes: of all files so far.
        is_unpacking: whether everything is loaded and pip writes it into the environment.
    """

    def __init__(self) -> None:
        self.name = ""
        self.is_unpacking = False
        self._done = self._file_bytes = self._size = 0.0

    @property
    def loaded_bytes(self) -> float:
        """Bytes of all files so far."""
        return self._done + self._file_bytes

    def read(self, text: str) -> None:
        """Takes more of the output, whole lines."""
        for line in text.splitlines():
            if match := _PROGRESS.fullmatch(line.strip()):
                self._file_bytes = float(match[1])
            elif match := _FILE.match(line):
                self._end_file()
                self.name, self._size = match[1].split("-")[0], float(match[2]) * _UNITS[match[3]]
            elif match := _LOCAL.match(line):
                self._end_file()
                self.name = re.split(r"[/\\]", match[1])[-1].split("-")[0]
            elif line.startswith("Installing collected packages"):
                self._end_file()
                self.is_unpacking = True

    def _end_file(self) -> None:
        self._done += self._size
        self._file_bytes = self._size = 0.0


def reason(output: str, code: int, what: str) -> str:
    """Why pip failed, as one sentence that says what to do.

    Args:
        output: of pip.
        code: with which it ended.
        what: was to be installed.
    """
    errors = [line.strip() for line in output.splitlines() if re.match(r"\s*(ERROR|error)\b|\w*Error\b", line.strip())]
    for pattern, sentence in _CAUSES:
        if re.search(pattern, output, re.IGNORECASE):
            return sentence.format(what=what)
    if code < 0:
        return f"the installation of {what} was ended from outside (signal {-code}); press Install Backend again"
    last = errors[-1] if errors else f"exit code {code}"
    return f"{what} cannot be installed ({last[:200]!r}); press Copy Log and ask for help with it"
