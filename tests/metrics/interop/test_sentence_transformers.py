"""`SentenceTransformer` opens a checkpoint with the two files of the card beside it, and gives the model's vectors."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from modeling_uniwhisper import AudioError, UniWhisperModel
from modeling_uniwhisper.audio_io import SAMPLING_RATE
from modeling_uniwhisper.embedder import Embedder

CARD = Path(__file__).parents[3] / "model_cards" / "uniwhisper-base"


def test_names_a_method_that_embeds(tiny_checkpoint, tiny_processor, make_audio, tmp_path):
    config = json.loads((CARD / "sentence_bert_config.json").read_text())
    how, rate = config["modality_config"]["audio"], config["processing_kwargs"]["audio"]
    soundfile.write(tmp_path / "clip.wav", make_audio(1.0), SAMPLING_RATE, subtype="FLOAT")
    model = UniWhisperModel.from_pretrained(tiny_checkpoint)
    features = tiny_processor(audio=[make_audio(1.0), str(tmp_path / "clip.wav")], audio_kwargs=rate)
    vector, of_file = getattr(model, how["method"])(**features)[how["method_output_name"]]
    assert len(vector) == model.config.hidden_size
    np.testing.assert_array_equal(vector, of_file)


@pytest.fixture
def sentence_transformer(tiny_checkpoint, tmp_path):
    library = pytest.importorskip("sentence_transformers")
    shutil.copytree(tiny_checkpoint, tmp_path, dirs_exist_ok=True)
    for name in ("modules.json", "sentence_bert_config.json"):
        shutil.copy(CARD / name, tmp_path)
    return library.SentenceTransformer(str(tmp_path), device="cpu")


def test_gives_the_models_vectors(sentence_transformer, tiny_checkpoint, make_audio, tmp_path):
    embedder = Embedder(tiny_checkpoint)
    audios = [make_audio(seconds, seed) for seed, seconds in enumerate((0.5, 31.0, 2.0))]
    wanted = np.stack([embedder(audio).recording for audio in audios])
    got = sentence_transformer.encode(audios, normalize_embeddings=True)
    np.testing.assert_allclose(got, wanted, atol=1e-5)
    assert sentence_transformer.get_embedding_dimension() == got.shape[1]
    soundfile.write(tmp_path / "clip.flac", audios[2], SAMPLING_RATE)
    from_file = sentence_transformer.encode(str(tmp_path / "clip.flac"), normalize_embeddings=True)
    np.testing.assert_allclose(from_file, wanted[2], atol=1e-3)


def test_refuses_another_rate(sentence_transformer, make_audio):
    with pytest.raises(AudioError, match="sampling_rate is 44100"):
        sentence_transformer.encode({"array": make_audio(1.0), "sampling_rate": 44_100})
