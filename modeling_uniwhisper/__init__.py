"""UniWhisper: one encoder for speech, sound and music, and a language model that answers about them.

Importing this package registers the classes with transformers' Auto classes, and has saved folders
carry their code, so that `trust_remote_code=True` opens them where the package is not installed.
"""

from transformers import (
    AutoConfig,
    AutoFeatureExtractor,
    AutoModel,
    AutoModelForMultimodalLM,
    AutoModelForSeq2SeqLM,
    AutoProcessor,
)

from .audio_io import AudioError, load_audio
from .configuration_uniwhisper import UniWhisperConfig, UniWhisperEncoderConfig
from .feature_extraction_uniwhisper import UniWhisperFeatureExtractor
from .listening import listen
from .modeling_uniwhisper import UniWhisperEncoder, UniWhisperForConditionalGeneration, UniWhisperModel
from .pipeline_uniwhisper import AudioQuestionAnsweringPipeline
from .processing_uniwhisper import UniWhisperProcessor

AutoConfig.register("uniwhisper", UniWhisperConfig)
AutoConfig.register("uniwhisper_encoder", UniWhisperEncoderConfig)
AutoFeatureExtractor.register(UniWhisperConfig, UniWhisperFeatureExtractor)
AutoProcessor.register(UniWhisperConfig, UniWhisperProcessor)
AutoModel.register(UniWhisperConfig, UniWhisperModel)
AutoModel.register(UniWhisperEncoderConfig, UniWhisperEncoder)
AutoModelForMultimodalLM.register(UniWhisperConfig, UniWhisperForConditionalGeneration)
AutoModelForSeq2SeqLM.register(UniWhisperConfig, UniWhisperForConditionalGeneration)

for saved_with_its_code in (
    UniWhisperConfig,
    UniWhisperEncoderConfig,
    UniWhisperEncoder,
    UniWhisperModel,
    UniWhisperFeatureExtractor,
    UniWhisperProcessor,
):
    saved_with_its_code.register_for_auto_class()
UniWhisperForConditionalGeneration.register_for_auto_class("AutoModelForMultimodalLM")

__all__ = [
    "AudioError",
    "AudioQuestionAnsweringPipeline",
    "UniWhisperConfig",
    "UniWhisperEncoder",
    "UniWhisperEncoderConfig",
    "UniWhisperFeatureExtractor",
    "UniWhisperForConditionalGeneration",
    "UniWhisperModel",
    "UniWhisperProcessor",
    "listen",
    "load_audio",
]
