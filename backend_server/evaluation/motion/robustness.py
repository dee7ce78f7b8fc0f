"""Measures how far noise, other voices, music, rooms, levels and ways to speak change the motion (Fig. 6 right)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from backend_server.cascade import Cascade
from backend_server.evaluation import paper
from backend_server.evaluation.goals import Goal
from backend_server.evaluation.held_out import Take
from backend_server.evaluation.motion.accuracy import animated, judge, judge_groups, static
from backend_server.evaluation.motion.sounds import (
    CLEAN,
    GATE_DB,
    GATED,
    SHOUT,
    SMALL_MP3,
    TELEPHONE,
    WHISPER,
    Sound,
    Waveform,
    at_level,
    babble_name,
    babble_noise,
    in_room,
    music_name,
    music_noise,
    other_voice,
    room_name,
    white_noise,
)
from backend_server.evaluation.page.charts import Curve, Panel, draw_panels
from backend_server.evaluation.page.report import Picture, Section, Table
from backend_server.evaluation.run import Context
from backend_server.metrics.landmarks import correlation, mouth_opening
from backend_server.metrics.motion import MotionFigures
from backend_server.progress import Progress

NOISE_DB = (-40.0, -30.0, -20.0, -10.0, 0.0)  # level of white noise over that of the speech (Fig. 6 right)
BABBLE_DB = (20.0, 10.0, 0.0, -5.0)  # signal-to-noise ratio
LEVELS_DBFS = (-40.0, -30.0, -20.0, -10.0, 0.0)
VOICES = (0.84, 0.92, 1.09, 1.19)
MUSIC_DB = (20.0, 10.0, 0.0)
ECHO_SECONDS = (0.3, 0.6, 1.0)
BABBLE_GROWTH_GOAL = 12.0  # per cent, at 0 dB
BABBLE_GOAL = "LMD growth in babble at 0 dB, per cent"
FIRST_PANELS = 4  # of the first picture
GLANCE = "Heard otherwise, at a glance"
KEPT = "Motion of a voice with holes beside that of the clean voice"
KEPT_GOAL = 0.95  # correlation of the two openings
COLUMNS = ("lip landmarks LMD, px", "growth, per cent", "opening correlation", "width correlation")


@dataclass(frozen=True)
class Sweep:
    """One way to change the sound, step by step.

    Attributes:
        title: what is changed.
        axis: what the steps are, with their unit; empty where they have names alone.
        sounds: the steps.
    """

    title: str
    axis: str
    sounds: tuple[Sound, ...]

    def curve(self, values: Iterable[float]) -> Curve:
        """Values, one a step, by where the step stands on the axis, or by its name."""
        if self.axis:
            return dict(zip((sound.level for sound in self.sounds), values, strict=True))
        return dict(zip((sound.name for sound in self.sounds), values, strict=True))


def sweeps(voices: Sequence[Waveform]) -> tuple[Sweep, ...]:
    """What is tried.

    Args:
        voices: waveforms of other utterances than the judged ones, for babble.
    """
    return (
        Sweep("White noise (Fig. 6 right)", "noise over speech, dB", tuple(white_noise(db) for db in NOISE_DB)),
        Sweep("Babble", "signal to noise, dB", tuple(babble_noise(voices, db) for db in BABBLE_DB)),
        Sweep("Level", "peak, dBFS", tuple(at_level(db) for db in LEVELS_DBFS)),
        Sweep("Voice", "pitch and formants, factor", tuple(other_voice(factor) for factor in VOICES)),
        Sweep("Music", "signal to noise, dB", tuple(music_noise(db) for db in MUSIC_DB)),
        Sweep("Room", "echo, seconds to -60 dB", tuple(in_room(seconds) for seconds in ECHO_SECONDS)),
        Sweep("Line and way to speak", "", (TELEPHONE, SMALL_MP3, GATED, WHISPER, SHOUT)),
    )


@dataclass(frozen=True)
class SweepFigures:
    """Figures of one sweep by group; those of the unchanged sound stand beside them."""

    sweep: Sweep
    clean: Mapping[str, MotionFigures]
    steps: Mapping[str, Sequence[MotionFigures]]

    def growth(self, group: str, step: int) -> float:
        """By how many per cent the LMD of the lips is larger than for the unchanged sound."""
        return 100 * (self.steps[group][step].lips_lmd / self.clean[group].lips_lmd - 1)


def measure_sweeps(
    cascade: Cascade, groups: Mapping[str, Sequence[Take]], tried: Sequence[Sweep], progress: Progress
) -> list[SweepFigures]:
    """Figures of each sweep on the same takes."""
    sounds = [CLEAN, *(sound for sweep in tried for sound in sweep.sounds)]
    methods = {sound.name: partial(animated, cascade, sound=sound) for sound in sounds}
    figures = judge_groups(methods, groups, "noise", progress)
    clean = {group: rows[CLEAN.name] for group, rows in figures.items()}
    return [
        SweepFigures(sweep, clean, {group: [rows[s.name] for s in sweep.sounds] for group, rows in figures.items()})
        for sweep in tried
    ]


def growth_at(measured: Sequence[SweepFigures], name: str) -> float:
    """The largest growth over the groups, in per cent, in the sound of that name; NaN when it was not tried."""
    found = [
        one.growth(group, step)
        for one in measured
        for step, sound in enumerate(one.sweep.sounds)
        if sound.name == name
        for group in one.steps
    ]
    return max(found, default=float("nan"))


def run(context: Context) -> Section:
    """All kinds of sound in one table, then one panel and one table a sweep, on the held-out groups."""
    measured = measure_sweeps(context.cascade, context.held_out, sweeps(context.voices), context.progress)
    still = {f"still face, {group}": judge(static, takes).lips_lmd for group, takes in context.held_out.items()}
    kept = kept_motion(context.cascade, context.held_out, (SMALL_MP3, GATED, in_room(0.6)))
    panels = [_panel(one, still) for one in measured]
    draw_panels(context.folder / "noise.png", panels[:FIRST_PANELS], "lip landmarks LMD, pixels")
    draw_panels(context.folder / "heard_otherwise.png", panels[FIRST_PANELS:], "lip landmarks LMD, pixels")
    return Section(
        "Noise, places, levels and voices",
        (
            "The clips of the held-out groups, heard otherwise and judged against the same real motion. Noise and "
            "speech are compared by mean power over the clip; babble is six other utterances at once, music is chords, "
            "a bass and drums, made here. In a room the echo is as strong as the direct sound. Growth is that of the "
            "LMD of the lips over the unchanged sound's. Another voice is the clip played faster or slower, so pitch "
            "and formants are shifted together, and the motion brought back to the clip's own time. Whispered speech "
            "has noise in place of the voice and is 20 dB quieter; shouted speech is higher, brighter and overdriven. "
            "Both are made of the clip by linear prediction, so that its timing stays that of the real mouth. A noise "
            f"gate mutes what is {-GATE_DB:.0f} dB below the loudest 20 ms. What a small MP3, a gate or a room takes "
            "away leaves holes; the second table says how the opening of the mouth correlates with that made of the "
            "clean sound.",
            "Of Fig. 6 (right) the paper's text says that the motion is not affected up to a noise of "
            f"{paper.NOISE_WITHOUT_EFFECT_DB:.0f} dB and degrades afterwards. It does not say what the level refers "
            "to; here it is the speech, so 0 dB is noise as strong as the speech.",
        ),
        (
            glance(measured),
            Table(KEPT, tuple(context.held_out), tuple((name, tuple(row.values())) for name, row in kept.items())),
            *(_table(one) for one in measured),
        ),
        (
            Picture("noise.png", "LMD of the lip landmarks by what is heard."),
            Picture("heard_otherwise.png", "The same in music, in rooms, over a telephone, whispered and shouted."),
        ),
        (
            Goal(BABBLE_GOAL, BABBLE_GROWTH_GOAL, growth_at(measured, babble_name(0.0))),
            *(
                Goal(f"opening beside the clean sound's, {name}", KEPT_GOAL, min(row.values()), is_least=True)
                for name, row in kept.items()
            ),
        ),
    )


def glance(measured: Sequence[SweepFigures]) -> Table:
    """The growth of the LMD and the correlation of the opening of each group, in one sound of each kind."""
    ways = (TELEPHONE, SMALL_MP3, GATED, WHISPER, SHOUT)
    kinds = (CLEAN.name, babble_name(0.0), music_name(0.0), room_name(0.6), *(sound.name for sound in ways))
    clean = measured[0].clean
    growths = {CLEAN.name: dict.fromkeys(clean, 0.0)}
    openings = {CLEAN.name: {group: figures.opening_correlation for group, figures in clean.items()}}
    for one in measured:
        for step, sound in enumerate(one.sweep.sounds):
            growths[sound.name] = {group: one.growth(group, step) for group in clean}
            openings[sound.name] = {group: one.steps[group][step].opening_correlation for group in clean}
    columns = [f"{group}, {figure}" for group in clean for figure in ("growth, per cent", "opening correlation")]
    rows = []
    for kind in kinds:
        values = [(_signed(growths[kind][group]), openings[kind][group]) for group in clean]
        rows.append((kind, tuple(value for pair in values for value in pair)))
    return Table(GLANCE, tuple(columns), tuple(rows))


def kept_motion(
    cascade: Cascade, groups: Mapping[str, Sequence[Take]], sounds: Sequence[Sound]
) -> dict[str, dict[str, float]]:
    """By sound and group: how the opening of the mouth made of it correlates with that of the clean sound."""
    clean = {group: [mouth_opening(animated(cascade, take)) for take in takes] for group, takes in groups.items()}
    return {
        sound.name: {
            group: float(
                np.nanmean(
                    [
                        correlation(mouth_opening(animated(cascade, take, sound)), opening)
                        for take, opening in zip(takes, clean[group], strict=True)
                    ]
                )
            )
            for group, takes in groups.items()
        }
        for sound in sounds
    }


def _panel(one: SweepFigures, still: Mapping[str, float]) -> Panel:
    series = {group: one.sweep.curve(figures.lips_lmd for figures in steps) for group, steps in one.steps.items()}
    return Panel(one.sweep.title, one.sweep.axis, series, levels=still)


def _table(one: SweepFigures) -> Table:
    rows = []
    for group, steps in one.steps.items():
        rows.append((f"{group}, {CLEAN.name}", _row(one.clean[group], 0.0)))
        for step, (sound, figures) in enumerate(zip(one.sweep.sounds, steps, strict=True)):
            rows.append((f"{group}, {sound.name}", _row(figures, one.growth(group, step))))
    return Table(one.sweep.title, COLUMNS, tuple(rows), is_detail=True)


def _row(figures: MotionFigures, growth: float) -> tuple[float | str, ...]:
    return figures.lips_lmd, _signed(growth), figures.opening_correlation, figures.width_correlation


def _signed(per_cent: float) -> str:
    return f"{round(per_cent, 1) + 0.0:+.1f}"
