"""Embedding barcodes by a BERT of the published size in PyTorch, for comparison with `barcodescope embed`.

    python3 -m venv venv && venv/bin/pip install torch numpy
    venv/bin/python benches/peers/embed.py [--device cpu|cuda] [--bf16] [--barcodes N] [--batch N] [--width W] [--layers L]

Scaled dot product attention, inference mode, mean over the 110 tokens of the last layer; token ids come from memory and the means
go back to it. Prints barcodes per second as one line of JSON.
"""

import argparse
import json
import time

import torch

from train import POSITIONS, SPECIAL, TOKENS, VOCABULARY, Bert, Size


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--device", default="cpu")
    arguments.add_argument("--bf16", action="store_true")
    arguments.add_argument("--barcodes", type=int, default=2000)
    arguments.add_argument("--batch", type=int, default=64)
    arguments.add_argument("--width", type=int, default=768)
    arguments.add_argument("--layers", type=int, default=6)
    arguments.add_argument("--heads", type=int, default=6)
    arguments.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = arguments.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    device = torch.device(arguments.device)
    size = Size(arguments.width, 4 * arguments.width, arguments.heads)
    words = torch.nn.Embedding(VOCABULARY, size.width).to(device)
    model = Bert(size, arguments.layers, 0.0).to(device).eval()
    if arguments.bf16:
        words, model = words.bfloat16(), model.bfloat16()
    ids = torch.randint(SPECIAL, VOCABULARY, (arguments.barcodes, TOKENS))
    positions = torch.arange(TOKENS, device=device)
    assert TOKENS <= POSITIONS

    def embed(part):
        here = part.to(device, non_blocking=True)
        return model(words(here), positions.expand_as(here)).float().mean(1)

    with torch.inference_mode():
        for part in ids.split(arguments.batch)[:2]:
            embed(part).cpu()
        start = time.perf_counter()
        means = torch.cat([embed(part).cpu() for part in ids.split(arguments.batch)])
        seconds = time.perf_counter() - start
    print(json.dumps({
        "program": f"PyTorch {torch.__version__}",
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        "bf16": arguments.bf16,
        "barcodes": means.shape[0],
        "barcodes_per_second": round(arguments.barcodes / seconds, 1),
    }))


if __name__ == "__main__":
    main()
