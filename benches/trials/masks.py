#!/usr/bin/env python3
"""What a small masked autoencoder's embeddings are worth under masks, tokens and losses that the program does not have.

    python3 -m venv venv && venv/bin/pip install torch numpy
    venv/bin/python benches/trials/masks.py coi_benchmark.csv.gz [--variants 'base;spans of 3;…'] [--steps 300]
        [--references 12000] [--seed 1] [--threads 1]

Each variant trains 128 wide, 3 + 1 layers, 50 % hidden, on `steps` x 64 barcodes of `pretrain` and `train`, then names the genus of
`val_unseen` by the nearest of a sample of `train` (cosine). Prints one line of JSON per variant and reading. Barcodes are laid on 658 columns by a
registration of its own: the shift at which most bases agree with the commonest base of each column.
"""

import argparse
import csv
import gzip
import json
import math
import time

import numpy as np
import torch
from torch import nn

COLUMNS, WIDTH, LAYERS, HEADS, BATCH = 658, 128, 3, 4, 64
# name: (k, first column, step between tokens, tokens masked at once, share of loss on masked tokens, weight of decorrelation, of contrast)
VARIANTS = {
    "untrained": (4, 0, 4, 1, 1.0, None, 0.0),
    "base": (4, 0, 4, 1, 1.0, 0.0, 0.0),
    "spans of 3": (4, 0, 4, 3, 1.0, 0.0, 0.0),
    "k 3, codons": (3, 1, 3, 1, 1.0, 0.0, 0.0),
    "k 3, across codons": (3, 0, 3, 1, 1.0, 0.0, 0.0),
    "k 6": (6, 0, 6, 1, 1.0, 0.0, 0.0),
    "overlapping, spans of 4": (4, 0, 2, 4, 1.0, 0.0, 0.0),
    "loss on all": (4, 0, 4, 1, 0.5, 0.0, 0.0),
    "decorrelated": (4, 0, 4, 1, 1.0, 1.0, 0.0),
    "contrast": (4, 0, 4, 1, 1.0, 0.0, 1.0),
    "contrast, spans of 3": (4, 0, 4, 3, 1.0, 0.0, 1.0),
    "contrast, k 3, codons": (3, 1, 3, 1, 1.0, 0.0, 1.0),
    "contrast, overlapping, spans of 4": (4, 0, 2, 4, 1.0, 0.0, 1.0),
    "contrast, loss on all": (4, 0, 4, 1, 0.5, 0.0, 1.0),
}


def read(path):
    rows = {"reference": [], "query": [], "training": []}
    for row in csv.DictReader(gzip.open(path, "rt")):
        record = (row["dna_barcode"].strip("N-"), row["genus"])
        if row["split"] in ("pretrain", "train"):
            rows["training"].append(record)
        if row["split"] in ("train", "val_unseen"):
            rows["reference" if row["split"] == "train" else "query"].append(record)
    return rows


def letters(sequences):
    table = np.full(256, 4, np.int8)
    table[[65, 67, 71, 84]] = range(4)
    return [table[np.frombuffer(sequence.encode(), np.uint8)] for sequence in sequences]


def registered(sequences, profile):
    """[N, 658], 4 where nothing is known."""
    laid = np.full((len(sequences), COLUMNS), 4, np.int8)
    for row, bases in enumerate(letters(sequences)):
        best, at = -1, 0
        for shift in range(-60, max(1, COLUMNS - 100)):
            lo, hi = max(0, shift), min(COLUMNS, shift + len(bases))
            if hi - lo < 100:
                continue
            agree = np.count_nonzero(profile[lo:hi] == bases[lo - shift:hi - shift])
            if agree > best:
                best, at = agree, shift
            if agree > 0.6 * len(bases):
                break
        lo, hi = max(0, at), min(COLUMNS, at + len(bases))
        laid[row, lo:hi] = bases[lo - at:hi - at]
    return laid


def tokens(laid, k, first, step):
    """[N, T], 0 where a base is not known, else 1 + the k-mer's number."""
    starts = np.arange(first, COLUMNS - k + 1, step)
    parts = laid[:, starts[:, None] + np.arange(k)].astype(np.int64)
    numbers = (parts * 4 ** np.arange(k)).sum(2) + 1
    numbers[(parts == 4).any(2)] = 0
    return torch.from_numpy(numbers)


class Net(nn.Module):
    def __init__(self, vocabulary, places):
        super().__init__()
        layer = lambda: nn.TransformerEncoderLayer(WIDTH, HEADS, 4 * WIDTH, 0.0, "gelu", batch_first=True)
        self.words = nn.Embedding(vocabulary, WIDTH)
        self.places = nn.Parameter(0.02 * torch.randn(places, WIDTH))
        self.norm = nn.LayerNorm(WIDTH)
        self.layers = nn.ModuleList(layer() for _ in range(LAYERS))
        self.mask = nn.Parameter(0.02 * torch.randn(WIDTH))
        self.decoder_places = nn.Parameter(0.02 * torch.randn(places, WIDTH))
        self.decoder = layer()
        self.head = nn.Linear(WIDTH, vocabulary)
        nn.init.normal_(self.words.weight, std=0.02)

    def encode(self, ids, places):
        hidden = [self.norm(self.words(ids) + self.places[places])]
        for layer in self.layers:
            hidden.append(layer(hidden[-1], src_key_padding_mask=ids == 0))
        return hidden

    def reconstruct(self, ids, seen):
        """Scores of all tokens [B, T, V] where the encoder saw the places `seen` [B, S]; the mean of what it saw [B, D]."""
        shown = ids.gather(1, seen)
        hidden = self.encode(shown, seen)[-1]
        canvas = self.mask.expand(*ids.shape, WIDTH).clone()
        canvas = canvas.scatter(1, seen[..., None].expand(-1, -1, WIDTH), hidden)
        out = self.decoder(canvas + self.decoder_places, src_key_padding_mask=ids == 0)
        known = (shown != 0)[..., None]
        return self.head(out), (hidden * known).sum(1) / known.sum(1)


def drawn(batch, places, span, generator):
    """Places that stay seen, half of all: groups of `span` neighbours are hidden together."""
    groups = math.ceil(places / span)
    order = torch.rand(batch, groups, generator=generator).repeat_interleave(span, 1)[:, :places]
    return order.argsort(dim=1, stable=True)[:, : places // 2].sort(1).values


def decorrelation(a, b):
    """Zbontar et al. 2021: the correlations between two views' dimensions against the identity."""
    a, b = ((x - x.mean(0)) / (x.std(0) + 1e-4) for x in (a, b))
    correlation = a.T @ b / len(a)
    diagonal = correlation.diagonal()
    return ((1 - diagonal) ** 2).sum() + 0.005 * ((correlation ** 2).sum() - (diagonal ** 2).sum())


def contrast(a, b, temperature=0.1):
    """van den Oord et al. 2018: which of the batch's second views is of the same barcode, asked of the first, and the other way round."""
    a, b = (nn.functional.normalize(x, dim=1) for x in (a, b))
    alike = a @ b.T / temperature
    own = torch.arange(len(a))
    return (nn.functional.cross_entropy(alike, own) + nn.functional.cross_entropy(alike.T, own)) / 2


def train(net, ids, variant, steps, generator):
    _, _, _, span, masked_share, decorrelating, contrasting = variant
    optimiser = torch.optim.AdamW(net.parameters(), 3e-4, weight_decay=1e-5)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-3, total_steps=steps)
    order = torch.randperm(len(ids), generator=generator)
    for step in range(steps):
        batch = ids[order[step * BATCH:(step + 1) * BATCH]]
        views = []
        for _ in range(2 if decorrelating or contrasting else 1):
            seen = drawn(*batch.shape, span, generator)
            scores, mean = net.reconstruct(batch, seen)
            hidden = torch.ones_like(batch, dtype=torch.bool).scatter(1, seen, False) & (batch != 0)
            losses = nn.functional.cross_entropy(scores.transpose(1, 2), batch, reduction="none")
            loss = masked_share * losses[hidden].mean()
            if masked_share < 1:
                loss = loss + (1 - masked_share) * losses[~hidden & (batch != 0)].mean()
            views.append((loss, mean))
        loss = sum(loss for loss, _ in views) / len(views)
        if decorrelating:
            loss = loss + decorrelating * decorrelation(views[0][1], views[1][1]) / WIDTH
        if contrasting:
            loss = loss + contrasting * contrast(views[0][1], views[1][1])
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    return loss.item()


@torch.inference_mode()
def pooled(net, ids, weights):
    """Means and spreads of every layer, and means weighted by place: three times [N, layers, D]."""
    means, spreads, weighted = [], [], []
    places = torch.arange(ids.shape[1])
    for part in ids.split(256):
        hidden = torch.stack(net.encode(part, places.expand_as(part)), 1)
        known = (part != 0).float()[:, None, :, None]
        mean = (hidden * known).sum(2) / known.sum(2)
        square = (hidden ** 2 * known).sum(2) / known.sum(2)
        heavy = known * weights[None, None, : part.shape[1], None]
        means.append(mean)
        spreads.append((square - mean ** 2).clamp(min=0).sqrt())
        weighted.append((hidden * heavy).sum(2) / heavy.sum(2))
    return [torch.cat(x).numpy() for x in (means, spreads, weighted)]


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def whitened(reference, query, dimensions=256):
    mean = reference.mean(0)
    variance, directions = np.linalg.eigh(np.cov((reference - mean).T.astype(np.float64)))
    keep = np.argsort(-variance)[:dimensions]
    keep = keep[variance[keep] > 1e-8 * variance.max()]
    matrix = directions[:, keep] / np.sqrt(variance[keep])
    return (reference - mean) @ matrix, (query - mean) @ matrix


def accuracy(reference, query, names, truth):
    reference = unit(reference).astype(np.float32)
    nearest = np.concatenate([(part @ reference.T).argmax(1) for part in np.array_split(unit(query).astype(np.float32), 8)])
    return round(100 * float((names[nearest] == truth).mean()), 1)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("benchmark")
    arguments.add_argument("--variants", default=";".join(VARIANTS))
    arguments.add_argument("--steps", type=int, default=300)
    arguments.add_argument("--references", type=int, default=12_000)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--threads", type=int, default=1)
    arguments = arguments.parse_args()
    torch.set_num_threads(arguments.threads)
    rows = read(arguments.benchmark)
    rng = np.random.default_rng(arguments.seed)
    chosen = rng.permutation(len(rows["training"]))[: arguments.steps * BATCH]
    training = [rows["training"][at][0] for at in chosen]
    full = np.stack([x for x in letters([s for s, _ in rows["reference"]]) if len(x) == COLUMNS])
    profile = np.array([np.bincount(column, minlength=5)[:4].argmax() for column in full.T])
    rows["reference"] = [rows["reference"][at] for at in rng.permutation(len(rows["reference"]))[: arguments.references]]
    laid = {"training": registered(training, profile)}
    for side in ("reference", "query"):
        laid[side] = registered([sequence for sequence, _ in rows[side]], profile)
    names, truth = (np.array([genus for _, genus in rows[side]]) for side in ("reference", "query"))
    for name in arguments.variants.split(";"):
        variant = VARIANTS[name]
        k, first, step, *_ = variant
        ids = {side: tokens(laid[side], k, first, step) for side in laid}
        torch.manual_seed(arguments.seed)
        generator = torch.Generator().manual_seed(arguments.seed)
        net = Net(4 ** k + 1, ids["query"].shape[1])
        start = time.perf_counter()
        loss = train(net, ids["training"], variant, arguments.steps, generator) if variant[5] is not None else None
        minutes = (time.perf_counter() - start) / 60
        net.eval()
        known = [column[column > 0].numpy() for column in ids["reference"].T]
        shares = [np.bincount(column) / max(1, len(column)) for column in known]
        weights = torch.tensor([-(p[p > 0] * np.log(p[p > 0])).sum() for p in shares]).float()
        (m, s, w), (qm, qs, qw) = (pooled(net, ids[side], weights) for side in ("reference", "query"))
        joined = lambda *parts: np.concatenate([unit(part).reshape(len(part), -1) for part in parts], 1)
        readings = {
            "last": (m[:, -1], qm[:, -1]),
            "all, whitened": whitened(joined(m), joined(qm)),
            "last, weighted by place": (w[:, -1], qw[:, -1]),
            "all, weighted by place, whitened": whitened(joined(w), joined(qw)),
            "last, with spread": (joined(m[:, -1:], s[:, -1:]), joined(qm[:, -1:], qs[:, -1:])),
            "all, with spread, whitened": whitened(joined(m, s), joined(qm, qs)),
            "first and last, whitened": whitened(joined(m[:, :1], m[:, -1:]), joined(qm[:, :1], qm[:, -1:])),
        }
        if name in ("untrained", "base"):
            readings["last, all offsets"] = tuple(
                sum(unit(pooled(net, tokens(laid[side], k, offset, k), weights)[0][:, -1]) for offset in range(k))
                for side in ("reference", "query")
            )
        for reading, (reference, query) in readings.items():
            found = accuracy(reference, query, names, truth)
            print(json.dumps({"variant": name, "reading": reading, "genus": found, "n": len(truth), "loss": loss,
                              "minutes": round(minutes, 1)}), flush=True)


if __name__ == "__main__":
    main()
