"""Tasks of open_audio as mteb runs them, with any model that it knows: on what is built on this machine, offline."""

from __future__ import annotations

from typing import Any

import datasets
from mteb.abstasks.abstask import AbsTask
from mteb.abstasks.classification import AbsTaskClassification
from mteb.abstasks.clustering import AbsTaskClustering
from mteb.abstasks.task_metadata import TaskMetadata

import dataset_builders  # noqa: F401  (makes open_audio known to load_dataset)
from dataset_builders.open_audio.builder import VERSION
from dataset_builders.open_audio.configs import CONFIGS


def classification(config: str) -> AbsTask:
    """Which label: logistic regression on eight training clips a label, ten times.

    Args:
        config: of `load_dataset("open_audio", config)`, one with a label a clip.
    """
    return make_task(AbsTaskClassification, config, "Classification", "accuracy")


def clustering(config: str) -> AbsTask:
    """Whether k-means finds the labels, on all test clips; `config` as for `classification`."""
    return make_task(AbsTaskClustering, config, "Clustering", "v_measure", max_fraction_of_documents_to_embed=None)


class OpenAudio(AbsTask):
    """What both kinds share."""

    dataset: datasets.DatasetDict
    input_column_name = "audio"
    label_column_name = "label"

    def dataset_transform(self, **options: Any) -> None:
        """Audio decoded by `datasets` and labels as numbers, the same in all splits, as mteb expects them."""
        names = sorted({name for split in self.dataset.unique("label").values() for name in split})
        self.dataset = self.dataset.cast_column("audio", datasets.Audio())
        self.dataset = self.dataset.cast_column("label", datasets.ClassLabel(names=names))


def make_task(base: type[AbsTask], config: str, kind: str, main_score: str, **attributes: Any) -> AbsTask:
    """A task of its own class, as mteb keeps metadata with classes."""
    metadata = TaskMetadata(
        name=f"OpenAudio-{config}-{kind}",
        description=CONFIGS[config].description,
        dataset={"path": "open_audio", "name": config, "revision": str(VERSION)},
        type=f"Audio{kind}",
        category="a2c",
        modalities=["audio"],
        eval_langs=["zxx-Zxxx"],
        main_score=main_score,
    )
    return type(f"{OpenAudio.__name__}{kind}", (OpenAudio, base), {"metadata": metadata, **attributes})()
