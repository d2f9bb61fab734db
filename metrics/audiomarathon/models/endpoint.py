"""A model behind an OpenAI-compatible endpoint that takes audio: OpenAI's own, vLLM, llama.cpp, a gateway."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from time import perf_counter, sleep
from typing import Any

import httpx
import numpy as np
import soundfile

from modeling_uniwhisper.audio_io import SAMPLING_RATE

from . import ModelError, Reply

WAITS = (1, 2, 4, 8, 16, 32)
"""Seconds before each further try."""
TIMEOUT = 600
REFUSED = (400, 413, 422)
"""Of one request, such as audio that is too long; any other failure ends the run."""


class EndpointModel:
    """Asks `POST {url}/chat/completions`, the instructions of a batch at the same time.

    A connection that fails, and a server that is busy or broken (429, 5xx), is tried again, at longer and longer waits.

    Args:
        name: of the model, as the endpoint knows it.
        url: up to and with `/v1`.

    Raises:
        ModelError: it does not answer to a second of silence. So what is refused later is one recording, not the model.
    """

    def __init__(self, name: str, url: str):
        self.name, self.url = name, f"{url.rstrip('/')}/chat/completions"
        key = os.environ.get("OPENAI_API_KEY")
        self.client = httpx.Client(headers={"Authorization": f"Bearer {key}"} if key else {}, timeout=TIMEOUT)
        if refusal := self.ask(np.zeros(SAMPLING_RATE), "Warm up.", 1).error:
            raise ModelError(f"{self.url} does not take audio for {name}: {refusal}")

    def reply(
        self, audios: Sequence[np.ndarray] | None, instructions: Sequence[str], max_new_tokens: int
    ) -> list[Reply]:
        """As `AudioLanguageModel.reply`; what of the audio the model heard, the protocol does not tell."""
        with ThreadPoolExecutor(len(instructions)) as pool:
            return list(pool.map(self.ask, audios or repeat(None), instructions, repeat(max_new_tokens)))

    def ask(self, audio: np.ndarray | None, instruction: str, max_new_tokens: int) -> Reply:
        """Return the reply to one instruction.

        Raises:
            ModelError: the endpoint cannot be reached or used, or goes on failing.
        """
        content: list[dict[str, Any]] = [{"type": "text", "text": instruction}]
        if audio is not None:
            sound = {"data": base64.b64encode(wav(audio)).decode(), "format": "wav"}
            content.insert(0, {"type": "input_audio", "input_audio": sound})
        body = {
            "model": self.name,
            "messages": [{"role": "user", "content": content}],
            "max_tokens": max_new_tokens,
            "temperature": 0,
        }
        answer, seconds = self.post(body)
        heard = 0.0 if audio is None else None
        if answer.status_code in REFUSED:
            return Reply("", seconds, heard, error=f"{answer.status_code}: {answer.text[:300]}")
        try:
            told = answer.json()
            text = told["choices"][0]["message"]["content"]
        except (ValueError, LookupError, TypeError):
            raise ModelError(f"{self.url} does not answer as OpenAI's API does: {answer.text[:300]!r}") from None
        return Reply((text or "").strip(), seconds, heard, (told.get("usage") or {}).get("completion_tokens"))

    def post(self, body: dict[str, object]) -> tuple[httpx.Response, float]:
        """Return the response to `body`, and the seconds that it took, without failed tries."""
        for wait in (*WAITS, None):
            start = perf_counter()
            try:
                answer = self.client.post(self.url, json=body)
            except httpx.TransportError as error:
                failure = str(error) or type(error).__name__
            else:
                if answer.is_success or answer.status_code in REFUSED:
                    return answer, perf_counter() - start
                failure = f"{answer.status_code}: {answer.text[:300]}"
                if answer.status_code != 429 and answer.status_code < 500:
                    break
            if wait:
                sleep(wait)
        raise ModelError(f"{self.url} fails: {failure}")


def wav(audio: np.ndarray) -> bytes:
    """A WAV file, 16 bit, of `(samples,)` at 16 kHz."""
    file = io.BytesIO()
    soundfile.write(file, audio, SAMPLING_RATE, format="WAV", subtype="PCM_16")
    return file.getvalue()
