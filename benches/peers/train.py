"""Training steps of the same masked autoencoder in PyTorch, for comparison with `cargo bench --bench train`.

    python3 -m venv venv && venv/bin/pip install torch numpy
    venv/bin/python benches/peers/train.py [--threads N] [--steps N] [--dropout P]
    venv/bin/python benches/peers/train.py --published --device cuda --bf16 --batch 256

Width 256, 4 encoder layers on 55 tokens, 2 decoder layers on 110, k = 6, batch 64, f32, fixed shapes, output layer on the masked
positions alone, fused AdamW; with --published width 768, 6 + 6 layers and 6 heads; with --bf16 under autocast. Prints sequences
per second of every step's batch and the peak memory, as one line of JSON.
"""

import argparse
import json
import resource
import statistics
import time
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

POSITIONS, TOKENS, VOCABULARY, SPECIAL = 512, 110, 4098, 2


@dataclass
class Size:
    width: int
    inner: int
    heads: int


class Layer(nn.Module):
    """A post-norm transformer layer, as BERT's."""

    def __init__(self, size, dropout):
        super().__init__()
        self.size = size
        self.qkv = nn.Linear(size.width, 3 * size.width)
        self.attention_output = nn.Linear(size.width, size.width)
        self.attention_norm = nn.LayerNorm(size.width, eps=1e-12)
        self.inner = nn.Linear(size.width, size.inner)
        self.outer = nn.Linear(size.inner, size.width)
        self.output_norm = nn.LayerNorm(size.width, eps=1e-12)
        self.dropout = dropout

    def forward(self, x):
        b, t, _ = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.size.heads, -1).permute(2, 0, 3, 1, 4)
        a = F.scaled_dot_product_attention(q, k, v, dropout_p=self.dropout)
        a = self.attention_output(a.transpose(1, 2).reshape(b, t, self.size.width))
        x = self.attention_norm(x + F.dropout(a, self.dropout))
        y = self.outer(F.gelu(self.inner(x)))
        return self.output_norm(x + F.dropout(y, self.dropout))


class Bert(nn.Module):
    def __init__(self, size, layers, dropout):
        super().__init__()
        self.words = nn.Embedding(VOCABULARY, size.width)
        self.positions = nn.Embedding(POSITIONS, size.width)
        self.types = nn.Embedding(2, size.width)
        self.norm = nn.LayerNorm(size.width, eps=1e-12)
        self.layers = nn.ModuleList(Layer(size, dropout) for _ in range(layers))
        self.dropout = dropout

    def forward(self, x, positions):
        x = self.norm(x + self.positions(positions) + self.types.weight[0])
        x = F.dropout(x, self.dropout)
        for layer in self.layers:
            x = layer(x)
        return x


class MaskedAutoencoder(nn.Module):
    def __init__(self, size, encoder_layers, decoder_layers, dropout):
        super().__init__()
        self.encoder = Bert(size, encoder_layers, dropout)
        self.projection = nn.Linear(size.width, size.width)
        self.decoder = Bert(size, decoder_layers, dropout)
        self.head = nn.Linear(size.width, VOCABULARY - SPECIAL)
        for p in self.parameters():
            if p.dim() == 2:
                nn.init.normal_(p, std=0.02)

    def forward(self, ids, seen, masked):
        """ids [B, T]; seen and masked: positions [B, T / 2]; the mean loss over the masked tokens."""
        x = self.encoder(self.encoder.words(ids.gather(1, seen)), seen)
        width = self.projection.out_features
        full = self.decoder.words.weight[0].expand(*ids.shape, width)
        full = full.scatter(1, seen[..., None].expand(-1, -1, width), self.projection(x).to(full.dtype))
        x = self.decoder(full, torch.arange(TOKENS, device=ids.device).expand_as(ids))
        x = x.gather(1, masked[..., None].expand(-1, -1, width))
        return F.cross_entropy(self.head(x).flatten(0, 1), (ids.gather(1, masked) - SPECIAL).flatten())


def wait(device):
    """Until the device has done what was asked, so that a step's time is all of it."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments.add_argument("--steps", type=int, default=10)
    arguments.add_argument("--dropout", type=float, default=0.0)
    arguments.add_argument("--batch", type=int, default=64)
    arguments.add_argument("--published", action="store_true")
    arguments.add_argument("--device", default="cpu")
    arguments.add_argument("--bf16", action="store_true")
    arguments = arguments.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    device = torch.device(arguments.device)
    size, layers = (Size(768, 3072, 6), (6, 6)) if arguments.published else (Size(256, 1024, 4), (4, 2))
    model = MaskedAutoencoder(size, *layers, arguments.dropout).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=6e-4, weight_decay=1e-5, fused=True)
    seconds = []
    for step in range(arguments.steps + 2):
        ids = torch.randint(SPECIAL, VOCABULARY, (arguments.batch, TOKENS), device=device)
        order = torch.rand(arguments.batch, TOKENS, device=device).argsort(1)
        seen, masked = order[:, : TOKENS // 2].sort(1).values, order[:, TOKENS // 2 :].sort(1).values
        wait(device)
        start = time.perf_counter()
        with torch.autocast(device.type, torch.bfloat16, enabled=arguments.bf16):
            loss = model(ids, seen, masked)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        wait(device)
        if step >= 2:  # the first two take their memory
            seconds.append(time.perf_counter() - start)
    print(json.dumps({
        "program": f"PyTorch {torch.__version__}",
        "threads": arguments.threads,
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        "bf16": arguments.bf16,
        "dropout": arguments.dropout,
        "loss": round(loss.item(), 4),
        "sequences_per_second": [round(arguments.batch / s, 1) for s in seconds],
        "median": round(arguments.batch / statistics.median(seconds), 1),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }))


if __name__ == "__main__":
    main()
