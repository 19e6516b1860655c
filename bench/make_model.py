"""A checkpoint of a published model's shape with random weights, and two finetunes of it, to measure speed on.

  make_model.py SHAPE FOLDER

Writes FOLDER/base, FOLDER/adapter (LoRA of rank 16 on every linear layer), FOLDER/finetuned (the adapter merged: a full checkpoint)
and FOLDER/tokens.safetensors: input_ids [2000, 5] int64, drawn from a Zipf law so that prefixes repeat about as in real text.
"""

import sys
from pathlib import Path

import torch
import transformers
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file

SHAPES = {
    "qwen3-0.6b": (
        transformers.Qwen3ForCausalLM,
        transformers.Qwen3Config,
        dict(vocab_size=151936, hidden_size=1024, intermediate_size=3072, num_hidden_layers=28)
        | dict(num_attention_heads=16, num_key_value_heads=8, head_dim=128),
    ),
    "qwen3-1.7b": (
        transformers.Qwen3ForCausalLM,
        transformers.Qwen3Config,
        dict(vocab_size=151936, hidden_size=2048, intermediate_size=6144, num_hidden_layers=28)
        | dict(num_attention_heads=16, num_key_value_heads=8, head_dim=128),
    ),
    "llama3.2-1b": (
        transformers.LlamaForCausalLM,
        transformers.LlamaConfig,
        dict(vocab_size=128256, hidden_size=2048, intermediate_size=8192, num_hidden_layers=16)
        | dict(num_attention_heads=32, num_key_value_heads=8, head_dim=64),
    ),
    "gemma3-1b": (
        transformers.Gemma3ForCausalLM,
        transformers.Gemma3TextConfig,
        dict(vocab_size=262144, hidden_size=1152, intermediate_size=6912, num_hidden_layers=26)
        | dict(num_attention_heads=4, num_key_value_heads=1, head_dim=256)
        | dict(query_pre_attn_scalar=256, sliding_window=512),
    ),
}
TEXTS, TOKENS, WORDS, EXPONENT = 2000, 5, 20000, 1.05
ROLES = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def main():
    shape, folder = sys.argv[1], Path(sys.argv[2])
    model_class, config_class, sizes = SHAPES[shape]
    torch.manual_seed(0)
    model = model_class(config_class(**sizes, tie_word_embeddings=True)).to(torch.bfloat16)
    model.save_pretrained(folder / "base")

    lora = LoraConfig(r=16, lora_alpha=32, target_modules=ROLES, task_type="CAUSAL_LM")
    adapted = get_peft_model(model, lora)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if "lora_B" in name:  # zero at first: a finetune that changes nothing
                weight.copy_(torch.randn(weight.shape, generator=generator) * 0.002)
    adapted.save_pretrained(folder / "adapter")
    adapted.merge_and_unload().save_pretrained(folder / "finetuned")

    frequency = torch.arange(1, WORDS + 1) ** -EXPONENT
    ids = torch.multinomial(frequency, TEXTS * TOKENS, replacement=True, generator=generator)
    save_file({"input_ids": ids.view(TEXTS, TOKENS)}, folder / "tokens.safetensors")


main()
