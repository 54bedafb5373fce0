#!/usr/bin/env python3
"""How well the queue of suspects finds labels that were exchanged on purpose.

    python3 benches/swapped_labels.py coi_benchmark.csv.gz target/release/barcodescope work [--seed 1] [--share 0.02]

Takes the split `test` of the benchmark, exchanges the names (all ranks) of pairs of specimens of different species until the given share of
the records has another name, and asks `barcodescope audit` to rank them, with each method of finding neighbours. Prints the average
precision of the ranking (area under precision over recall, every specimen once, ties in file order) with a 95 % interval by bootstrap over
specimens, and how many of the exchanged ones are called so. Python 3.8 or later, nothing else.
"""

import argparse
import csv
import gzip
import json
import pathlib
import random
import subprocess

RANKS = ["phylum", "class", "order", "family", "subfamily", "genus", "species", "taxon"]
METHODS = ["both", "model", "kmer", "align", "random"]
RESAMPLES = 1000


def exchanged(rows, share, seed):
    """Exchanges names of pairs of rows in place; answers the ids of those that have another name now."""
    rng = random.Random(seed)
    named = [row for row in rows if row["species"]]
    rng.shuffle(named)
    planted = set()
    wanted = round(share * len(rows))
    for first in named:
        if len(planted) + 2 > wanted:
            break
        others = [row for row in rng.sample(named, 50) if row["processid"] not in planted]
        second = next((row for row in others if row["species"] != first["species"]), None)
        if first["processid"] in planted or second is None:
            continue
        for rank in RANKS:
            first[rank], second[rank] = second[rank], first[rank]
        planted |= {first["processid"], second["processid"]}
    return planted


def average_precision(hits):
    found, total = 0, 0.0
    for place, hit in enumerate(hits, 1):
        if hit:
            found += 1
            total += found / place
    return total / found if found else float("nan")


def interval(hits, seed):
    rng = random.Random(seed)
    values = []
    for _ in range(RESAMPLES):
        drawn = sorted(rng.choices(range(len(hits)), k=len(hits)))
        values.append(average_precision([hits[at] for at in drawn]))
    values.sort()
    return values[int(0.025 * RESAMPLES)], values[int(0.975 * RESAMPLES)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("benchmark", type=pathlib.Path)
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--share", type=float, default=0.02)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    with gzip.open(options.benchmark, "rt", newline="") as file:
        reader = csv.DictReader(file)
        rows = [row for row in reader if row["split"] == "test"]
        header = reader.fieldnames
    planted = exchanged(rows, options.share, options.seed)
    table = options.work / "swapped.csv"
    with open(table, "w", newline="") as file:
        writer = csv.DictWriter(file, header)
        writer.writeheader()
        writer.writerows(rows)
    print(f"{len(rows)} records, {len(planted)} with an exchanged name, seed {options.seed}")
    for method in METHODS:
        folder = options.work / method
        command = [options.program, "audit", table, "--method", method, "-o", folder, "--quiet", "--json"]
        facts = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        with open(folder / "suspects.csv", newline="") as file:
            suspects = list(csv.DictReader(file))
        hits = [suspect["id"] in planted for suspect in suspects]
        low, high = interval(hits, options.seed)
        first = sum(hits[: len(planted)])
        called = sum(hit and suspect["cause"] == "swapped_label" for hit, suspect in zip(hits, suspects))
        print(
            f"{method:>8}: average precision {100 * average_precision(hits):.1f} ({100 * low:.1f} to {100 * high:.1f}), "
            f"{first} of {len(planted)} among the first {len(planted)}, {called} called exchanged, {facts['seconds']:.0f} s"
        )


if __name__ == "__main__":
    main()
