"""Run in the export environment: write small models of the true architectures, with random weights, as their hubs do.

Each has its own trained tokenizer and the settings that decide how its graph looks: ModernBERT's local and global
attention, XLM-RoBERTa's offset positions, CLIP's end-of-text pooling, HTSAT's windows.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import (
    ClapConfig,
    ClapFeatureExtractor,
    ClapModel,
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    ModernBertConfig,
    ModernBertModel,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    XLMRobertaConfig,
    XLMRobertaModel,
)

from include.model_export.reference_texts import TEXTS

VOCABULARY = 600
SPREAD = 0.3  # of random weights: with the usual 0.02 all texts have nearly the same vector


def tokenizer(folder: Path, special: list[str], begin: str, end: str, pad: str) -> None:
    """A tokenizer trained on the reference texts; ``special`` take the first ids."""
    made = Tokenizer(models.BPE(unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.train_from_iterator(
        TEXTS,
        trainers.BpeTrainer(vocab_size=VOCABULARY - 2, special_tokens=special, show_progress=False),
    )
    made.add_special_tokens([begin, end])  # behind all others, unless they are there
    ids = [(name, made.token_to_id(name)) for name in (begin, end)]
    made.post_processor = processors.TemplateProcessing(single=f"{begin} $A {end}", special_tokens=ids)
    PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token=begin, eos_token=end, unk_token="<unk>", pad_token=pad, cls_token=begin,
        sep_token=end, model_input_names=["input_ids", "attention_mask"],
    ).save_pretrained(folder)  # fmt: skip


def sentence_transformer(folder: Path, model: PreTrainedModel, pooling: str, *, normalize: bool) -> None:
    """Save as a sentence-transformers folder."""
    model.save_pretrained(folder)
    kinds = [("", "Transformer"), ("1_Pooling", "Pooling"), *([("2_Normalize", "Normalize")] if normalize else [])]
    modules = [
        {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for number, (path, kind) in enumerate(kinds)
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(
        json.dumps({"word_embedding_dimension": model.config.hidden_size, f"pooling_mode_{pooling}": True})
    )


def ruri(folder: Path) -> None:
    config = ModernBertConfig(
        vocab_size=VOCABULARY, hidden_size=48, intermediate_size=64, num_hidden_layers=4, num_attention_heads=4,
        max_position_embeddings=8192, local_attention=16, global_attn_every_n_layers=3, pad_token_id=3, bos_token_id=1,
        eos_token_id=2, cls_token_id=1, sep_token_id=2, initializer_range=SPREAD, initializer_cutoff_factor=3.0,
    )  # fmt: skip
    sentence_transformer(folder, ModernBertModel(config), "mean_tokens", normalize=False)
    tokenizer(folder, ["<unk>", "<s>", "</s>", "<pad>"], "<s>", "</s>", "<pad>")


def xlm_roberta(folder: Path, pooling: str) -> None:
    config = XLMRobertaConfig(
        vocab_size=VOCABULARY, hidden_size=48, intermediate_size=64, num_hidden_layers=3, num_attention_heads=4,
        max_position_embeddings=514, type_vocab_size=1, pad_token_id=1, bos_token_id=0, eos_token_id=2,
        initializer_range=SPREAD,
    )  # fmt: skip
    sentence_transformer(folder, XLMRobertaModel(config), pooling, normalize=True)
    tokenizer(folder, ["<s>", "<pad>", "</s>", "<unk>"], "<s>", "</s>", "<pad>")


def e5(folder: Path) -> None:
    xlm_roberta(folder, "mean_tokens")


def bge_m3(folder: Path) -> None:
    xlm_roberta(folder, "cls_token")
    torch.save(torch.nn.Linear(48, 1).state_dict(), folder / "sparse_linear.pt")


def clip(folder: Path) -> None:
    config = CLIPConfig(
        text_config={
            "vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
            "num_attention_heads": 4, "max_position_embeddings": 77, "eos_token_id": 2, "initializer_factor": 3.0,
        },
        vision_config={
            "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
            "image_size": 32, "patch_size": 8, "initializer_factor": 3.0,
        },
        projection_dim=24,
    )  # fmt: skip
    CLIPModel(config).save_pretrained(folder)
    # As OpenAI's checkpoint: end of text has the highest id, pads, and is found by the largest id.
    tokenizer(folder, ["<unk>"], "<|startoftext|>", "<|endoftext|>", "<|endoftext|>")
    CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(folder)


def clap(folder: Path) -> None:
    config = ClapConfig(
        text_config={
            "vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
            "num_attention_heads": 4, "max_position_embeddings": 514, "pad_token_id": 1, "bos_token_id": 0,
            "eos_token_id": 2,
        },
        audio_config={
            "patch_embeds_hidden_size": 16, "hidden_size": 32, "depths": [2, 2], "num_attention_heads": [2, 2],
            "spec_size": 256, "num_mel_bins": 64, "enable_fusion": False, "patch_embed_input_channels": 1,
        },
        projection_dim=24,
    )  # fmt: skip
    ClapModel(config).save_pretrained(folder)
    tokenizer(folder, ["<s>", "<pad>", "</s>", "<unk>"], "<s>", "</s>", "<pad>")
    ClapFeatureExtractor(truncation="rand_trunc", padding="repeatpad").save_pretrained(folder)


MODELS = {"ruri": ruri, "e5": e5, "bge_m3": bge_m3, "clip": clip, "clap": clap}


def make(name: str, root: Path) -> Path:
    """Write model ``name`` into a folder of its own below ``root``, the same each time."""
    torch.manual_seed(7)
    folder = root / name
    folder.mkdir(parents=True)
    MODELS[name](folder)
    return folder
