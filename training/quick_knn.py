"""A first look at the representation while it trains: nearest neighbours on a few validation clips."""

from __future__ import annotations

import datasets
import numpy as np
import torch
import torch.nn.functional as F

from dataset_builders.loading import decode
from modeling_uniwhisper import UniWhisperFeatureExtractor, UniWhisperModel
from modeling_uniwhisper.audio_io import SAMPLING_RATE

NEIGHBOURS = 5
BANK = 4
"""Training clips for each validation clip."""

AT_ONCE = 16


class QuickKNN:
    """Accuracy of the nearest neighbours by cosine, centred, mean over the tasks with labels.

    Args:
        banks, queries: training and validation clips of each task.
        extractor: the model's front end; features are made once.
        limit: validation clips a task.
        seed: of which clips.
    """

    def __init__(
        self,
        banks: dict[str, datasets.Dataset],
        queries: dict[str, datasets.Dataset],
        extractor: UniWhisperFeatureExtractor,
        limit: int,
        seed: int,
    ):
        self.tasks = {}
        for name, rows in queries.items():
            if rows[0]["label"] is not None:
                parts = []
                for part, count in ((banks[name], BANK * limit), (rows, limit)):
                    chosen = part.shuffle(seed=seed).select(range(min(count, len(part))))
                    clips = [decode(row["audio"]["bytes"]) for row in chosen]
                    order = np.argsort([len(clip) for clip in clips], kind="stable")
                    features = [
                        extractor([clips[at] for at in order[start : start + AT_ONCE]], sampling_rate=SAMPLING_RATE)
                        for start in range(0, len(order), AT_ONCE)
                    ]
                    parts.append((features, [chosen[int(at)]["label"] for at in order]))
                self.tasks[name] = parts

    @torch.inference_mode()
    def __call__(self, model: UniWhisperModel) -> dict[str, float]:
        """Accuracy of each task, and their mean as `knn`."""
        training = model.training
        model.eval()
        found = {}
        for name, ((bank, labels), (queries, wanted)) in self.tasks.items():
            vectors = torch.cat([self._embed(model, batch) for batch in bank])
            asked = torch.cat([self._embed(model, batch) for batch in queries])
            near = F.normalize(asked - vectors.mean(0)) @ F.normalize(vectors - vectors.mean(0)).T
            votes = near.topk(min(NEIGHBOURS, len(labels))).indices.tolist()
            said = [max((labels[at] for at in row), key=[labels[at] for at in row].count) for row in votes]
            found[f"knn/{name}"] = float(np.mean([one == other for one, other in zip(said, wanted)]))
        model.train(training)
        return found | {"knn": float(np.mean(list(found.values())))} if found else {}

    @staticmethod
    def _embed(model: UniWhisperModel, batch) -> torch.Tensor:
        device = model.device
        return model.embed(
            **{name: value.to(device) for name, value in batch.items() if torch.is_tensor(value)}
        ).embeddings
