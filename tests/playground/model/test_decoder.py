"""People's own models: every shape tells the greedy tokens of `generate`, or is refused in a
sentence. Random weights, tiny sizes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, T5ForConditionalGeneration, set_seed

from playground.core.library import QUESTION, Chunk, Core, columns_of
from playground.engine.engine import Engine
from playground.folder.model_folder import ModelFolder
from playground.model.cuda_decoder import CudaDecoder
from playground.model.decoder import open_core
from playground.model.transformers_decoder import TransformersDecoder
from playground.sampling import Settings
from playground.stories.story import Story
from tests.playground.folder.tokenizers_in_the_wild import KINDS, stored

pytestmark = pytest.mark.usefixtures("broken_characters")

VOCABULARY = 320
CONTEXT = 64
PROMPT = "Once upon a time there was a fox"
LENGTH = 16

GPT = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": CONTEXT}
BASE: dict[str, Any] = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "max_position_embeddings": CONTEXT,
}  # fmt: skip
LLAMA = BASE | {"num_key_value_heads": 4}
GROUPED = BASE | {"num_key_value_heads": 2}  # grouped-query attention
SLIDING = GROUPED | {"head_dim": 8, "sliding_window": 8}
EXPERTS = GROUPED | {"num_experts_per_tok": 2, "moe_intermediate_size": 16}
QWEN = {"head_dim": 8}


def rope(kind: str, **values: Any) -> dict[str, Any]:
    """A Llama whose rotary positions are scaled."""
    return LLAMA | {
        "rope_parameters": {"rope_type": kind, "rope_theta": 1e4, "factor": 2.0, **values}
    }


OWN: dict[str, tuple[str, dict[str, Any]]] = {  # decoded by our own loop
    "GPT-2": ("gpt2", GPT),
    "GPT-2 with a wide MLP": ("gpt2", GPT | {"n_inner": 80}),
    "Llama": ("llama", LLAMA),
    "Llama, tied": ("llama", LLAMA | {"tie_word_embeddings": True}),
    "Llama with wide heads": ("llama", LLAMA | {"head_dim": 16}),
    "Llama, grouped": ("llama", GROUPED),
    "Qwen3": ("qwen3", LLAMA | QWEN),
    "Qwen3, grouped": ("qwen3", GROUPED | QWEN),
}
OTHERS: dict[str, tuple[str, dict[str, Any]]] = {  # by transformers
    "GPT-2 without a scale": ("gpt2", GPT | {"scale_attn_weights": False}),
    "GPT-2 with a scale by layer": ("gpt2", GPT | {"scale_attn_by_inverse_layer_idx": True}),
    "GPT-2 with ReLU": ("gpt2", GPT | {"activation_function": "relu"}),
    "Llama with biases": ("llama", LLAMA | {"attention_bias": True}),
    "Llama with MLP biases": ("llama", LLAMA | {"mlp_bias": True}),
    "Llama with GELU": ("llama", LLAMA | {"hidden_act": "gelu"}),
    "Llama, linear positions": ("llama", rope("linear")),
    "Llama, dynamic positions": ("llama", rope("dynamic")),
    "Llama, YaRN": ("llama", rope("yarn", original_max_position_embeddings=32)),
    "Llama 3": ("llama", rope("llama3", low_freq_factor=1.0, high_freq_factor=4.0,
                              original_max_position_embeddings=32)),
    "Qwen2": ("qwen2", GROUPED),
    "Qwen3, sliding": ("qwen3", LLAMA | QWEN | {"use_sliding_window": True, "sliding_window": 8,
                                                "max_window_layers": 0}),
    "Mistral": ("mistral", SLIDING),
    "Mixtral": ("mixtral", GROUPED | {"num_local_experts": 2, "num_experts_per_tok": 1}),
    "Gemma": ("gemma", GROUPED | {"head_dim": 8}),
    "Gemma 2": ("gemma2", SLIDING),
    "Gemma 3": ("gemma3_text", SLIDING),
    "GPT-Neo (TinyStories-33M)": ("gpt_neo", {
        "hidden_size": 32, "num_layers": 2, "num_heads": 4, "intermediate_size": 48,
        "attention_types": [[["global", "local"], 1]], "window_size": 8,
        "max_position_embeddings": CONTEXT}),
    "GPT-NeoX (Pythia)": ("gpt_neox", BASE),
    "GPT-J": ("gptj", GPT | {"rotary_dim": 4}),
    "CodeGen": ("codegen", GPT | {"rotary_dim": 4}),
    "BigCode": ("gpt_bigcode", GPT),
    "OPT": ("opt", {"hidden_size": 32, "word_embed_proj_dim": 32, "ffn_dim": 48,
                    "num_hidden_layers": 2, "num_attention_heads": 4,
                    "max_position_embeddings": CONTEXT}),
    "BLOOM": ("bloom", {"hidden_size": 32, "n_layer": 2, "n_head": 4}),
    "MPT": ("mpt", {"d_model": 32, "n_heads": 4, "n_layers": 2, "max_seq_len": CONTEXT,
                    "expansion_ratio": 2}),
    "Falcon": ("falcon", {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}),
    "Falcon, ALiBi": ("falcon", {"hidden_size": 32, "num_hidden_layers": 2,
                                 "num_attention_heads": 4, "alibi": True}),
    "Phi": ("phi", GROUPED),
    "Phi 3": ("phi3", GROUPED | {"pad_token_id": 0}),
    "StableLM": ("stablelm", GROUPED),
    "StarCoder 2": ("starcoder2", SLIDING),
    "OLMo": ("olmo", GROUPED),
    "OLMo 2": ("olmo2", GROUPED),
    "Cohere": ("cohere", GROUPED),
    "Granite": ("granite", GROUPED),
    "SmolLM 3": ("smollm3", GROUPED | {"pad_token_id": 0}),
    "GLM 4": ("glm4", GROUPED | {"head_dim": 8, "pad_token_id": 0}),
    "BioGPT": ("biogpt", BASE),
    "Nemotron": ("nemotron", GROUPED | {"head_dim": 8}),
    "OLMoE": ("olmoe", EXPERTS | {"num_experts": 4}),
    "Qwen3 MoE": ("qwen3_moe", EXPERTS | QWEN | {"num_experts": 4}),
    "DeepSeek V3": ("deepseek_v3", EXPERTS | {
        "num_key_value_heads": 4, "n_routed_experts": 4, "n_group": 1, "topk_group": 1,
        "first_k_dense_replace": 1, "kv_lora_rank": 8, "q_lora_rank": 8, "qk_rope_head_dim": 4,
        "qk_nope_head_dim": 4, "v_head_dim": 8}),
    "LFM2": ("lfm2", GROUPED | {"layer_types": ["conv", "full_attention"]}),
    "Falcon-H1": ("falcon_h1", GROUPED | {
        "mamba_d_ssm": 32, "mamba_n_heads": 4, "mamba_d_head": 8, "mamba_d_state": 8,
        "mamba_n_groups": 1}),
    "Jamba": ("jamba", GROUPED | {
        "num_experts": 2, "num_experts_per_tok": 1, "attn_layer_period": 2,
        "attn_layer_offset": 1, "expert_layer_period": 2, "expert_layer_offset": 1,
        "mamba_d_state": 8, "mamba_dt_rank": 4, "use_mamba_kernels": False}),
    "Mamba": ("mamba", {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 8}),
    "RWKV": ("rwkv", {"hidden_size": 32, "attention_hidden_size": 32, "num_hidden_layers": 2,
                      "context_length": CONTEXT}),
    "the first GPT": ("openai-gpt", GPT),
}  # fmt: skip
REFUSED = {
    "BERT": ("bert", BASE, "attends to later words"),
    "XLNet": ("xlnet", {"d_model": 32, "n_layer": 2, "n_head": 4, "d_inner": 48}, "not causal"),
    "T5": ("t5", {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4},
           "cannot continue a text"),
}  # fmt: skip
Made = Callable[..., tuple[Path, Any]]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Makes a folder of random weights, large enough to be sure of something, and its model."""

    def make(kind: str, sizes: dict[str, Any], tokenizer: str = "byte-level") -> tuple[Path, Any]:
        set_seed(0)
        opened = stored(KINDS[tokenizer]())
        given = {
            "vocab_size": VOCABULARY, "bos_token_id": 0, "eos_token_id": 0,
            "initializer_range": 0.3,
        } | sizes  # fmt: skip
        config = AutoConfig.for_model(kind, **given)
        made_by = T5ForConditionalGeneration if kind == "t5" else AutoModelForCausalLM.from_config
        model = made_by(config).eval()
        folder = tmp_path / kind
        model.save_pretrained(folder)
        opened.save_pretrained(folder)
        return folder, model

    return make


def greedy(engine: Engine, prompt: str, length: int) -> Story:
    """A story without chance."""
    settings = Settings(temperature=0, length=length, stop_at_end=False)
    return engine.write(prompt, settings).finish()


def check_against_generate(engine: Engine, model: Any, prompt: str, length: int) -> None:
    """The same tokens, and the text that the tokenizer makes of them."""
    story = greedy(engine, prompt, length)
    ids = torch.tensor([[engine.storyteller.bos_id, *story.prompt_ids]])
    with torch.inference_mode():
        theirs = model.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=length,
            min_new_tokens=length, eos_token_id=None, pad_token_id=0,
        )[0, ids.shape[1] :].tolist()  # fmt: skip
    assert [token.token_id for token in story.tokens] == theirs
    whole = engine.storyteller.tokenizer.decode([*story.prompt_ids, *theirs])
    written = engine.storyteller.tokenizer.decode(list(story.prompt_ids))
    written += "".join(token.text for token in story.tokens)
    assert whole.startswith(written)
    assert set(whole[len(written) :]) <= {"\ufffd"}  # a letter that is not whole yet


@pytest.mark.parametrize("name", [*OWN, *OTHERS])
def test_a_shape_tells_what_generate_tells(name: str, made: Made) -> None:
    kind, sizes = (OWN | OTHERS)[name]
    folder, model = made(kind, sizes)
    with Engine(ModelFolder.open(folder, device="cpu"), max_streams=2) as engine:
        assert isinstance(engine.decoder, Core if name in OWN else TransformersDecoder)
        check_against_generate(engine, model, PROMPT, LENGTH)
        # A story that begins alike: the cache goes back, or is filled anew.
        check_against_generate(engine, model, PROMPT[:-4], 8)
        assert engine.context in (CONTEXT, 2_048)  # or as many as are assumed
        assert engine.score(PROMPT).tokens[3].token_id == engine.encode(PROMPT)[3]


@pytest.mark.parametrize("name", OWN)
def test_the_gpu_s_decoder_tells_what_generate_tells(
    name: str, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, model = made(*OWN[name])
    monkeypatch.setattr(
        "playground.engine.engine.open_decoder", lambda storyteller, _: CudaDecoder(storyteller)
    )
    with Engine(ModelFolder.open(folder, device="cpu"), max_streams=2) as engine:
        check_against_generate(engine, model, PROMPT, LENGTH)


ODD = {  # an MLP whose rows end in the middle of a vector register, and heads of odd pairs
    "GPT-2": ("gpt2", GPT | {"n_inner": 682}),
    "Llama": ("llama", LLAMA | {"intermediate_size": 690, "head_dim": 6}),
    "Qwen3": ("qwen3", LLAMA | {"intermediate_size": 1_000, "head_dim": 10}),
}


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("name", ODD)
def test_a_row_of_an_odd_shape_is_the_same_alone_and_among_others(
    name: str, threads: int, made: Made
) -> None:
    decoder = open_core(ModelFolder.open(made(*ODD[name])[0], device="cpu"), threads)
    draws = torch.Generator().manual_seed(1)
    stories = torch.randint(0, VOCABULARY, (64, 5), generator=draws).tolist()
    every = list(range(64))

    def fed(slots: list[int], start: int, stop: int) -> np.ndarray:
        """(stories, tokens) of what is answered about each token from `start` to `stop`."""
        chunks = [Chunk(k, start, stories[k][start:stop], range(stop - start)) for k in slots]
        questions = np.zeros(len(slots) * (stop - start), QUESTION)
        questions["repetition_penalty"], questions["known"], questions["alternatives"] = 1, 7, 10
        return decoder.step(chunks, questions).reshape(len(slots), stop - start)

    decoder.reserve(64, CONTEXT)
    alone = np.stack(
        [np.concatenate([fed([slot], k, k + 1) for k in range(5)], axis=1)[0] for slot in every]
    )
    assert (alone["probability"] > 0).all()
    decoder.reserve(64, CONTEXT)
    assert fed(every, 0, 5).tobytes() == alone.tobytes()
    decoder.reserve(64, CONTEXT)
    for k in range(5):
        assert fed(every, k, k + 1).tobytes() == np.ascontiguousarray(alone[:, k]).tobytes()


def test_the_longest_chunk_comes_first_and_questions_keep_their_order() -> None:
    chunks = [Chunk(5, 9, [1], range(1)), Chunk(2, 0, [7, 8, 9], range(1, 3))]
    assert columns_of(chunks).tolist() == [(7, 2, 0, -1), (8, 2, 1, 1), (9, 2, 2, 2), (1, 5, 9, 0)]
    assert columns_of([]).tolist() == []


@pytest.mark.parametrize("name", REFUSED)
def test_a_model_that_tells_no_stories_is_refused(name: str, made: Made) -> None:
    kind, sizes, reason = REFUSED[name]
    folder, _ = made(kind, sizes)
    with pytest.raises(ValueError, match=reason) as found:
        Engine(ModelFolder.open(folder, device="cpu"))
    assert str(folder) in str(found.value)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("tokenizer", KINDS)
def test_a_story_is_what_its_tokenizer_decodes(tokenizer: str, made: Made) -> None:
    folder, model = made("llama", LLAMA | {"vocab_size": 400, "eos_token_id": 1}, tokenizer)
    with torch.no_grad():  # byte tokens in disorder are not text: nothing is like them
        for row, token in enumerate(stored(KINDS[tokenizer]()).convert_ids_to_tokens(range(400))):
            if token is None or token.startswith("<0x"):
                model.get_output_embeddings().weight[row] = 0
    model.save_pretrained(folder)
    with Engine(ModelFolder.open(folder, device="cpu"), max_streams=1) as engine:
        check_against_generate(engine, model, "the fox and the dog", 30)
        story = greedy(engine, "the fox", 20)
        ids = [*story.prompt_ids, *(token.token_id for token in story.tokens)]
        # What is typed after a story is what stands there: no space comes before it by itself.
        with engine.extend(ids, "x", Settings(length=1, stop_at_end=False)) as stream:
            typed = list(stream)[0]
        assert typed.text.endswith("x") or "[UNK]" in engine.storyteller.tokenizer.get_vocab()
        if tokenizer not in ("words", "WordPiece", "word ends"):  # which put spaces between words
            assert typed.text.lstrip("\ufffd") == "x"


def test_a_window_that_has_slid_is_read_again_after_a_turn(made: Made) -> None:
    folder, model = made("mistral", SLIDING)
    with Engine(ModelFolder.open(folder, device="cpu"), max_streams=1) as engine:
        story = greedy(engine, PROMPT, 40)
        with engine.branch(
            story, 12, 5, Settings(temperature=0, length=8, stop_at_end=False)
        ) as turn:
            ours = [token.token_id for token in turn]
        ids = [0, *story.prompt_ids, *(token.token_id for token in story.tokens[:12]), 5]
        with torch.inference_mode():
            theirs = model.generate(
                torch.tensor([ids]), do_sample=False, max_new_tokens=8, min_new_tokens=8,
                eos_token_id=None, pad_token_id=0,
            )[0, len(ids) :].tolist()  # fmt: skip
        assert ours == [5, *theirs]


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [("num_hidden_layers", 3, "layers.2"), ("hidden_size", 64, "as config.json says"),
     ("num_attention_heads", 3, ""), ("vocab_size", 500, "")],
)  # fmt: skip
@pytest.mark.parametrize("grouped", [False, True])
def test_a_configuration_of_another_model_is_a_sentence(
    key: str, value: int, sentence: str, grouped: bool, made: Made
) -> None:
    folder, _ = made("llama", GROUPED if grouped else LLAMA)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {key: value}))
    try:
        with Engine(ModelFolder.open(folder, device="cpu"), max_streams=1) as engine:
            greedy(engine, PROMPT, 3)  # of another head count, it is some model
    except ValueError as error:
        assert "\n" not in str(error)
        assert sentence in str(error) or grouped


def test_a_tokenizer_of_another_model_is_a_sentence(made: Made) -> None:
    folder, _ = made("llama", LLAMA | {"vocab_size": 100})
    with Engine(ModelFolder.open(folder, device="cpu"), max_streams=1) as engine:
        assert len(greedy(engine, "a", 3).tokens) == 3
        with pytest.raises(ValueError, match="the model does not have"):
            engine.write("the moon and the fox", Settings())
        assert len(greedy(engine, "a", 3).tokens) == 3
    other, _ = made("gpt2", GPT | {"vocab_size": 50})
    for file in folder.glob("tokenizer*"):
        shutil.copy(file, other)
    settings = other / "tokenizer_config.json"
    content = json.loads(settings.read_text()) | {"bos_token": "Z"}
    settings.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="belongs to another model"):
        Engine(ModelFolder.open(other, device="cpu"))
