"""Answers clients like the service, at once, with numbers that tests know in advance. No bpy, no torch."""

import os
import threading
from collections import deque
from pathlib import Path

import msgspec
import numpy as np
import zmq

from shared import assembly, chunks, endpoint, errors, face_messages, head, notes, protocol, speech_messages, wire


class FakeBackend:
    """A ROUTER that answers like the service, at once, with numbers that tests know in advance.

    Frame i of the pictures has red = i % 256, green = 255 - red, blue = 77, alpha 255 but for a clear left column.
    Landmarks of a still head are NEUTRAL + (sin(i / 3), 0.5 i) pixels; number p of its pose is the liveliness times
    sin((i + p) / 5) / 3, for angles, and a tenth of it for the others. Channel c of a rig is ((i + c) % 10) / 10.
    Landmark i of a mesh of V vertices is vertex i % V, seen along +Y at 100 pixels a metre.
    Words of a transcript begin every half second and last a quarter; without one, phones alone are told.
    Every photo shows `photo_size` pixels and the faces `photo_boxes`; landmark i of one of these lies i pixels to the
    right of its middle. The faces that it keeps are `kept_faces`, each with a preview of one colour.
    """

    def __init__(self, folder, host="127.0.0.1"):

        public, secret = zmq.curve_keypair()
        client_public, client_secret = zmq.curve_keypair()
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.linger = 0
        self._socket.rcvhwm = 1
        self._socket.curve_server = True
        self._socket.curve_secretkey = secret
        self._socket.ipv6 = "[" in host
        port = self._socket.bind_to_random_port(f"tcp://{host}")
        self.connection_file = Path(folder) / "fake" / "connection.json"
        connection = endpoint.Connection(
            address=f"tcp://{host}:{port}",
            server_public_key=public.decode(),
            client_public_key=client_public.decode(),
            client_secret_key=client_secret.decode(),
            pid=os.getpid(),
        )
        endpoint.write_connection_file(self.connection_file, connection)
        self.received = []
        self.is_mute = False
        self.refuses = ""  # sentence: nobody is welcome
        self.fails_with = None  # sentence: AnimateRequest fails
        self.holds = False  # jobs are accepted and then nothing comes
        self.drops = set()  # sequence numbers that are lost the first time
        self.loses = set()  # sequence numbers that are lost each time
        self.leaves_out = ""  # name of a kind of results that are never made
        self.is_slow = False  # takes one chunk for each `take_chunk`, and says nothing while it waits
        self._allowance = threading.Semaphore(0)
        self._assemblers = {}  # sender -> Assembler
        self._senders = set()
        self._told = deque()  # messages that nobody asked for
        self.knows_jobs = True
        self.has_notes = False  # of the first picture, and of the sound
        self.results = {}  # job -> result messages
        self.photo_size = (640, 480)
        self.photo_boxes = np.array([(200, 240, 100)], np.float32)
        self.kept_faces = {}  # identity -> LearntFace
        self.faces_per_answer = 64
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @staticmethod
    def neutral():
        x, y = np.meshgrid(np.linspace(60, 190, 17), np.linspace(90, 220, 4))
        return np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float32)

    @staticmethod
    def rig_weights(count, channel_count):
        """What the channels of a rig are in each frame, (T, C)."""
        return ((np.add.outer(np.arange(count), np.arange(channel_count)) % 10) / 10).astype(np.float32)

    @staticmethod
    def spoken(transcript, **envelope):
        """What is said: the words of a transcript, and the phones HH AH L OW of the first second."""
        words = [speech_messages.Said(text, n / 2, n / 2 + 0.25, 0.75) for n, text in enumerate(transcript.split())]
        phones = [
            speech_messages.Said(name, n / 4, n / 4 + 0.25, 0.5) for n, name in enumerate(("HH", "AH", "L", "OW"))
        ]
        return protocol.SpokenWords.of(words, phones, **envelope)

    @classmethod
    def landmarks(cls, count):
        index = np.arange(count)
        moved = np.stack([np.sin(index / 3), 0.5 * index], axis=1)
        return (cls.neutral() + moved[:, None]).astype(np.float32)

    @staticmethod
    def poses(count, liveliness):
        """How the head is turned, (T, 6)."""
        waves = np.sin(np.add.outer(np.arange(count), np.arange(6)) / 5) / 3
        return (liveliness * waves * (1, 1, 1, 0.1, 0.1, 0.1)).astype(np.float32)

    @classmethod
    def turned(cls, count, liveliness):
        """The landmarks with the head's motion, (T, 68, 2)."""
        return head.turned(cls.landmarks(count), cls.neutral(), cls.poses(count, liveliness))

    @staticmethod
    def frames(count, size=256):
        pictures = np.empty((count, size, size, 4), np.uint8)
        red = (np.arange(count) % 256).astype(np.uint8)
        pictures[..., 0] = red[:, None, None]
        pictures[..., 1] = (255 - red)[:, None, None]
        pictures[..., 2] = 77
        pictures[..., 3] = 255
        pictures[:, :, :8, 3] = 0
        return pictures

    def messages(self, kind):
        return [message for message in self.received if type(message).__name__ == kind]

    def close(self):
        self._is_over.set()
        self._thread.join(10)
        self._context.destroy(linger=0)

    def tell(self, message):
        """Sends a message to everybody that has said something."""
        self._told.append(message)

    def keep_face(self, identity, name, **facts):
        """Keeps a face from two photos."""
        facts = {"image_count": 2, "size_bytes": 1_500_000, "is_outdated": False, **facts}
        self.kept_faces[identity] = face_messages.LearntFace(identity=identity, name=name, **facts)

    def _told_faces(self, question, identities):
        shades = [int(identity[:2], 16) for identity in identities]
        previews = np.empty((len(shades), 96, 96, 3), np.uint8)
        previews[:] = np.array(shades, np.uint8)[:, None, None, None]
        return protocol.Faces(
            parent=question.id, count=len(self.kept_faces), previews=previews if shades else None,
            faces=tuple(self.kept_faces[identity] for identity in identities),
        )  # fmt: skip

    def take_chunk(self):
        """Lets a slow backend take one more chunk."""
        self._allowance.release()

    def _assemble(self, sender, parts):

        while self.is_slow and not self._is_over.is_set() and not self._allowance.acquire(timeout=0.01):
            pass
        return self._assemblers.setdefault(sender, assembly.Assembler()).take(parts)

    def _run(self):

        while not self._is_over.is_set():
            while self._told:
                parts = wire.encode(self._told.popleft())
                for sender in self._senders:
                    self._socket.send_multipart([sender, *parts])
            if not self._socket.poll(10):
                continue
            sender, *parts = self._socket.recv_multipart()
            self._senders.add(sender)
            if chunks.is_chunk(parts):
                parts = self._assemble(sender, parts)
            if parts is None:
                continue
            message = wire.decode(parts)
            self.received.append(message)
            if self.is_mute:
                continue
            for answer in self._answers(message):
                if answer.sequence in self.drops:
                    self.drops.discard(answer.sequence)
                    continue
                if answer.sequence in self.loses:
                    continue
                sending = chunks.Sending(wire.encode(answer))
                while not sending.is_over:
                    self._socket.send_multipart([sender, *sending.piece()])
                    sending.advance()

    def _answers(self, message):
        job = message.job
        match message:
            case protocol.Hello() if self.refuses:
                code = errors.ErrorCode.VERSION_MISMATCH
                yield protocol.Failed(parent=message.id, code=code, sentence=self.refuses)
            case protocol.Hello():
                yield protocol.Welcome(parent=message.id, backend="fake 1", device="cpu")
            case protocol.Ping():
                yield protocol.Pong(parent=message.id)
            case protocol.AdaptRequest() | protocol.AnimateRequest() if not self.knows_jobs:
                self.knows_jobs = True  # lost: the connection broke
            case (
                protocol.AdaptRequest()
                | protocol.AnimateRequest()
                | protocol.FindMeshLandmarks()
                | protocol.FindPhotoLandmarks()
                | protocol.RenderRequest()
            ):
                yield protocol.Accepted(job=job, parent=message.id, position=0)
                work = self._refusal(message) or self._work(message)
                self.results[job] = list(self._numbered(work))
                yield from self.results[job]
            case protocol.Attach() if job in self.results:
                yield from (m for m in self.results[job] if not m.sequence or m.sequence > message.received)
            case protocol.Cancel():
                yield protocol.Cancelled(job=job, sequence=1)
            case protocol.Attach():
                yield protocol.Failed(
                    job=job, parent=message.id, code=errors.ErrorCode.UNKNOWN_JOB, sentence=f"no job {job}"
                )
            case _:
                yield from self._answers_about_faces(message)

    def _refusal(self, message):
        """Why a request fails at once, if it does."""
        identity = getattr(message, "identity", "")
        if identity in ("", "a" * 64, *self.kept_faces):
            return []
        code = errors.ErrorCode.UNKNOWN_IDENTITY
        sentence = f"the identity {identity[:12]} is not on this backend; adapt the images again"
        return [protocol.Failed(job=message.job, sequence=1, code=code, sentence=sentence)]

    def _look_at_photos(self, message):
        count = len(message.images) + len(message.files)
        yield from (self._seen_in_photo(message, picture) for picture in range(count))
        yield protocol.Done(job=message.job, sequence=count + 1)

    def _seen_in_photo(self, message, picture):
        """What is seen in one photo."""
        boxes, chosen = self.photo_boxes, message.chosen
        facts = {"job": message.job, "sequence": picture + 1, "picture": picture, "name": message.names[picture]}
        facts |= {"width": self.photo_size[0], "height": self.photo_size[1]}
        if not len(boxes):
            return protocol.PhotoLandmarks(**facts, code=errors.ErrorCode.NO_FACE, sentence="no face was found in it")
        is_chosen = chosen is not None and np.isfinite(chosen[picture]).all()
        taken = int(np.linalg.norm(boxes[:, :2] - chosen[picture], axis=1).argmin()) if is_chosen else 0
        landmarks = boxes[taken, :2] + np.stack([np.arange(68), np.zeros(68)], axis=1)
        told = (notes.Note("several_faces", "two faces", message.names[picture]),) if len(boxes) > 1 else ()
        return protocol.PhotoLandmarks(
            **facts, taken=taken, boxes=boxes, landmarks=landmarks.astype(np.float32),
            confidence=np.full(68, 0.9, np.float32), notes=() if is_chosen else told,
        )  # fmt: skip

    def _answers_about_faces(self, message):
        match message:
            case protocol.ListFaces():
                first = list(self.kept_faces)[message.faces_from :][: self.faces_per_answer]
                yield self._told_faces(message, first)
            case protocol.RenameFace() | protocol.DeleteFace() | protocol.ExportFace() if (
                message.identity not in self.kept_faces
            ):
                sentence = f"no face {message.identity[:8]}; list them"
                yield protocol.Failed(parent=message.id, code=errors.ErrorCode.UNKNOWN_IDENTITY, sentence=sentence)
            case protocol.RenameFace():
                face = msgspec.structs.replace(
                    self.kept_faces[message.identity], name=message.name or "photo.jpg", is_named=bool(message.name)
                )
                self.kept_faces[message.identity] = face
                yield self._told_faces(message, [message.identity])
            case protocol.DeleteFace():
                freed = self.kept_faces.pop(message.identity).size_bytes
                yield protocol.FaceDeleted(parent=message.id, identity=message.identity, freed_bytes=freed)
            case protocol.ExportFace():
                content = np.frombuffer(message.identity.encode(), np.uint8)
                yield protocol.FaceFile(parent=message.id, identity=message.identity, content=content)
            case protocol.ImportFace():
                identity = bytes(message.content).decode()
                self.keep_face(identity, "imported")
                yield self._told_faces(message, [identity])

    def _numbered(self, messages):
        sequence = 0
        for message in messages:
            if type(message).__name__ == self.leaves_out:
                continue
            sequence += bool(message.sequence)
            yield msgspec.structs.replace(message, sequence=sequence) if message.sequence else message

    def _work(self, message):
        job = message.job
        if self.holds:
            yield protocol.Progress(job=job, stage="waiting for a test", step=3, steps=10, seconds_left=75.0)
            return
        yield protocol.Progress(job=job, stage="working", step=1, steps=2)
        crop = np.eye(2, 3, dtype=np.float32)
        if isinstance(message, protocol.FindPhotoLandmarks):
            yield from self._look_at_photos(message)
            return
        if isinstance(message, protocol.FindMeshLandmarks):
            yield protocol.MeshLandmarks(
                job=job, sequence=1, vertices=(np.arange(68) % len(message.vertices)).astype(np.int32),
                confidence=np.full(68, 0.5, np.float32), projection=np.array([[100.0, 0, 0], [0, 0, -100]]),
                picture=np.zeros((8, 8, 3), np.uint8), points=np.zeros((68, 2), np.float32),
            )  # fmt: skip
            yield protocol.Done(job=job, sequence=2)
            return
        if isinstance(message, protocol.AdaptRequest):
            of_picture = (notes.Note("several_faces", "two faces", message.names[0]),) if self.has_notes else ()
            yield protocol.Adapted(
                job=job, sequence=1, identity="a" * 64, notes=of_picture, neutral=self.neutral(), crop=crop
            )
            yield protocol.Done(job=job, sequence=2)
            return
        if isinstance(message, protocol.RenderRequest):
            chins = message.landmarks[:, 8].round().clip(0, 255).astype(np.uint8)
            frames = self.frames(len(chins), message.size)
            frames[..., :2] = chins[:, None, None]
            for number, first in enumerate(range(0, len(frames), 10)):
                some = frames[first : first + 10]
                yield protocol.TextureFrames(job=job, sequence=number + 1, first_frame=first, frames=some)
            yield protocol.Done(job=job, sequence=number + 2, texture_count=len(frames))
            return
        if self.fails_with:
            yield protocol.Failed(job=job, sequence=1, code=errors.ErrorCode.NO_FACE, sentence=self.fails_with)
            return
        count = len(message.frame_times)
        still, lively = self.landmarks(count), message.liveliness
        yield protocol.LandmarkCurves(
            job=job, sequence=1, landmarks=self.turned(count, lively) if lively else still, canonical=still,
            frame_times=message.frame_times, neutral=self.neutral(), crop=crop,
            head=self.poses(count, lively) if lively else None, still=still if lively else None,
        )  # fmt: skip
        sequence = 1
        if message.mapping is not None:
            sequence += 1
            names = tuple(channel.name for channel in message.mapping.channels)
            weights = self.rig_weights(count, len(names))
            yield protocol.RigCurves(job=job, sequence=sequence, names=names, weights=weights)
        if message.wants_speech:
            sequence += 1
            yield self.spoken(message.transcript, job=job, sequence=sequence)
        for first in range(0, count if message.makes_texture else 0, 10):
            sequence += 1
            frames = self.frames(count, message.size)[first : first + 10]
            yield protocol.TextureFrames(job=job, sequence=sequence, first_frame=first, frames=frames)
        wanted = count if message.makes_texture else 0
        of_sound = (notes.Note("no_speech", "nobody speaks"),) if self.has_notes else ()
        yield protocol.Done(job=job, sequence=sequence + 1, frame_count=count, texture_count=wanted, notes=of_sound)
