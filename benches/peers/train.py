"""Training steps of the same masked autoencoder in PyTorch on the CPU, for comparison with `cargo bench --bench train`.

    python3 -m venv venv && venv/bin/pip install torch numpy
    venv/bin/python benches/peers/train.py [--threads N] [--steps N] [--dropout P]

Width 256, 4 encoder layers on 55 tokens, 2 decoder layers on 110, k = 6, batch 64, f32, fixed shapes, output layer on the masked
positions alone, fused AdamW. Prints sequences per second of every step's batch and the peak memory, as one line of JSON.
"""

import argparse
import json
import resource
import statistics
import time

import torch
import torch.nn.functional as F
from torch import nn

WIDTH, INNER, HEADS, POSITIONS = 256, 1024, 4, 512
ENCODER_LAYERS, DECODER_LAYERS = 4, 2
BATCH, TOKENS, VOCABULARY, SPECIAL = 64, 110, 4098, 2


class Layer(nn.Module):
    """A post-norm transformer layer, as BERT's."""

    def __init__(self, dropout):
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.attention_output = nn.Linear(WIDTH, WIDTH)
        self.attention_norm = nn.LayerNorm(WIDTH, eps=1e-12)
        self.inner = nn.Linear(WIDTH, INNER)
        self.outer = nn.Linear(INNER, WIDTH)
        self.output_norm = nn.LayerNorm(WIDTH, eps=1e-12)
        self.dropout = dropout

    def forward(self, x):
        b, t, _ = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        a = F.scaled_dot_product_attention(q, k, v, dropout_p=self.dropout)
        a = self.attention_output(a.transpose(1, 2).reshape(b, t, WIDTH))
        x = self.attention_norm(x + F.dropout(a, self.dropout))
        y = self.outer(F.gelu(self.inner(x)))
        return self.output_norm(x + F.dropout(y, self.dropout))


class Bert(nn.Module):
    def __init__(self, layers, dropout):
        super().__init__()
        self.words = nn.Embedding(VOCABULARY, WIDTH)
        self.positions = nn.Embedding(POSITIONS, WIDTH)
        self.types = nn.Embedding(2, WIDTH)
        self.norm = nn.LayerNorm(WIDTH, eps=1e-12)
        self.layers = nn.ModuleList(Layer(dropout) for _ in range(layers))
        self.dropout = dropout

    def forward(self, x, positions):
        x = self.norm(x + self.positions(positions) + self.types.weight[0])
        x = F.dropout(x, self.dropout)
        for layer in self.layers:
            x = layer(x)
        return x


class MaskedAutoencoder(nn.Module):
    def __init__(self, dropout):
        super().__init__()
        self.encoder = Bert(ENCODER_LAYERS, dropout)
        self.projection = nn.Linear(WIDTH, WIDTH)
        self.decoder = Bert(DECODER_LAYERS, dropout)
        self.head = nn.Linear(WIDTH, VOCABULARY - SPECIAL)
        for p in self.parameters():
            if p.dim() == 2:
                nn.init.normal_(p, std=0.02)

    def forward(self, ids, seen, masked):
        """ids [B, T]; seen and masked: positions [B, T / 2]; the mean loss over the masked tokens."""
        x = self.encoder(self.encoder.words(ids.gather(1, seen)), seen)
        full = self.decoder.words.weight[0].expand(*ids.shape, WIDTH)
        full = full.scatter(1, seen[..., None].expand(-1, -1, WIDTH), self.projection(x))
        x = self.decoder(full, torch.arange(TOKENS).expand_as(ids))
        x = x.gather(1, masked[..., None].expand(-1, -1, WIDTH))
        return F.cross_entropy(self.head(x).flatten(0, 1), (ids.gather(1, masked) - SPECIAL).flatten())


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments.add_argument("--steps", type=int, default=10)
    arguments.add_argument("--dropout", type=float, default=0.0)
    arguments = arguments.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    model = MaskedAutoencoder(arguments.dropout)
    optimizer = torch.optim.AdamW(model.parameters(), lr=6e-4, weight_decay=1e-5, fused=True)
    seconds = []
    for step in range(arguments.steps + 2):
        ids = torch.randint(SPECIAL, VOCABULARY, (BATCH, TOKENS))
        order = torch.rand(BATCH, TOKENS).argsort(1)
        seen, masked = order[:, : TOKENS // 2].sort(1).values, order[:, TOKENS // 2 :].sort(1).values
        start = time.perf_counter()
        loss = model(ids, seen, masked)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step >= 2:  # the first two take their memory
            seconds.append(time.perf_counter() - start)
    print(json.dumps({
        "program": f"PyTorch {torch.__version__}",
        "threads": arguments.threads,
        "dropout": arguments.dropout,
        "loss": round(loss.item(), 4),
        "sequences_per_second": [round(BATCH / s, 1) for s in seconds],
        "median": round(BATCH / statistics.median(seconds), 1),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }))


if __name__ == "__main__":
    main()
