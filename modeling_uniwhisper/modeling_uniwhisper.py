"""UniWhisper: one Whisper encoder that embeds any audio, and a language model that answers about it.

- `UniWhisperEncoder`: Whisper's encoder on windows of any length up to 30 s, padding masked.
- `UniWhisperModel`: encoder and adapter; `embed` gives vectors, `get_audio_features` audio tokens.
- `UniWhisperForConditionalGeneration`: the audio tokens inside a causal language model's prompt.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import nn
from transformers import AutoModelForCausalLM, GenerationMixin, PreTrainedModel
from transformers.activations import ACT2FN
from transformers.cache_utils import Cache
from transformers.masking_utils import create_bidirectional_mask
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_outputs import BaseModelOutput, BaseModelOutputWithPooling, CausalLMOutputWithPast
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.utils import ModelOutput

from .configuration_uniwhisper import (
    ENCODER_FRAME_RATE,
    UniWhisperConfig,
    UniWhisperEncoderConfig,
    frames_per_audio_token,
    num_audio_tokens,
)
from .thin_decoder import decoder_of
from .token_pruning import Frame, pruning

ENCODER_VARIANT = "encoder"  # a full checkpoint holds its encoder and adapter a second time under this name
WINDOWS_PER_BATCH = 8  # windows encoded at once at inference: bounds memory on hours of audio
FRAMES_STACKED = 2  # encoder frames that the adapter joins first: 50 -> 25 Hz


def eager_attention_forward(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    dropout: float = 0.0,
    **kwargs,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Plain softmax attention on `(batch, heads, length, head_dim)`, returned as `(batch, length, heads, head_dim)`."""
    weights = query @ key.transpose(2, 3) * scaling
    if attention_mask is not None:
        weights = weights + attention_mask
    weights = nn.functional.dropout(weights.softmax(-1), p=dropout, training=module.training)
    return (weights @ value).transpose(1, 2).contiguous(), weights


def cpu_attention_forward(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    **kwargs,
) -> tuple[torch.Tensor, None]:
    """SDPA for bfloat16 inference on CPU, as precise as PyTorch's kernel and a third faster (AVX-512, no AMX).

    One head of one window at a time, whose scores fit the cache; padding keys are left out, not masked.
    """
    windows = []
    for window, (q, k, v) in enumerate(zip(query * scaling, key, value)):
        if attention_mask is not None:
            real = attention_mask[window, 0, 0]
            k, v = k[:, real], v[:, real]
        windows.append(torch.stack([(qh @ kh.T).softmax(-1) @ vh for qh, kh, vh in zip(q, k, v)], dim=1))
    return torch.stack(windows), None


class UniWhisperAttention(nn.Module):
    """Bidirectional self-attention with Whisper's projections (the key has no bias)."""

    is_causal = False

    def __init__(self, config: UniWhisperEncoderConfig):
        super().__init__()
        self.config = config
        self.head_dim = config.hidden_size // config.num_attention_heads
        self.scaling = self.head_dim**-0.5
        self.dropout = config.attention_dropout
        self.k_proj = nn.Linear(config.hidden_size, config.hidden_size, bias=False)
        self.v_proj = nn.Linear(config.hidden_size, config.hidden_size)
        self.q_proj = nn.Linear(config.hidden_size, config.hidden_size)
        self.out_proj = nn.Linear(config.hidden_size, config.hidden_size)

    def forward(self, hidden_states: torch.Tensor, attention_mask: torch.Tensor | None, **kwargs) -> torch.Tensor:
        shape = (*hidden_states.shape[:-1], -1, self.head_dim)
        attention: Callable = ALL_ATTENTION_FUNCTIONS.get_interface(
            self.config._attn_implementation, eager_attention_forward
        )
        infers = not (torch.is_grad_enabled() or torch.compiler.is_compiling())
        is_bfloat16_on_cpu = hidden_states.dtype == torch.bfloat16 and hidden_states.device.type == "cpu"
        if self.config._attn_implementation == "sdpa" and infers and is_bfloat16_on_cpu:
            attention = cpu_attention_forward
        output, _ = attention(
            self,
            self.q_proj(hidden_states).view(shape).transpose(1, 2),
            self.k_proj(hidden_states).view(shape).transpose(1, 2),
            self.v_proj(hidden_states).view(shape).transpose(1, 2),
            attention_mask,
            dropout=self.dropout if self.training else 0.0,
            scaling=self.scaling,
            **kwargs,
        )
        return self.out_proj(output.reshape(*hidden_states.shape[:-1], -1))


class UniWhisperEncoderLayer(GradientCheckpointingLayer):
    """Whisper's pre-norm transformer layer."""

    def __init__(self, config: UniWhisperEncoderConfig):
        super().__init__()
        self.dropout = config.dropout
        self.self_attn = UniWhisperAttention(config)
        self.self_attn_layer_norm = nn.LayerNorm(config.hidden_size)
        self.activation_fn = ACT2FN[config.activation_function]
        self.fc1 = nn.Linear(config.hidden_size, config.intermediate_size)
        self.fc2 = nn.Linear(config.intermediate_size, config.hidden_size)
        self.final_layer_norm = nn.LayerNorm(config.hidden_size)

    def forward(self, hidden_states: torch.Tensor, attention_mask: torch.Tensor | None, **kwargs) -> torch.Tensor:
        attended = self.self_attn(self.self_attn_layer_norm(hidden_states), attention_mask, **kwargs)
        hidden_states = hidden_states + nn.functional.dropout(attended, self.dropout, self.training)
        expanded = self.activation_fn(self.fc1(self.final_layer_norm(hidden_states)))
        return hidden_states + nn.functional.dropout(self.fc2(expanded), self.dropout, self.training)


class UniWhisperPreTrainedModel(PreTrainedModel):
    """What the three classes share."""

    config: UniWhisperConfig
    config_class = UniWhisperConfig
    base_model_prefix = "model"
    main_input_name = "input_features"
    input_modalities: tuple[str, ...] = ("audio", "text")
    supports_gradient_checkpointing = True
    _no_split_modules = ["UniWhisperEncoderLayer"]
    _skip_keys_device_placement = ["past_key_values"]
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_attention_backend = True


class UniWhisperEncoder(UniWhisperPreTrainedModel):
    """Whisper's encoder without its fixed 30 s input; state-dict names are `WhisperEncoder`'s.

    On full 30 s windows it computes what `transformers.models.whisper.WhisperEncoder` computes.
    """

    config: UniWhisperEncoderConfig
    config_class = UniWhisperEncoderConfig
    base_model_prefix = "encoder"
    input_modalities = ("audio",)

    def __init__(self, config: UniWhisperEncoderConfig):
        super().__init__(config)
        self.conv1 = nn.Conv1d(config.num_mel_bins, config.hidden_size, kernel_size=3, padding=1)
        self.conv2 = nn.Conv1d(config.hidden_size, config.hidden_size, kernel_size=3, stride=2, padding=1)
        self.embed_positions = nn.Embedding(config.max_source_positions, config.hidden_size)
        self.layers = nn.ModuleList(UniWhisperEncoderLayer(config) for _ in range(config.num_hidden_layers))
        self.layer_norm = nn.LayerNorm(config.hidden_size)
        self.gradient_checkpointing = False
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        return self.conv1

    def forward(
        self,
        input_features: torch.Tensor,
        input_features_mask: torch.Tensor | None = None,
        num_layers: int | None = None,
        output_hidden_states: bool = False,
        **kwargs,
    ) -> BaseModelOutput:
        """Encode windows.

        Args:
            input_features: log-mel `(windows, mels, mel frames)`, zero where masked.
            input_features_mask: 1 where the encoder may attend `(windows, mel frames)`; all if not given.
            num_layers: stop after this many layers; the last layer's output alone is normalised.
            output_hidden_states: also return each layer's output, the embedded input first.

        Returns `last_hidden_state` `(windows, mel frames / 2, hidden size)`.
        """
        mels, limit = input_features.shape[-1], 2 * self.config.max_source_positions
        if mels > limit or mels % 2:
            raise ValueError(f"a window has {mels} mel frames, but the encoder takes an even number up to {limit}")
        depth = len(self.layers) if num_layers is None else num_layers

        hidden_states = nn.functional.gelu(self.conv1(input_features.to(self.conv1.weight.dtype)))
        hidden_states = nn.functional.gelu(self.conv2(hidden_states)).transpose(1, 2)
        hidden_states = hidden_states + self.embed_positions.weight[: mels // 2]
        hidden_states = nn.functional.dropout(hidden_states, self.config.dropout, self.training)

        mask = None if input_features_mask is None else input_features_mask[:, ::2]
        mask = create_bidirectional_mask(config=self.config, inputs_embeds=hidden_states, attention_mask=mask)
        all_hidden_states = [hidden_states]
        for layer in self.layers[:depth]:
            hidden_states = layer(hidden_states, mask, **kwargs)
            all_hidden_states.append(hidden_states)
        if depth == len(self.layers):
            hidden_states = all_hidden_states[-1] = self.layer_norm(hidden_states)
        return BaseModelOutput(
            last_hidden_state=hidden_states,
            hidden_states=tuple(all_hidden_states) if output_hidden_states else None,
        )


class UniWhisperAdapter(nn.Module):
    """Turns encoder frames into audio tokens at any of the configured rates with the same weights.

    Pairs of frames are stacked and projected; a token is the mean of the hidden pairs in its span.
    Each rate has an embedding for each place in the span, added before the nonlinearity, so that a
    slow token still knows the order of what it holds. The output is scaled like the decoder's own
    token embeddings.
    """

    def __init__(self, config: UniWhisperConfig):
        super().__init__()
        spans = [frames_per_audio_token(rate, config.audio_token_rates) for rate in config.audio_token_rates]
        self.pairs_per_token = [span // FRAMES_STACKED for span in spans]
        self.linear_in = nn.Linear(FRAMES_STACKED * config.audio_config.hidden_size, config.adapter_hidden_size)
        self.places = nn.Embedding(sum(self.pairs_per_token), config.adapter_hidden_size)
        self.linear_out = nn.Linear(config.adapter_hidden_size, config.text_config.hidden_size)
        self.norm = nn.RMSNorm(config.text_config.hidden_size, eps=1e-6)

    def forward(
        self, hidden_states: torch.Tensor, window_frames: torch.Tensor, frames_per_token: int
    ) -> list[torch.Tensor]:
        """Audio tokens `(tokens, text hidden size)` of each window.

        Args:
            hidden_states: encoder output `(windows, frames, hidden size)`.
            window_frames: frames that hold audio `(windows,)`; later ones are left out.
            frames_per_token: encoder frames a token stands for.
        """
        windows, frames, _ = hidden_states.shape
        pairs = frames_per_token // FRAMES_STACKED
        real = torch.arange(frames, device=hidden_states.device) < window_frames[:, None]
        hidden_states = hidden_states * real[..., None]
        hidden_states = nn.functional.pad(hidden_states, (0, 0, 0, -frames % frames_per_token))
        real = nn.functional.pad(real, (0, -frames % frames_per_token))[:, ::FRAMES_STACKED]

        first = sum(self.pairs_per_token[: self.pairs_per_token.index(pairs)])
        hidden = self.linear_in(hidden_states.reshape(windows, -1, pairs, self.linear_in.in_features))
        hidden = nn.functional.gelu(hidden + self.places.weight[first : first + pairs])
        weights = real.reshape(windows, -1, pairs, 1).to(hidden.dtype)
        hidden = (hidden * weights).sum(2) / weights.sum(2).clamp(min=1)
        tokens = self.norm(self.linear_out(hidden))
        lengths = num_audio_tokens(window_frames, frames_per_token).tolist()
        return [window[:length] for window, length in zip(tokens, lengths)]


@dataclass
class UniWhisperEmbedding(ModelOutput):
    """What [`UniWhisperModel.embed`] returns.

    Args:
        embeddings: one vector for each audio `(audios, hidden size)`, windows weighted by duration.
        window_embeddings: the mean of each window's real frames `(windows, hidden size)`.
        window_starts: seconds from the start of its audio `(windows,)`.
        window_ends: seconds from the start of its audio `(windows,)`.
    """

    embeddings: torch.Tensor | None = None
    window_embeddings: torch.Tensor | None = None
    window_starts: torch.Tensor | None = None
    window_ends: torch.Tensor | None = None


class UniWhisperModel(UniWhisperPreTrainedModel):
    """The universal audio representation: encoder and adapter, without the language model."""

    input_modalities = ("audio",)

    def __init__(self, config: UniWhisperConfig):
        super().__init__(config)
        self.encoder = UniWhisperEncoder._from_config(config.audio_config)
        self.adapter = UniWhisperAdapter(config)
        self.post_init()

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path, *args, config=None, **kwargs):
        """As usual; of a full checkpoint only the encoder's and the adapter's file is opened."""
        if config is None:
            hub = {
                k: kwargs[k] for k in ("cache_dir", "revision", "token", "local_files_only", "subfolder") if k in kwargs
            }
            config = cls.config_class.from_pretrained(pretrained_model_name_or_path, **hub)
        if "UniWhisperForConditionalGeneration" in (config.architectures or []):
            kwargs.setdefault("variant", ENCODER_VARIANT)
        return super().from_pretrained(pretrained_model_name_or_path, *args, config=config, **kwargs)

    def get_input_embeddings(self) -> nn.Module:
        return self.encoder.get_input_embeddings()

    def forward(
        self, input_features: torch.Tensor, input_features_mask: torch.Tensor | None = None, **kwargs
    ) -> BaseModelOutput:
        """Frame embeddings; see [`UniWhisperEncoder`]."""
        return self.encoder(input_features, input_features_mask, **kwargs)

    def _encode(
        self, input_features: torch.Tensor, mask: torch.Tensor | None, batch_size: int, num_layers: int | None = None
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Encode windows a batch at a time, like lengths together: yields (window indices, hidden states)."""
        if mask is None:
            mask = torch.ones_like(input_features[:, 0], dtype=torch.long)
        lengths = mask.sum(-1)
        for rows in lengths.argsort(stable=True).split(batch_size):
            longest = int(lengths[rows].max())
            batch_mask = mask[rows, :longest].to(self.device)
            features = input_features[rows, :, :longest].to(self.device)
            yield rows, self.encoder(features, batch_mask, num_layers=num_layers).last_hidden_state

    @torch.inference_mode()
    def embed(
        self,
        input_features: torch.Tensor,
        window_frames: torch.Tensor,
        input_features_mask: torch.Tensor | None = None,
        window_starts: torch.Tensor | None = None,
        num_windows: torch.Tensor | None = None,
        layer: int | None = None,
        normalize: bool = False,
        batch_size: int = WINDOWS_PER_BATCH,
    ) -> UniWhisperEmbedding:
        """Vectors for whole recordings and for each of their windows; takes the feature extractor's output.

        Padding and tail silence are not pooled. Only `batch_size` windows are encoded at once, so that
        memory does not grow with length.

        Args:
            layer: encoder layer to read, from 0 (its input) to the last; `config.embedding_layer` if not given.
            normalize: divide every vector by its L2 norm.
        """
        depth = self.config.audio_config.num_hidden_layers
        layer = self.config.embedding_layer if layer is None else layer
        if not 0 <= layer <= depth:
            raise ValueError(f"layer is {layer}, but the encoder has layers 0 to {depth}")
        sums = torch.zeros(len(window_frames), self.config.audio_config.hidden_size)
        for rows, hidden in self._encode(input_features, input_features_mask, batch_size, layer):
            frames = torch.arange(hidden.shape[1]) < window_frames[rows].cpu()[:, None]
            sums[rows] = (hidden.float() * frames[..., None].to(hidden.device)).sum(1).cpu()

        frames = window_frames.cpu()
        audio_of_window = (
            torch.arange(len(frames))
            if num_windows is None
            else torch.arange(len(num_windows)).repeat_interleave(num_windows.cpu())
        )
        audios = int(audio_of_window[-1]) + 1
        totals = torch.zeros(audios, sums.shape[1]).index_add(0, audio_of_window, sums)
        embeddings = totals / torch.zeros(audios).index_add(0, audio_of_window, frames.float())[:, None]
        window_embeddings = sums / frames[:, None]
        if normalize:
            embeddings = nn.functional.normalize(embeddings, dim=-1)
            window_embeddings = nn.functional.normalize(window_embeddings, dim=-1)
        starts = torch.zeros(len(frames)) if window_starts is None else window_starts.cpu()
        return UniWhisperEmbedding(
            embeddings=embeddings,
            window_embeddings=window_embeddings,
            window_starts=starts,
            window_ends=starts + frames / ENCODER_FRAME_RATE,
        )

    def get_audio_features(
        self,
        input_features: torch.Tensor,
        input_features_mask: torch.Tensor | None = None,
        window_frames: torch.Tensor | None = None,
        audio_token_rate: float | None = None,
        **kwargs,
    ) -> BaseModelOutputWithPooling:
        """Audio tokens for the language model: `pooler_output` `(tokens of all windows, text hidden size)`.

        `window_frames` is read from the mask where it is not given. Raises `ValueError` for a rate
        that the config does not list.
        """
        rate = self.config.audio_token_rate if audio_token_rate is None else audio_token_rate
        frames_per_token = frames_per_audio_token(rate, self.config.audio_token_rates)
        if input_features_mask is None:
            input_features_mask = torch.ones_like(input_features[:, 0], dtype=torch.long)
        if window_frames is None:
            window_frames = input_features_mask.sum(-1) // 2
        batch_size = len(input_features) if self.training else WINDOWS_PER_BATCH
        tokens: list[torch.Tensor | None] = [None] * len(input_features)
        for rows, hidden in self._encode(input_features, input_features_mask, batch_size):
            adapted = self.adapter(hidden, window_frames[rows].to(hidden.device), frames_per_token)
            for row, window_tokens in zip(rows.tolist(), adapted):
                tokens[row] = window_tokens
        return BaseModelOutputWithPooling(pooler_output=torch.cat(tokens))


class UniWhisperForConditionalGeneration(UniWhisperPreTrainedModel, GenerationMixin):
    """Answers in text about audio: the language model reads audio tokens where placeholders stand."""

    main_input_name = "input_ids"

    def __init__(self, config: UniWhisperConfig):
        super().__init__(config)
        self.model = UniWhisperModel._from_config(config)
        self.language_model = AutoModelForCausalLM.from_config(config.text_config)
        self.post_init()

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path, *args, output_loading_info: bool = False, **kwargs):
        """As usual, but a checkpoint without some of the weights is refused, not filled with random ones."""
        model, info = super().from_pretrained(pretrained_model_name_or_path, *args, output_loading_info=True, **kwargs)
        if info["missing_keys"]:
            raise ValueError(
                f"{pretrained_model_name_or_path} lacks {len(info['missing_keys'])} tensors of the whole model, "
                f"such as {min(info['missing_keys'])}: make a whole checkpoint with `python -m training.assemble`"
            )
        return (model, info) if output_loading_info else model

    def save_pretrained(self, save_directory, is_main_process: bool = True, state_dict: dict | None = None, **kwargs):
        """As usual, plus the encoder and adapter alone, which `UniWhisperModel.from_pretrained` opens.

        `config.json` names a class for each Auto class, of which transformers would write only the last.
        """
        part = state_dict and {k.removeprefix("model."): v for k, v in state_dict.items() if k.startswith("model.")}
        self.model.save_pretrained(save_directory, is_main_process, part, variant=ENCODER_VARIANT)
        module = __name__.rpartition(".")[2]
        self.config.auto_map = {
            "AutoModel": f"{module}.UniWhisperModel",
            "AutoModelForMultimodalLM": f"{module}.UniWhisperForConditionalGeneration",
            "AutoModelForSeq2SeqLM": f"{module}.UniWhisperForConditionalGeneration",
        }
        super().save_pretrained(save_directory, is_main_process, state_dict, **kwargs)

    def get_input_embeddings(self) -> nn.Module:
        return self.language_model.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module):
        self.language_model.set_input_embeddings(value)

    def get_output_embeddings(self) -> nn.Module:
        return self.language_model.get_output_embeddings()

    def set_output_embeddings(self, new_embeddings: nn.Module):
        self.language_model.set_output_embeddings(new_embeddings)

    def get_audio_features(self, *args, **kwargs) -> BaseModelOutputWithPooling:
        """Audio tokens; see [`UniWhisperModel.get_audio_features`]."""
        return self.model.get_audio_features(*args, **kwargs)

    def get_placeholder_mask(self, input_ids: torch.Tensor, audio_embeds: torch.Tensor) -> torch.Tensor:
        """Where audio tokens go `(batch, length)`; raises `ValueError` if there is not one place for each."""
        mask = input_ids == self.config.audio_token_id
        if not torch.compiler.is_compiling() and int(mask.sum()) != len(audio_embeds):
            raise ValueError(
                f"the prompt has {int(mask.sum())} audio placeholders, but the audio gives {len(audio_embeds)} tokens: "
                "use the same audio_token_rate in the processor and in the model"
            )
        return mask

    def _check_length(self, input_ids: torch.Tensor) -> None:
        tokens, limit = input_ids.shape[1], self.config.text_config.max_position_embeddings
        if tokens > limit:
            raise ValueError(
                f"the prompt takes {tokens} tokens, but the language model reads at most {limit}: "
                "use a lower audio_token_rate or a shorter recording"
            )

    def forward(
        self,
        input_ids: torch.LongTensor | None = None,
        attention_mask: torch.Tensor | None = None,
        input_features: torch.Tensor | None = None,
        input_features_mask: torch.Tensor | None = None,
        window_frames: torch.Tensor | None = None,
        audio_token_rate: float | None = None,
        audio_embeds: torch.Tensor | None = None,
        position_ids: torch.LongTensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: torch.Tensor | None = None,
        labels: torch.LongTensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | torch.Tensor = 0,
        num_items_in_batch: torch.Tensor | None = None,
        window_starts: torch.Tensor | None = None,
        num_windows: torch.Tensor | None = None,
        **kwargs,
    ) -> CausalLMOutputWithPast:
        """Logits of the next token and, with `labels`, the loss.

        Args:
            input_ids: prompt `(batch, length)` with one `config.audio_token_id` for each audio token.
            input_features: log-mel of all windows, in the placeholders' order `(windows, mels, mel frames)`.
            input_features_mask: 1 where the encoder may attend `(windows, mel frames)`.
            window_frames: encoder frames that hold audio `(windows,)`.
            audio_token_rate: tokens a second; the processor's if the prompt came from it.
            audio_embeds: audio tokens computed before by `get_audio_features`, instead of `input_features`.
            labels: token ids, -100 where nothing is to be learned. In training mode logits are computed
                at the learned positions only: `(learned tokens, vocabulary)`.

        `window_starts` and `num_windows` come with the processor's output and are not used here.
        """
        if inputs_embeds is None:
            if input_ids is None:
                raise ValueError("either input_ids or inputs_embeds is needed")
            self._check_length(input_ids)
            inputs_embeds = self.get_input_embeddings()(input_ids)
            if audio_embeds is None and input_features is not None:
                audio_embeds = self.get_audio_features(
                    input_features, input_features_mask, window_frames, audio_token_rate
                ).pooler_output
            if audio_embeds is None and (past_key_values is None or past_key_values.get_seq_length() == 0):
                audio_embeds = inputs_embeds.new_zeros(0, inputs_embeds.shape[-1])
            if audio_embeds is not None:
                mask = self.get_placeholder_mask(input_ids, audio_embeds)
                inputs_embeds = inputs_embeds.masked_scatter(mask[..., None], audio_embeds.to(inputs_embeds))

        targets = None if labels is None else nn.functional.pad(labels[:, 1:], (0, 1), value=-100)
        if targets is not None and self.training:
            logits_to_keep = targets != -100
            targets = targets[logits_to_keep]
        outputs = self.language_model(
            inputs_embeds=inputs_embeds,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            use_cache=use_cache,
            logits_to_keep=logits_to_keep,
            **kwargs,
        )
        if targets is not None:
            outputs.loss = self.loss_function(
                logits=outputs.logits,
                labels=None,
                vocab_size=self.config.text_config.vocab_size,
                num_items_in_batch=num_items_in_batch,
                shift_labels=targets,
            )
        return outputs

    def generate(self, *args, audio_token_budget: int | None = None, **kwargs):
        """As usual; with an `audio_token_budget` no row keeps more audio tokens than that after the first two layers.

        They are taken at equal distances; for other ways to choose see [`token_pruning.pruning`].
        """
        if audio_token_budget is None:
            return super().generate(*args, **kwargs)
        with pruning(self, Frame(budget=audio_token_budget, layer=min(2, len(decoder_of(self).layers) - 1))):
            return super().generate(*args, **kwargs)

    def _expand_inputs_for_generation(
        self, expand_size: int = 1, is_encoder_decoder: bool = False, input_ids=None, **model_kwargs
    ):
        """Encode each audio once and give its tokens to all beams of its row."""
        if input_ids is not None:
            self._check_length(input_ids)
        features = model_kwargs.pop("input_features", None)
        mask, frames, rate = (
            model_kwargs.pop(name, None) for name in ("input_features_mask", "window_frames", "audio_token_rate")
        )
        model_kwargs = {k: v for k, v in model_kwargs.items() if k not in ("window_starts", "num_windows")}
        audio_embeds = model_kwargs.pop("audio_embeds", None)
        if audio_embeds is None and features is not None:
            audio_embeds = self.get_audio_features(features, mask, frames, rate).pooler_output
        if audio_embeds is not None:
            per_row = self.get_placeholder_mask(input_ids, audio_embeds).sum(-1).tolist()
            rows = audio_embeds.split(per_row)
        input_ids, model_kwargs = super()._expand_inputs_for_generation(
            expand_size, is_encoder_decoder, input_ids, **model_kwargs
        )
        if audio_embeds is not None:
            model_kwargs["audio_embeds"] = torch.cat([row for row in rows for _ in range(expand_size)])
        return input_ids, model_kwargs

    def prepare_inputs_for_generation(self, *args, is_first_iteration: bool = False, **kwargs):
        inputs = super().prepare_inputs_for_generation(*args, is_first_iteration=is_first_iteration, **kwargs)
        if not is_first_iteration and inputs.get("use_cache", True):
            inputs.pop("audio_embeds", None)
        return inputs


__all__ = [
    "UniWhisperEncoder",
    "UniWhisperForConditionalGeneration",
    "UniWhisperModel",
    "UniWhisperPreTrainedModel",
]
