"""mteb runs the encoder on tasks of ours, and gets the vectors that the model gives."""

import io

import datasets
import numpy as np
import pytest
import soundfile

from modeling_uniwhisper.embedder import Embedder

mteb = pytest.importorskip("mteb")

from metrics.interop.mteb_model import UniWhisperEncoder  # noqa: E402
from metrics.interop.mteb_tasks import classification, clustering  # noqa: E402

RATE = 22_050


@pytest.fixture
def splits(make_audio):
    """Clips of two labels, as open_audio has them but at another rate."""

    def rows(seeds):
        for seed in seeds:
            file = io.BytesIO()
            soundfile.write(file, make_audio(0.5 + 0.01 * seed, seed % 2), RATE, format="FLAC")
            yield {"audio": {"bytes": file.getvalue(), "path": None}, "label": "even" if seed % 2 == 0 else "odd"}

    features = datasets.Features({"audio": datasets.Audio(decode=False), "label": datasets.Value("string")})
    parts = {"train": range(20), "test": range(20, 30)}
    return datasets.DatasetDict(
        {name: datasets.Dataset.from_list(list(rows(part)), features=features) for name, part in parts.items()}
    )


@pytest.mark.parametrize("task", [classification("animal"), clustering("animal")], ids=["classification", "clustering"])
def test_runs_a_task(tiny_checkpoint, splits, task, monkeypatch):
    monkeypatch.setattr("mteb.abstasks.abstask.load_dataset", lambda **options: splits)
    result = mteb.evaluate(UniWhisperEncoder(tiny_checkpoint, device="cpu"), task, cache=None)
    [scores] = result[0].scores["test"]
    assert scores["main_score"] == scores[task.metadata.main_score] > 0.6  # two chirps, by random weights


def test_gives_the_models_vectors(tiny_checkpoint, make_audio):
    audios = [make_audio(seconds, seed) for seed, seconds in enumerate((0.5, 31.0, 2.0))]
    batch = {"audio": [{"array": audio, "sampling_rate": 16_000} for audio in audios]}
    got = UniWhisperEncoder(tiny_checkpoint, device="cpu").encode([batch], show_progress_bar=False)
    embedder = Embedder(tiny_checkpoint)
    wanted = np.stack([embedder(audio).recording for audio in audios])
    np.testing.assert_allclose(got / np.linalg.norm(got, axis=1, keepdims=True), wanted, atol=1e-5)


def test_refuses_what_is_not_audio_alone(tiny_checkpoint):
    with pytest.raises(ValueError, match="audio alone"):
        UniWhisperEncoder(tiny_checkpoint, device="cpu").encode([{"text": ["lion"]}], show_progress_bar=False)
