"""The work of one diff by Hugging Face transformers, timed: mean difference of the activations after one block.

  transformers_diff.py BASE TOKENS --layer L (--finetuned DIR | --adapter DIR) [--cut] [--dtype D] [--batch N]
  transformers_diff.py BASE TOKENS --layer L --sweep 8,16,… [--cut] [--dtype D]

Plain: the whole model runs and a hook on the block keeps its output, as published tools do. --cut: the model ends after the block
and has no head, which is the best that can be had by hand; an adapter is merged then. What is timed: the passes over all
batches and the copies that the hook makes. What is not: loading, one batch beforehand, the mean (taken in float64).

TOKENS: a safetensors file with input_ids [texts, tokens] int64, of which --limit takes the first texts. --out writes mean_diff
[tokens, d_model] float32. --sweep times the base alone at several batch sizes, twice each. Prints one line of JSON.
"""

import argparse
import json
import time

import torch
import transformers
from safetensors.torch import load_file, save_file


def load(options, adapter=None, folder=None):
    model = transformers.AutoModelForCausalLM.from_pretrained(
        folder or options.base, dtype=getattr(torch, options.dtype)
    )
    if adapter is not None:
        from peft import PeftModel

        wrapped = PeftModel.from_pretrained(model, adapter)
        if options.cut:
            model = wrapped.merge_and_unload()
    decoder = model.model
    if options.cut:
        decoder.layers = decoder.layers[: options.layer + 1]
    return (decoder if options.cut else model).eval(), decoder.layers[options.layer]


def passes(model, block, ids, batch):
    """Seconds, processor seconds, and the block's output as the hook kept it: [texts, tokens, d_model] float32."""
    kept = []

    def keep(module, arguments, output):
        kept.append((output[0] if isinstance(output, tuple) else output).float().cpu())

    hook = block.register_forward_hook(keep)
    with torch.no_grad():
        model(input_ids=ids[:batch], use_cache=False)
        kept.clear()
        begin, cpu_begin = time.perf_counter(), time.process_time()
        for first in range(0, len(ids), batch):
            model(input_ids=ids[first : first + batch], use_cache=False)
        seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu_begin
    hook.remove()
    return seconds, cpu, torch.cat(kept)


def measure(options, ids):
    seconds, cpu, means = 0.0, 0.0, []
    for which in ({}, {"adapter": options.adapter, "folder": options.finetuned}):
        model, block = load(options, **which)
        took, cpu_took, kept = passes(model, block, ids, options.batch)
        del model, block
        seconds, cpu = seconds + took, cpu + cpu_took
        means.append(kept.double().mean(0))
    if options.out:
        save_file({"mean_diff": (means[1] - means[0]).float().contiguous()}, options.out)
    return {"seconds": seconds, "cpuSeconds": cpu}


def sweep(options, ids):
    model, block = load(options)
    sizes = [int(size) for size in options.sweep.split(",")]
    fastest = dict.fromkeys(sizes, float("inf"))
    for _ in range(2):
        for size in sizes:
            fastest[size] = min(fastest[size], passes(model, block, ids, size)[0])
    return {"sweep": [{"batch": size, "seconds": seconds} for size, seconds in fastest.items()]}


def peak_bytes():
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
    except OSError:
        return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("base")
    parser.add_argument("tokens")
    parser.add_argument("--finetuned")
    parser.add_argument("--adapter")
    parser.add_argument("--layer", type=int, required=True)
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="bfloat16")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--cut", action="store_true")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--sweep")
    parser.add_argument("--out")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    ids = load_file(options.tokens)["input_ids"][: options.limit]
    result = sweep(options, ids) if options.sweep else measure(options, ids)
    print(json.dumps({**result, "peakBytes": peak_bytes()}))


main()
