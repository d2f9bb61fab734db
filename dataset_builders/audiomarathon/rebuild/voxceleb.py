"""Age and gender of speakers from VoxCeleb 1 and 2.

    SOURCE/vox1_meta.csv, vox2_meta.csv     tabs or commas between "VoxCeleb1 ID" or "VoxCeleb2 ID", Gender (m, f), ...
    SOURCE/wav/idNNNNN/VIDEO/UTTERANCE.wav  VoxCeleb 2 comes as .m4a, to be made WAV first
    SOURCE/final_dataframe_extended.csv     for ages: commas between VoxCeleb_ID, video_id, speaker_age, ...

The ages are those that Hechmi et al. publish (github.com/hechmik/voxceleb_enrichment_age_gender); another table with
these columns under this name is as good. Either of the two meta files will do. A speaker gives one item at most, or one
an age group: utterances by name, of videos whose speaker has the age. Speakers below 18 are left out, and so are
those without audio, whom a warning counts.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from ..tasks import TASKS
from .drafts import Draft, Limits, SourceError, labelled, measure, pack, read_table, shuffled

METAS = {"vox1_meta.csv": "VoxCeleb1 ID", "vox2_meta.csv": "VoxCeleb2 ID"}
GENDERS = {"m": "male", "f": "female"}
AGES = "final_dataframe_extended.csv"
YOUNGEST = 18
OLDEST = {"18-30": 30, "31-40": 40, "41-50": 50, "51-70": 70, "71+": 200}
ASKED_GENDER, ASKED_AGE = "What is the gender of the speaker?", "How old is the speaker?"

Told = tuple[str | None, str, str]
"""Of a line of a table: the label, if it has one, the speaker, and the video, or "" for all of them."""


def genders(source: Path, limits: Limits) -> list[Iterator[Draft]]:
    """Return one item a speaker, by gender."""
    metas = {source / name: column for name, column in METAS.items() if (source / name).is_file()}
    if not metas:
        raise SourceError(f"{source} holds neither {' nor '.join(METAS)}")
    told = (
        (labelled(where, row["Gender"], GENDERS), row[column], "")
        for meta, column in metas.items()
        for where, row in read_table(meta, (column, "Gender"))
    )
    return _drafts("speaker_gender_recognition", ASKED_GENDER, source, told, limits)


def ages(source: Path, limits: Limits) -> list[Iterator[Draft]]:
    """Return one item a speaker and age group, by age group."""
    told = (
        (_age_group(where, row["speaker_age"]), row["VoxCeleb_ID"], row["video_id"])
        for where, row in read_table(source / AGES, ("VoxCeleb_ID", "video_id", "speaker_age"))
    )
    return _drafts("speaker_age_recognition", ASKED_AGE, source, told, limits)


def _age_group(where: str, years: str) -> str | None:
    try:
        age = float(years) if years else 0
    except ValueError:
        raise SourceError(f"{where}: speaker_age should be a number, but is {years!r}") from None
    return next((label for label, oldest in OLDEST.items() if YOUNGEST <= age <= oldest), None)


def _drafts(task: str, question: str, source: Path, told: Iterable[Told], limits: Limits) -> list[Iterator[Draft]]:
    spoken: dict[str, dict[str, list[Path]]] = {label: defaultdict(list) for label in TASKS[task].labels}
    missing = set()
    for label, speaker, video in told:
        folder = source / "wav" / speaker / video
        if not folder.is_dir():
            missing.add(speaker)
        elif label:
            spoken[label][speaker].append(folder)
    if not any(spoken.values()):
        raise SourceError(f"no speaker of the tables has a folder wav/idNNNNN with utterances to make {task} of")
    if missing:
        warnings.warn(
            f"{source}: of {len(missing)} speakers of the tables audio is missing, {min(missing)} for one", stacklevel=2
        )
    return [_of_label(task, question, label, speakers, limits) for label, speakers in spoken.items()]


def _of_label(task: str, question: str, label: str, speakers: dict[str, list[Path]], limits: Limits) -> Iterator[Draft]:
    for speaker in shuffled(sorted(speakers), label):
        for parts in islice(pack(map(measure, _utterances(speakers[speaker])), limits), 1):
            yield Draft(
                id=f"{speaker}-{label}",
                parts=parts,
                question=question,
                choices=TASKS[task].labels,
                answer=label,
                group=speaker,
            )


def _utterances(folders: Iterable[Path]) -> list[Path]:
    return sorted({path for folder in folders for path in folder.rglob("*.wav")})
