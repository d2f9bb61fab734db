"""Encoders for the probes, the cache of what they give, and the class that X-ARES loads."""

import importlib
import io
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import datasets
import numpy as np
import pytest
import soundfile
import torch
from transformers import (
    HubertConfig,
    HubertModel,
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2Model,
    WavLMConfig,
    WavLMModel,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperModel,
    set_seed,
)
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from metrics.efficiency import probe_embedding
from metrics.open_audio.baselines import mean_log_mel
from metrics.probe import embed as embed_module
from metrics.probe.embed import batches, embed
from metrics.probe.encoders import LogMel, MelEncoder, RemoteEncoder, WaveformEncoder, open_encoder, open_whisper
from metrics.probe.yamnet import Yamnet
from modeling_uniwhisper import AudioError, UniWhisperFeatureExtractor, UniWhisperModel, load_audio
from training.files import WeightsError
from training.yamnet import PATCH_SAMPLES, SoundTagger, another_output, patches

RATE = 16_000
SECONDS = (0.31, 2.3, 0.9, 5.0, 2.31)
WAVEFORM_SHAPE = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "conv_dim": (8, 8),
    "conv_kernel": (10, 8),
    "conv_stride": (20, 16),
    "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
}


def make_rows(audio: list[np.ndarray], label: str = "a") -> datasets.Dataset:
    rows = []
    for number, waveform in enumerate(audio):
        file = io.BytesIO()
        soundfile.write(file, waveform, RATE, format="FLAC")
        clip = {"bytes": file.getvalue(), "path": f"{label}{number}.flac"}
        rows.append({"audio": clip, "duration": len(waveform) / RATE, "label": label})
    return datasets.Dataset.from_list(rows)


class Killed(BaseException):
    """As the end of a process: nothing but the test catches it."""


class Fake:
    """Two layers of two numbers a sample of 10 ms: its mean, and twice that; counts what it encodes."""

    name, layers, frame_seconds, window_seconds = "fake", 2, 0.01, 1.0

    def __init__(self, fingerprint: str = "one", dies_after: int | None = None):
        self.fingerprint, self.dies_after, self.seconds = fingerprint, dies_after, []

    def encode(self, waveforms):
        if self.dies_after is not None and len(self.seconds) >= self.dies_after:
            raise Killed
        self.seconds += [len(waveform) / RATE for waveform in waveforms]
        means = [waveform[: len(waveform) // 160 * 160].reshape(-1, 160).mean(1) for waveform in waveforms]
        return [np.stack([np.stack([mean, 0 * mean + 1], -1) * layer for layer in (1, 2)]) for mean in means]


def waveform_encoder(model: type, norm: str) -> WaveformEncoder:
    set_seed(0)
    configs = {Wav2Vec2Model: Wav2Vec2Config, HubertModel: HubertConfig, WavLMModel: WavLMConfig}
    config = configs[model](**WAVEFORM_SHAPE, feat_extract_norm=norm, do_stable_layer_norm=norm == "layer")
    return WaveformEncoder("tiny", model(config), Wav2Vec2FeatureExtractor())


def mel_encoder(model, **options) -> MelEncoder:
    return MelEncoder("tiny", model.model.encoder, UniWhisperFeatureExtractor(**options))


@pytest.fixture
def rows(make_audio) -> datasets.Dataset:
    return make_rows([make_audio(seconds, seed) for seed, seconds in enumerate(SECONDS)])


@pytest.fixture(scope="module")
def real_whisper(whisper_base):
    return open_whisper("whisper-base", whisper_base, "float32")


@pytest.mark.parametrize("norm", ["group", "layer"])
@pytest.mark.parametrize("model", [Wav2Vec2Model, HubertModel, WavLMModel])
def test_waveform_encoder_gives_every_layer_and_no_padding(model, norm, make_audio):
    encoder = waveform_encoder(model, norm)
    audio = [make_audio(seconds, seed) for seed, seconds in enumerate(SECONDS)]
    together = encoder.encode(audio)
    for waveform, states in zip(audio, together):
        [alone] = encoder.encode([waveform])
        np.testing.assert_allclose(states, alone, atol=2e-5)
        values = encoder.extractor(waveform, sampling_rate=RATE, return_tensors="pt").input_values
        with torch.no_grad():
            theirs = encoder.network(values).last_hidden_state[0].numpy()
        np.testing.assert_allclose(alone[-1], theirs, atol=2e-5)
    assert encoder.layers == len(together[0]) == 3
    assert encoder.frame_seconds == 0.02
    assert not np.allclose(together[1][0], together[1][2])


@pytest.mark.parametrize("pad_to_window", [False, True])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("bfloat16", 0.01)])
def test_mel_encoder_alone_equals_any_batch(tiny_model, make_audio, dtype, tolerance, pad_to_window):
    """Pooled, relative to their norm."""
    encoder = mel_encoder(tiny_model.to(getattr(torch, dtype)), pad_to_window=pad_to_window)
    audio = [make_audio(seconds, seed) for seed, seconds in enumerate(SECONDS)]
    for waveform, states in zip(audio, encoder.encode(audio)):
        [alone] = encoder.encode([waveform])
        assert states.shape == (3, -(-len(waveform) // 320), 16) == alone.shape
        error = np.linalg.norm(states.mean(1) - alone.mean(1), axis=-1)
        assert (error <= tolerance * np.linalg.norm(alone.mean(1), axis=-1)).all()


def test_embed_equals_the_models_own(tiny_checkpoint, make_audio, tmp_path):
    """Windows, weights and layer, also of a clip that ends in a window under 25 ms."""
    encoder = open_encoder(str(tiny_checkpoint), "float32")
    rows = make_rows([make_audio(62.0), make_audio(1.3), make_audio(30.02)])
    pooled = embed(encoder, rows, tmp_path).pooled
    model = UniWhisperModel.from_pretrained(tiny_checkpoint, dtype=torch.float32).eval()
    extract = UniWhisperFeatureExtractor.from_pretrained(tiny_checkpoint)
    for number, row in enumerate(rows):
        features = extract(load_audio(row["audio"]["bytes"]), sampling_rate=RATE)
        for layer in range(3):
            expected = model.embed(**features, layer=layer).embeddings[0].numpy()
            np.testing.assert_allclose(pooled[number, layer], expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_cut_whisper_on_a_full_window_equals_transformers(whisper_base, real_whisper, make_audio):
    """As `tests/modeling_uniwhisper/test_whisper.py` holds the network against it, through the whole encoder."""
    from training.ctranslate2 import load_whisper

    audio = make_audio(30.0)
    [states] = real_whisper.encode([audio])
    features = WhisperFeatureExtractor()(audio, sampling_rate=RATE, return_tensors="pt").input_features
    theirs = load_whisper(whisper_base).model.encoder(features, output_hidden_states=True).hidden_states
    assert states.shape == (7, 1500, 512)
    for ours, expected in zip(states, theirs, strict=True):
        np.testing.assert_allclose(ours, expected[0].numpy(), atol=1e-3)


def test_real_whisper_in_bfloat16_in_any_batch(whisper_base, real_whisper, make_audio):
    """Pooled features point the same way alone, in a batch and in float32."""
    encoder = open_whisper("whisper-base", whisper_base, "bfloat16")
    audio = [make_audio(seconds, seed) for seed, seconds in enumerate((0.5, 1.7, 3.0))]
    together = encoder.encode(audio)
    for waveform, states, exact in zip(audio, together, real_whisper.encode(audio)):
        one, two, three = (s.mean(1) for s in (encoder.encode([waveform])[0], states, exact))
        for other, limit in ((two, 0.9999), (three, 0.9995)):
            cosine = (one * other).sum(-1) / np.linalg.norm(one, axis=-1) / np.linalg.norm(other, axis=-1)
            assert cosine.min() > limit
    assert encoder.fingerprint != real_whisper.fingerprint


@torch.no_grad()
def test_padded_whisper_pools_real_frames_only(tmp_path, make_audio):
    set_seed(0)
    config = WhisperConfig(
        d_model=16,
        encoder_layers=1,
        encoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_layers=1,
        decoder_attention_heads=2,
        decoder_ffn_dim=32,
        vocab_size=99,
        pad_token_id=0,
    )
    whisper = WhisperModel(config).eval()
    whisper.save_pretrained(tmp_path)
    audio = make_audio(1.5)
    features = WhisperFeatureExtractor()(audio, sampling_rate=RATE, return_tensors="pt").input_features
    theirs = whisper.encoder(features).last_hidden_state[0].numpy()
    padded = open_whisper("tiny", tmp_path, "float32", pad_to_window=True)
    cut = open_encoder(str(tmp_path), "float32")
    [[_, of_padded]], [[_, of_cut]] = padded.encode([audio]), cut.encode([audio])
    np.testing.assert_allclose(of_padded, theirs[:75], atol=1e-4)
    assert of_cut.shape == of_padded.shape and not np.allclose(of_cut, of_padded, atol=1e-3)
    assert cut.fingerprint != padded.fingerprint


def test_log_mel_is_the_baseline(make_audio):
    audio = [make_audio(seconds, seed) for seed, seconds in enumerate(SECONDS)]
    expected = mean_log_mel(UniWhisperFeatureExtractor()(audio, sampling_rate=RATE))
    pooled = [states[0].mean(0) for states in LogMel().encode(audio)]
    np.testing.assert_allclose(pooled, expected, atol=1e-5)


def test_remote_encoder_takes_waveforms_one_by_one(make_audio):
    """Hidden states of Dasheng: one tensor, 40 ms a frame."""

    class Network(torch.nn.Linear):
        config, dtype, device = SimpleNamespace(to_dict=lambda: {}), torch.float32, "cpu"

        def forward(self, input_values):
            assert len(input_values) == 1
            frames = input_values[:, : input_values.shape[1] // 640 * 640].unflatten(1, (-1, 640))
            return SimpleNamespace(hidden_states=super().forward(frames))

    class Extractor:
        def to_dict(self):
            return {}

        def __call__(self, waveform, sampling_rate, return_tensors):
            return {"input_values": torch.from_numpy(waveform)[None]}

    encoder = RemoteEncoder("dasheng", Network(640, 4), Extractor())
    assert encoder.layers == 1 and encoder.frame_seconds == 0.04
    assert [states.shape for states in encoder.encode([make_audio(1.0), make_audio(2.0)])] == [(1, 25, 4), (1, 50, 4)]


def test_a_model_that_hides_its_layers_is_named(tmp_path):
    encoder = waveform_encoder(Wav2Vec2Model, "layer")
    encoder.network.save_pretrained(tmp_path / "mute")
    encoder.extractor.save_pretrained(tmp_path / "mute")
    with pytest.raises(ValueError, match="mute gives no hidden_states"):
        open_encoder(str(tmp_path / "mute"), "float32", trust_remote_code=True)


def test_yamnet(make_audio):
    encoder = Yamnet()
    audio = [make_audio(0.3), make_audio(2.0, 1)]
    [short, long] = encoder.encode(audio)
    assert short.shape == (1, 1, 1024) and long.shape == (1, 4, 1024)
    assert short.min() >= 0 and short.max() > 0.1  # after a ReLU
    [again] = encoder.encode(audio[1:])
    np.testing.assert_array_equal(long, again)


def test_sound_tags_are_those_of_the_sound():
    tagger, examples = SoundTagger(), Path("spaces/uniwhisper/examples")
    heard = {name: tagger(load_audio(examples / f"{name}.flac")) for name in ("lion", "level_crossing", "phone_french")}
    assert all(0 < len(tags) <= 3 and "silence" not in tags for tags in heard.values())
    assert "roar" in heard["lion"] and "train" in heard["level_crossing"] and "speech" in heard["phone_french"]
    assert tagger(load_audio(examples / "lion.flac"), limit=1) == heard["lion"][:1]


def test_yamnets_patches():
    counts = {1: 1, PATCH_SAMPLES: 1, PATCH_SAMPLES + 1: 2, PATCH_SAMPLES + 7680: 2, PATCH_SAMPLES + 7681: 3}
    assert {samples: len(patches(np.zeros(samples, np.float32))) for samples in counts} == counts
    low, high = (2595 * np.log10(1 + hertz / 700) for hertz in (125, 7500))
    centre = 700 * (10 ** ((low + 30 * (high - low) / 65) / 2595) - 1)  # of the 30th of 64 HTK mels
    tone = 0.5 * np.sin(2 * np.pi * centre * np.arange(2 * RATE) / RATE).astype(np.float32)
    first = patches(tone)[0]
    assert first.shape == (96, 64) and first.dtype == np.uint8
    assert (first.argmax(1) == 29).all()
    assert (patches(np.zeros(RATE, np.float32)) == 0).all()
    assert another_output("ab") == bytes([7 << 3 | 2, 6, 12 << 3 | 2, 4, 1 << 3 | 2, 2]) + b"ab"


def test_embed_keeps_the_order_and_the_frames(rows, tmp_path):
    fake = Fake()
    embedded = embed(fake, rows, tmp_path, layer=1)
    assert embedded.pooled.shape == (5, 2, 2) and embedded.pooled.dtype == np.float32
    for row, pooled, frames in zip(rows, *embedded):
        audio = load_audio(row["audio"]["bytes"])
        audio = audio[: len(audio) // 160 * 160]
        # Windows of 1 s and a rest: each counts by its duration.
        np.testing.assert_allclose(pooled[:, 0], [audio.mean(), 2 * audio.mean()], atol=1e-6)
        assert frames.dtype == np.float16
        np.testing.assert_allclose(frames[:, 0], 2 * audio.reshape(-1, 160).mean(1), atol=1e-3)
    assert max(fake.seconds) == 1.0


def test_second_time_is_read(rows, tmp_path):
    first, second = Fake(), Fake()
    before, after = (embed(encoder, rows, tmp_path) for encoder in (first, second))
    assert first.seconds and not second.seconds
    np.testing.assert_array_equal(before.pooled, after.pooled)
    frames = embed(second, rows, tmp_path, layer=0)
    assert second.seconds
    np.testing.assert_array_equal(before.pooled, frames.pooled)
    again = embed(Fake(dies_after=0), rows, tmp_path, layer=0)
    assert [len(clip) for clip in again.frames] == [len(clip) for clip in frames.frames]


def test_killed_run_goes_on(rows, tmp_path, monkeypatch):
    monkeypatch.setattr(embed_module, "SHARD_SECONDS", 2.5)
    killed = Fake(dies_after=3)
    with pytest.raises(Killed):
        embed(killed, rows, tmp_path)
    assert killed.seconds
    rest = Fake()
    resumed = embed(rest, rows, tmp_path)
    assert 0 < sum(rest.seconds) < sum(SECONDS) - 0.3
    np.testing.assert_array_equal(resumed.pooled, embed(Fake(), rows, tmp_path / "other").pooled)
    assert not list(tmp_path.rglob("*.partial"))


def test_frames_asked_for_later_lose_nothing(rows, tmp_path, monkeypatch):
    """Even where that run is killed and its shards are cut otherwise."""
    before = embed(Fake(), rows, tmp_path)
    monkeypatch.setattr(embed_module, "SHARD_SECONDS", 2.5)
    with pytest.raises(Killed):
        embed(Fake(dies_after=2), rows, tmp_path, layer=0)
    after = embed(Fake(dies_after=0), rows, tmp_path)
    np.testing.assert_array_equal(before.pooled, after.pooled)
    rest = Fake()
    assert len(embed(rest, rows, tmp_path, layer=0).frames) == 5
    assert sum(rest.seconds) == pytest.approx(sum(SECONDS) - 0.31 - 0.9)


def test_other_encoder_or_dataset_is_not_read_from_the_cache(make_audio, tmp_path):
    audio = [make_audio(0.5), make_audio(0.7, 1)]
    changed = [audio[0], audio[1] * np.float32(0.999)]
    embed(Fake(), make_rows(audio), tmp_path)
    for encoder, other in [
        (Fake("two"), make_rows(audio)),
        (Fake(), make_rows(changed)),
        (Fake(), make_rows(audio[::-1])),
        (Fake(), make_rows(audio[:1])),
    ]:
        embed(encoder, other, tmp_path)
        assert encoder.seconds
    relabelled = Fake()
    embed(relabelled, make_rows(audio, label="b"), tmp_path)
    assert not relabelled.seconds


def test_fingerprint_is_of_all_that_decides_and_of_nothing_else(tiny_model, tiny_checkpoint, tmp_path):
    model = tiny_model.model
    seen = {mel_encoder(tiny_model).fingerprint}
    for options in ({"tail_seconds": 0.1}, {"window_seconds": 10.0}, {"pad_to_window": True}):
        seen.add(mel_encoder(tiny_model, **options).fingerprint)
    with torch.no_grad():
        model.encoder.layers[0].fc1.weight[0, 0] += 1e-3
    seen.add(mel_encoder(tiny_model).fingerprint)
    model.encoder.config.num_attention_heads = 4
    seen.add(mel_encoder(tiny_model).fingerprint)
    seen.add(mel_encoder(tiny_model.to(torch.bfloat16)).fingerprint)
    assert len(seen) == 7

    moved = tmp_path / "elsewhere"
    shutil.copytree(tiny_checkpoint, moved)
    first, second = (open_encoder(str(folder), "float32") for folder in (tiny_checkpoint, moved))
    assert first.fingerprint == second.fingerprint and second.name == "elsewhere"
    settings = json.loads((moved / "processor_config.json").read_text())
    settings["feature_extractor"]["tail_seconds"] = 1.0
    (moved / "processor_config.json").write_text(json.dumps(settings))
    assert open_encoder(str(moved), "float32").fingerprint != first.fingerprint


def test_errors_name_the_row(make_audio, tmp_path):
    rows = make_rows([make_audio(0.5), make_audio(0.01)])
    with pytest.raises(AudioError, match=r"row 1 \(a1.flac\).*25 ms"):
        embed(Fake(), rows, tmp_path)
    with pytest.raises(ValueError, match="layer is 2, but fake has layers 0 to 1"):
        embed(Fake(), rows, tmp_path, layer=2)

    class Loud(Fake):
        def encode(self, waveforms):
            return [1e5 * states for states in super().encode(waveforms)]

    with pytest.raises(ValueError, match="fake gives row 0 values that"):
        embed(Loud(), rows.select([0]), tmp_path, layer=0)


def test_batches_hold_like_lengths(monkeypatch):
    monkeypatch.setattr(embed_module, "BATCH_SECONDS", 8.0)
    lengths = [*np.random.default_rng(0).integers(1, 4 * RATE, 50).tolist(), 9 * RATE]
    found = list(batches(lengths))
    assert sorted(place for batch in found for place in batch) == list(range(51))
    assert found[-1] == [50]
    assert all(len(batch) * max(lengths[place] for place in batch) <= 8 * RATE for batch in found[:-1])
    padded = sum(len(batch) * max(lengths[place] for place in batch) for batch in found)
    assert padded < 1.4 * sum(lengths)
    assert list(batches([])) == []


def test_unknown_encoders_are_refused(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "dasheng"}))
    with pytest.raises(ValueError, match=r"is a dasheng, but only .* needs a class in metrics/probe/encoders\.py"):
        open_encoder(str(tmp_path))
    with pytest.raises(WeightsError, match="neither a folder nor a Hub id"):
        open_encoder("whisper-bass")


def test_folder_of_wav2vec2(tmp_path):
    encoder = waveform_encoder(Wav2Vec2Model, "layer")
    encoder.network.save_pretrained(tmp_path)
    encoder.extractor.save_pretrained(tmp_path)
    opened = open_encoder(str(tmp_path))
    assert opened.network.dtype == torch.float32
    assert opened.fingerprint == encoder.fingerprint


def test_xares_contract(tiny_checkpoint, monkeypatch, make_audio):
    """What X-ARES's loader and its `check_audio_encoder` ask for."""
    monkeypatch.setenv("UNIWHISPER_MODEL", str(tiny_checkpoint))
    module = importlib.import_module("metrics.probe.xares_encoder")
    [name] = [name for name in dir(module) if name.endswith("Encoder")]
    encoder = getattr(module, name)()
    assert isinstance(encoder, torch.nn.Module) and type(encoder).__name__ == name
    assert encoder.sampling_rate == RATE
    encoded = encoder(torch.randn(2, 50_000))
    assert encoded.shape == (2, -(-50_000 // 320), encoder.output_dim)
    assert encoded.shape[1] == pytest.approx(50 / 16 * 1000 / encoder.hop_size_in_ms, abs=1)
    encoded.detach().numpy()

    audio = torch.from_numpy(make_audio(61.0))
    [frames] = encoder(audio)
    own = encoder.model.embed(**encoder.extractor(audio, sampling_rate=RATE))
    assert len(frames) == 61 * 50
    torch.testing.assert_close(frames.mean(0), own.embeddings[0], atol=1e-5, rtol=1e-4)
    assert encoder(torch.zeros(1, 600 * RATE)).shape == (1, 30_000, 16)


def test_efficiency_measures_both_arms(tiny_model, rows):
    theirs = WhisperEncoder(WhisperConfig(d_model=16, encoder_layers=1, encoder_attention_heads=2, encoder_ffn_dim=32))
    result = probe_embedding.measure(mel_encoder(tiny_model), theirs.eval(), rows, repeats=1)
    assert result["clips"] == 5 and result["audio_seconds"] == pytest.approx(sum(SECONDS), abs=0.1)
    assert result["times_real_time"].keys() == {"ours", "xares"}
    pooled = probe_embedding.xares_way(theirs.eval(), rows)
    assert pooled.shape == (5, 16)
