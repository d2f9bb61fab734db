"""A checkpoint's answers to rows of a dataset."""

import numpy as np
import torch
from rich.progress import track

from modeling_uniwhisper import UniWhisperForConditionalGeneration, UniWhisperProcessor, load_audio

LABEL_TOKENS, TRANSCRIPT_TOKENS = 16, 96  # longest answers asked for


def answer_rows(
    model: UniWhisperForConditionalGeneration,
    processor: UniWhisperProcessor,
    rows,
    audio_token_rate: float | None = None,
    batch_size: int = 16,
) -> list[str]:
    """One greedy answer for each row's instruction, in the rows' order."""
    answers = [""] * len(rows)
    order = np.argsort(rows["duration"], kind="stable")
    batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    for batch in track(batches, description=rows[0]["task"]):
        chosen = [rows[int(index)] for index in batch]
        conversations = [
            [
                {
                    "role": "user",
                    "content": [
                        {"type": "audio", "audio": load_audio(row["audio"]["bytes"])},
                        {"type": "text", "text": row["instruction"]},
                    ],
                }
            ]
            for row in chosen
        ]
        inputs = processor.apply_chat_template(
            conversations,
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            processor_kwargs={"audio_token_rate": audio_token_rate},
        ).to(model.device, model.dtype)
        limit = LABEL_TOKENS if chosen[0]["label"] else TRANSCRIPT_TOKENS
        with torch.inference_mode():
            generated = model.generate(**inputs, max_new_tokens=limit, do_sample=False)
        texts = processor.batch_decode(generated[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        for index, text in zip(batch, texts):
            answers[index] = text.strip()
    return answers
