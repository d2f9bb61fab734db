"""The 22 public tasks of X-ARES, read from its own tars.

`FOLDER/<task>/*.tar` is what `xares.run` downloads into its `env` folder: WebDataset tars, in which
`KEY.wav` (or another sound file) is followed by `KEY.json`. Splits, labels and weights are those of
X-ARES 0.1.3 (github.com/jimbozhang/xares), but for two things: a task whose validation is its test
there has no validation here, and a clip is one item, whereas X-ARES tests on every crop of it.

    load_probe(XARES["esc50"], "fold1")
"""

from __future__ import annotations

import io
import json
import os
import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import datasets
import soundfile

from ..open_audio.builder import cache_home
from .builder import FEATURES
from .registry import ANSWERS, COMMON, METRICS, ProbeTask

SOUND_FILES = ("flac", "mp3", "wav", "ogg")

_MEMBER = re.compile(r"(?P<key>(?:.*/)?[^./][^./]*)\.(?P<suffix>[^/]+)")


class XaresError(ValueError):
    """Data of X-ARES that are missing, or not as it makes them."""


@dataclass(frozen=True, kw_only=True)
class XaresTask(ProbeTask):
    """A task of X-ARES.

    Args:
        tars: split or fold to the glob of its tars.
        keys: what is read from a clip's JSON: the label; or label, start and end of each event;
            nothing of captions, which are all there is.
        crop: seconds that X-ARES cuts clips into.
        knn: whether it runs its nearest-neighbour probe.
    """

    tars: Mapping[str, str]
    keys: tuple[str, ...]
    crop: float | None = None
    knn: bool = True

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits, or of the folds of tasks that are cross-validated."""
        return tuple(self.tars)

    def load(self, split: str) -> datasets.Dataset:
        """Return the rows of `split`.

        Raises:
            XaresError: a folder, a tar or something in it is missing or not as X-ARES makes it.
        """
        paths = self.paths(split)
        stamps = [(path.stat().st_size, path.stat().st_mtime_ns) for path in paths]  # other tars, other rows
        try:
            return datasets.Dataset.from_generator(
                _rows,
                features=datasets.Features({column: _FEATURES[column] for column in (*COMMON, *self.answers)}),
                gen_kwargs={"task": self, "paths": paths, "stamps": stamps},
                split=datasets.NamedSplit(split),
            )
        except datasets.exceptions.DatasetGenerationError as error:
            if isinstance(error.__cause__, XaresError):
                raise error.__cause__ from None
            raise

    @property
    def answers(self) -> tuple[str, ...]:
        """Columns of what is asked for."""
        return tuple(column for column in ANSWERS[self.kind] if column != "side")

    def paths(self, split: str) -> list[Path]:
        """Return the tars of `split`, in order."""
        folder = xares_folder() / self.config
        if not folder.is_dir():
            raise XaresError(f"{folder} is missing: it should hold the tars of X-ARES's {self.name}")
        paths = sorted(folder.glob(self.tars[split]))
        if not paths:
            raise XaresError(f"{folder} holds no {self.tars[split]}, the {split} split of X-ARES's {self.name}")
        return paths

    def answer(self, key: str, told: Any) -> dict[str, Any]:
        """Return the columns `answers` of a clip, from its JSON."""
        if self.kind == "frame":
            name, start, end = self.keys
            return {
                "events": [
                    {"label": label, "start": event[start], "end": event[end]}
                    for event in told
                    for label in str(event[name]).split(",")
                ]
            }
        if self.kind == "retrieval":
            return {"key": key, "text": next(iter(told.values()))}
        (name,) = self.keys
        (column,) = self.answers
        return {column: told[name].split(";") if self.kind == "multilabel" else str(told[name])}


_FEATURES = {**FEATURES, "audio": datasets.Audio(decode=False), "label": datasets.Value("string")}


def xares_folder() -> Path:
    """Return where the tars lie: `$UNIWHISPER_XARES`, or `xares` in the cache."""
    chosen = os.environ.get("UNIWHISPER_XARES")
    return Path(chosen) if chosen else cache_home() / "xares"


def _rows(task: XaresTask, paths: list[Path], stamps: list[tuple[int, int]]) -> Iterator[dict[str, Any]]:
    for path in paths:
        for key, files in read_tar(path):
            if "json" not in files:
                raise XaresError(f"{path} has no {key}.json")
            suffix = next((suffix for suffix in SOUND_FILES if suffix in files), None)
            if suffix is None:
                raise XaresError(f"{path} has no sound file of {key}; known: {', '.join(SOUND_FILES)}")
            told = json.loads(files["json"])
            try:
                answer = task.answer(key, told)
                sound = soundfile.info(io.BytesIO(files[suffix]))
            except KeyError as error:
                raise XaresError(f"{path}: {key}.json has no {error} but {json.dumps(told)[:100]}") from None
            except soundfile.LibsndfileError as error:
                raise XaresError(f"{path}: {key}.{suffix} cannot be decoded: {error}") from None
            audio = {"bytes": files[suffix], "path": f"{key}.{suffix}"}
            yield {"audio": audio, "duration": sound.duration, "group": key, **answer}


def read_tar(path: Path) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Yield each key of a WebDataset tar with its files, by suffix, reading it once from front to end.

    Raises:
        XaresError: it is no tar, or ends too early.
    """
    try:
        with tarfile.open(path, "r|*") as tar:
            members = ((_MEMBER.fullmatch(member.name), member) for member in tar if member.isfile())
            named = ((match, member) for match, member in members if match)
            for key, group in groupby(named, key=lambda pair: pair[0]["key"]):
                yield key, {match["suffix"].lower(): tar.extractfile(member).read() for match, member in group}  # type: ignore[union-attr]  # all are files
    except tarfile.TarError as error:
        raise XaresError(f"{path} is not a whole tar: {error}") from None


def _task(
    name: str,
    domain: str,
    why: str,
    eval_weight: int,
    tars: Mapping[str, str],
    *keys: str,
    kind: str = "clip",
    average: str = "",
    **more: Any,
) -> XaresTask:
    return XaresTask(
        name=name,
        domain=domain,
        kind=kind,
        metric=METRICS[kind] + average,
        dataset="xares",
        config=name,
        group="clip, or more: as X-ARES splits it",
        why=why,
        eval_weight=eval_weight,
        tars=tars,
        keys=keys,
        **more,
    )


def _splits(train: str, test: str, validation: str | None = None) -> dict[str, str]:
    named = {"train": train, "validation": validation, "test": test}
    return {split: f"{start}*.tar" for split, start in named.items() if start}


def _folds(pattern: str, numbers: range) -> dict[str, str]:
    return {f"fold{number}": pattern.format(number) for number in numbers}


_WDS = _splits("wds-audio-train", "wds-audio-test", "wds-audio-valid")
_LIBRISPEECH = _splits("train-clean-100", "test-clean", "dev-clean")

XARES: dict[str, XaresTask] = {
    task.name: task
    for task in (
        _task(
            "asvspoof2015", "speech", "real or synthetic speech", 2000,
            _splits("asvspoof_train", "asvspoof_eval", "asvspoof_valid"), "binary_spoof",
        ),
        _task("cremad", "speech", "acted emotion", 1116, _WDS, "label"),
        _task(
            "fluentspeechcommands", "speech", "spoken commands", 2000,
            _splits("fluentspeechcommands_train", "fluentspeechcommands_test", "fluentspeechcommands_valid"),
            "transcription",
        ),
        _task(
            "libricount", "speech", "how many people speak at once", 1144,
            _folds("libricount_fold{:02d}.tar", range(5)), "num_speakers",
        ),
        _task("librispeech", "speech", "transcription", 10_000, _LIBRISPEECH, "trans", kind="transcription"),
        _task("librispeechmalefemale", "speech", "sex of the speaker", 2620, _LIBRISPEECH, "gender", crop=5.0),
        _task(
            "ravdess", "speech", "acted emotion", 360, _folds("ravdess_fold_{}_0000000.tar", range(4)), "emotion",
        ),
        _task("speechcommandsv1", "speech", "thirty words", 2000, _WDS, "labels"),
        _task(
            "vocalimitations", "speech", "which sound a voice imitates", 1867,
            _folds("vocal_imitations_fold{:02d}_0000000.tar", range(3)), "imitation",
        ),
        _task("vocalsound", "speech", "laughs, coughs and the like", 2000, _splits("train", "test", "valid"), "label"),
        _task(
            "voxceleb1", "speech", "1251 speakers", 2000,
            _splits("voxceleb1_train", "voxceleb1_test", "voxceleb1_valid"), "speakerid", crop=6.0,
        ),
        _task("voxlingua33", "speech", "33 languages", 1609, _splits("train_subset", "dev"), "labels", crop=10.0),
        _task(
            "clotho", "sound", "sounds against sentences that people wrote; of several the first", 1045,
            _splits("clotho_development", "clotho_validation", "clotho_evaluation"), kind="retrieval", crop=30.0,
        ),
        _task(
            "desed", "sound", "sounds of a home, in time", 1153, _splits("wds-audio-train", "wds-audio-eval"),
            "label", "onset", "offset", kind="frame", average="_macro", segment=1.0,
        ),
        _task("esc50", "sound", "fifty sounds", 400, _folds("wds-audio-fold-{}-*.tar", range(1, 6)), "label"),
        _task(
            "fsd50k", "sound", "200 sounds, several in a clip", 2000,
            _splits("fsd50k_train", "fsd50k_eval", "fsd50k_validation"), "soundevent", kind="multilabel", crop=10.0,
        ),
        _task("fsdkaggle2018", "sound", "41 sounds", 1600, _splits("fsd18_train", "fsd18_test"), "sound", knn=False),
        _task(
            "urbansound8k", "sound", "ten sounds of a city", 873,
            _folds("urbansound_fold{}_0000000.tar", range(1, 11)), "soundevent",
        ),
        _task(
            "freemusicarchive", "music", "eight genres", 800,
            _splits("fma_small_train", "fma_small_test", "fma_small_valid"), "genre", crop=10.0,
        ),
        _task("gtzan_genre", "music", "ten genres", 100, _folds("gtzan_fold_{}_0000000.tar", range(10)), "genre"),
        _task(
            "maestro", "music", "the notes of piano recitals", 65,
            _splits("maestro_train", "maestro_test", "maestro_valid"),
            "note", "start", "end", kind="frame", average="_micro", segment=0.1,
        ),
        _task(
            "nsynthinstument", "music", "eleven families of instruments", 2000,
            _splits("nsynth_train", "nsynth_test", "nsynth_valid"), "instrument_family_str",
        ),
    )
}  # fmt: skip
"""X-ARES's own name of a task, its spelling included, to the task."""
