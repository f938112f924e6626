"""ruri-v3-310m in its true architecture with random weights, as a folder that can be exported.

A script for the export environment: ``full_size_source.py FOLDER``, with names to train the tokenizer on as a JSON list
on standard input. The same bytes each time. The weights' meaning is missing, their number and shape are not.
"""

import json
import sys
from pathlib import Path

import torch  # noqa: TID253 — a script of its own, in its own environment
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import ModernBertConfig, ModernBertModel, PreTrainedTokenizerFast  # noqa: TID253

SPECIAL = ["<unk>", "<s>", "</s>", "<pad>"]
# Far fewer pieces than rows in the embedding table: with 350 the names have as many tokens, 15, as by a real one.
PIECES = 350


def encoder() -> ModernBertModel:
    """314.6 million parameters."""
    torch.manual_seed(0)
    config = ModernBertConfig(
        vocab_size=102_400, hidden_size=768, intermediate_size=3072, num_hidden_layers=25, num_attention_heads=12,
        max_position_embeddings=8192, local_attention=128, global_attn_every_n_layers=3, global_rope_theta=160_000.0,
        local_rope_theta=10_000.0, pad_token_id=3, bos_token_id=1, eos_token_id=2, cls_token_id=1, sep_token_id=2,
    )  # fmt: skip
    return ModernBertModel(config).eval()


def tokenizer(names: list[str]) -> PreTrainedTokenizerFast:
    """Trained on ``names``; begin and end around each text."""
    made = Tokenizer(models.BPE(unk_token=SPECIAL[0]))
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.BpeTrainer(vocab_size=PIECES, special_tokens=SPECIAL, show_progress=False)
    made.train_from_iterator(names, trainer)
    ends = [("<s>", 1), ("</s>", 2)]
    made.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=ends)
    roles = ("unk_token", "bos_token", "eos_token", "pad_token")
    inputs = ["input_ids", "attention_mask"]
    named = dict(zip(roles, SPECIAL, strict=True))
    return PreTrainedTokenizerFast(tokenizer_object=made, model_input_names=inputs, **named)


def main(folder: Path) -> None:
    """Write the folder."""
    tokenizer(json.load(sys.stdin)).save_pretrained(folder)
    encoder().save_pretrained(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
