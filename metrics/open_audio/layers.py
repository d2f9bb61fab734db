"""`python -m metrics.open_audio.layers`: which encoder layer embeds best, trained and untrained.

Cosine nearest neighbours (k = 10) on the validation split of every label task, for each layer of the
trained encoder and of Whisper's. The best mean layer of the trained one becomes `embedding_layer`.
"""

import tempfile
from pathlib import Path

import numpy as np
import torch
import typer
from datasets import load_dataset
from rich.progress import track
from sklearn.neighbors import KNeighborsClassifier

import dataset_builders  # noqa: F401  (makes open_audio known to load_dataset)
from dataset_builders.open_audio.configs import CONFIGS
from metrics.reports import write_report
from modeling_uniwhisper import UniWhisperFeatureExtractor, UniWhisperModel, load_audio
from modeling_uniwhisper.audio_io import SAMPLING_RATE
from modeling_uniwhisper.checkpoints import find_checkpoint
from training.ctranslate2 import load_whisper
from training.wheels import WHISPER_BASE

NEIGHBOURS = 10


def main(
    model: Path | None = typer.Option(None, help="Checkpoint folder; the assembled one if not given."),
    out: Path = typer.Option(Path("results/layers.json"), help="Where the JSON goes."),
    limit: int = typer.Option(400, help="At most this many training clips a task, drawn with a fixed seed."),
) -> None:
    """Validation accuracy of nearest neighbours by layer, for the trained encoder and for Whisper's."""
    trained = UniWhisperModel.from_pretrained(find_checkpoint(model), dtype=torch.bfloat16).eval()
    with tempfile.TemporaryDirectory() as scratch:
        whisper = load_whisper(WHISPER_BASE.open(Path(scratch)))
    original = UniWhisperModel(trained.config).to(torch.bfloat16).eval()
    original.encoder.load_state_dict(whisper.model.encoder.state_dict())
    tasks = [name for name, config in CONFIGS.items() if config.labels]
    report = {"command": f"python -m metrics.open_audio.layers --limit {limit}", "neighbours": NEIGHBOURS}
    for name, network in {"Whisper": original, "UniWhisper": trained}.items():
        accuracy = {}
        for task in tasks:
            train, validation = (load_dataset("open_audio", task, split=split) for split in ("train", "validation"))
            train = train.shuffle(seed=0).select(range(min(limit, len(train))))
            banks, queries = (pooled_layers(network, rows, f"{name}, {task}") for rows in (train, validation))
            accuracy[task] = [
                KNeighborsClassifier(NEIGHBOURS, metric="cosine", weights="distance")
                .fit(bank, train["label"])
                .score(query, validation["label"])
                for bank, query in zip(banks, queries)
            ]
        means = np.mean(list(accuracy.values()), axis=0).tolist()
        report[name] = {"mean": means, "best_layer": int(np.argmax(means)), **accuracy}
        print(name, [f"{mean:.3f}" for mean in means])
    write_report(report, out)


@torch.inference_mode()
def pooled_layers(network: UniWhisperModel, rows, description: str) -> np.ndarray:
    """Mean over real frames of each layer, `(layers + 1, clips, hidden size)`."""
    extractor, pooled = UniWhisperFeatureExtractor(), []
    for row in track(rows, description=description):
        features = extractor(load_audio(row["audio"]["bytes"]), sampling_rate=SAMPLING_RATE)
        outputs = network(features["input_features"], features["input_features_mask"], output_hidden_states=True)
        pooled.append(torch.stack([layer[0].float().mean(0) for layer in outputs.hidden_states]))
    return torch.stack(pooled, dim=1).numpy()


if __name__ == "__main__":
    typer.run(main)
