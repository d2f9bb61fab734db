"""What is where in a recording: the model is asked about each stretch of it, and says how sure it is.

Each stretch is first asked for speech, sound or music, and then for the language, the sound or the instruments. The
answer is the label that the language model is likeliest to say, its confidence that label's share of the likelihood
of all labels offered (as `metrics/probe` scores zero-shot answers). The labels are those that the model was taught.
"""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence
from transformers import DynamicCache

from modeling_uniwhisper.configuration_uniwhisper import ENCODER_FRAME_RATE, frames_per_audio_token
from modeling_uniwhisper.listening import Progress, Recording, prefill

STRETCH_SECONDS = 5.0  # at least, in recordings of that length or more
MOST_STRETCHES = 60  # longer recordings have longer stretches
AUDIO_TOKEN_RATE = 6.25  # that of most of the model's training
STRETCHES_PER_BATCH = 6
MOST_COMPARED = 8  # labels of which the whole likelihood is computed: those that begin likeliest


@dataclass(frozen=True)
class Question:
    """What is asked of a stretch, and the answers offered."""

    text: str
    labels: tuple[str, ...]


DOMAINS = {"speech": "speech", "environmental sound": "sound", "music": "music"}
LANGUAGES = "Czech, Dutch, English, French, Italian, Russian, Spanish"
SOUNDS = (
    "airplane, applause or cheering, bell or gong, bird, bubbles or drops, car or truck, cat, clock, cow, "
    "crash or collapse, dog, door, electric spark, explosion, fire, footsteps, frog, glass breaking, gunshot, hammer, "
    "helicopter, horse, human cry, insect, keyboard, laser, laughter, machine, monster, pig, rain, running water, saw, "
    "sheep, siren or alarm, splash, sword or knife, telephone, thunder, train, vehicle horn, wild animal, wind"
)
INSTRUMENTS = "bass, brass, flute, guitar, organ, piano, reed, strings, synthesizer, tuned percussion"

WHICH_DOMAIN = Question("What kind of audio is this?", tuple(DOMAINS))
FURTHER = {
    "speech": Question("What language is spoken?", tuple(LANGUAGES.split(", "))),
    "sound": Question("What makes this sound?", tuple(SOUNDS.split(", "))),
    "music": Question("Which instrument family plays?", tuple(INSTRUMENTS.split(", "))),
}


@dataclass(frozen=True)
class Stretch:
    """What the model says of a stretch.

    Args:
        start: seconds.
        end: seconds.
        domain: "speech", "sound" or "music".
        domain_confidence: from 0 to 1.
        label: the language, the sound or the instruments.
        label_confidence: from 0 to 1, if the domain is right.
    """

    start: float
    end: float
    domain: str
    domain_confidence: float
    label: str
    label_confidence: float


@torch.inference_mode()
def describe(recording: Recording, progress: Progress = iter) -> list[Stretch]:
    """What each stretch of a recording is, in order and without gaps.

    Args:
        recording: of any length; its encoding is used as it is.
        progress: wraps a sequence of batches, as tqdm does.
    """
    model = recording.model
    heard = torch.cat([frames[:number] for frames, number in zip(recording.frames, recording.window_frames)])
    pieces = heard.tensor_split(min(MOST_STRETCHES, max(1, round(recording.duration / STRETCH_SECONDS))))
    lengths = torch.tensor([len(piece) for piece in pieces], device=heard.device)
    stride = frames_per_audio_token(AUDIO_TOKEN_RATE, model.config.audio_token_rates)
    tokens = model.model.adapter(pad_sequence(pieces, batch_first=True), lengths, stride)
    says = [said for batch in progress(_batches(tokens)) for said in _Ear(recording, batch).describe()]
    ends = [*(lengths.cumsum(0)[:-1] / ENCODER_FRAME_RATE).tolist(), recording.duration]
    return [Stretch(start, end, *said) for start, end, said in zip([0.0, *ends], ends, says)]


def _batches(tokens: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Stretches of the same number of tokens together, so that nothing is padded."""
    return [batch for _, equal in groupby(tokens, len) for batch in torch.stack(list(equal)).split(STRETCHES_PER_BATCH)]


class _Ear:
    """The language model with some stretches in its ear, `audio` `(stretches, tokens, text hidden size)`."""

    def __init__(self, recording: Recording, audio: torch.Tensor):
        self.model, self.processor = recording.model, recording.processor
        before, _ = self._prompt("")
        before = self.model.get_input_embeddings()(before).expand(len(audio), -1, -1)
        self.cache = prefill(self.model, torch.cat([before, audio.to(before)], 1))
        self.rows = torch.arange(len(audio), device=audio.device)

    def describe(self) -> list[tuple[str, float, str, float]]:
        """Domain, label and the confidence in each, for each stretch."""
        domains = [(DOMAINS[name], confidence) for name, confidence in self.answers(WHICH_DOMAIN, self.rows)]
        labels: dict[int, tuple[str, float]] = {}
        for domain, question in FURTHER.items():
            rows = [row for row, (name, _) in enumerate(domains) if name == domain]
            if rows:
                labels |= zip(rows, self.answers(question, self.rows[rows]))
        return [(*domain, *labels[row]) for row, domain in enumerate(domains)]

    def answers(self, question: Question, rows: torch.Tensor) -> Iterator[tuple[str, float]]:
        """The likeliest label of each of `rows` `(rows,)` and its share of the likelihood."""
        cache: DynamicCache = copy.deepcopy(self.cache)
        cache.batch_select_indices(rows)
        _, after = self._prompt(question.text)
        first = self.model(input_ids=after.expand(len(rows), -1), past_key_values=cache, logits_to_keep=1).logits

        tokenizer = self.processor.tokenizer
        labels = [torch.tensor(tokenizer(label + tokenizer.eos_token).input_ids) for label in question.labels]
        labels = pad_sequence(labels, batch_first=True, padding_value=-100).to(rows.device)
        compared = first[:, 0, labels[:, 0]].topk(min(MOST_COMPARED, len(labels))).indices  # (rows, labels compared)
        ids = labels[compared].flatten(0, 1)
        cache.batch_repeat_interleave(compared.shape[1])
        # Padding comes last, so no token that counts sees it.
        said = self.model(input_ids=ids.clamp(min=0), past_key_values=cache).logits
        logits = torch.cat([first.repeat_interleave(compared.shape[1], 0), said[:, :-1]], 1).float()
        losses = cross_entropy(logits.transpose(1, 2), ids, ignore_index=-100, reduction="none").sum(1)
        shares, best = (-losses).view_as(compared).softmax(1).max(1)
        names = compared.gather(1, best[:, None])[:, 0]
        return zip([question.labels[name] for name in names.tolist()], shares.tolist())

    def _prompt(self, question: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Token ids before and after the audio, each `(1, length)`."""
        content = [{"type": "audio"}, {"type": "text", "text": question}]
        prompt = self.processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
        )
        texts = prompt.split(self.processor.audio_token)
        before, after = (self.processor.tokenizer(text, return_tensors="pt")["input_ids"] for text in texts)
        return before.to(self.model.device), after.to(self.model.device)
