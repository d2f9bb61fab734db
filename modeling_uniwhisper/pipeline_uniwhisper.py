"""`pipeline("audio-question-answering")`: a recording and a question in, an answer out."""

from pathlib import Path

import numpy as np
from transformers import Pipeline
from transformers.pipelines import PIPELINE_REGISTRY

from .modeling_uniwhisper import UniWhisperForConditionalGeneration

TASK = "audio-question-answering"


class AudioQuestionAnsweringPipeline(Pipeline):
    """Asks about recordings of any length that the language model's context can hold.

    ```python
    pipe = pipeline("audio-question-answering", model="path/to/checkpoint")
    pipe("dog.wav", question="What makes this sound?")  # {"answer": "animal"}
    ```
    """

    _load_processor = True
    _load_image_processor = False
    _load_feature_extractor = False
    _load_tokenizer = False

    def __call__(self, audio: str | Path | np.ndarray | list, question: str, **kwargs) -> dict | list[dict]:
        """Answer `question` about `audio`.

        Args:
            audio: a path, a mono 16 kHz waveform `(samples,)`, or a list of them.
            audio_token_rate: audio tokens a second, as the model's config lists them.
            kwargs: of `generate`, such as `max_new_tokens` (default 64) or `num_beams`.

        Raises:
            AudioError: audio that cannot be read.
            ValueError: an unknown `audio_token_rate`, or more audio than the context holds.
        """
        return super().__call__(audio, question=question, **kwargs)

    def _sanitize_parameters(self, question=None, audio_token_rate=None, **generate):
        return {"question": question, "audio_token_rate": audio_token_rate}, generate, {}

    def preprocess(self, audio, question, audio_token_rate=None):
        content = [{"type": "audio", "audio": audio}, {"type": "text", "text": question}]
        return self.processor.apply_chat_template(
            [{"role": "user", "content": content}],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            processor_kwargs={"audio_token_rate": audio_token_rate},
        )

    def _forward(self, inputs, max_new_tokens: int = 64, **generate):
        generated = self.model.generate(**inputs, max_new_tokens=max_new_tokens, **generate)
        return generated[:, inputs["input_ids"].shape[1] :]

    def postprocess(self, generated):
        return {"answer": self.processor.decode(generated[0], skip_special_tokens=True).strip()}


PIPELINE_REGISTRY.register_pipeline(
    TASK, pipeline_class=AudioQuestionAnsweringPipeline, pt_model=UniWhisperForConditionalGeneration, type="multimodal"
)
