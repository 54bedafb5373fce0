#!/usr/bin/env python3
"""A table in the layout of BIOSCAN-5M, as large as that or smaller, from the simulated demo.

    target/release/barcodescope simulate -o demo.csv --specimens 20000
    venv/bin/python benches/peers/make_table.py demo.csv big.csv [--rows 5150000] [--unique 2400000] [--seed 1]

Every barcode of the demo is taken again with one to four bases exchanged until there are enough different ones; records draw theirs with a
skew, as traps do, and keep the names of the specimen that it came from. No name or barcode of an animal is in it.
"""

import argparse
import csv

import numpy as np

COLUMNS = (
    "processid,sampleid,taxon,phylum,class,order,family,subfamily,genus,species,dna_bin,dna_barcode,country,province_state,"
    "coord-lat,coord-lon,image_measurement_value,area_fraction,scale_factor,inferred_ranks,split,index_bioscan_1M_insect,chunk"
)
BLOCK = 50_000


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("demo")
    parser.add_argument("out")
    parser.add_argument("--rows", type=int, default=5_150_000)
    parser.add_argument("--unique", type=int, default=2_400_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    with open(options.demo, newline="") as file:
        demo = list(csv.DictReader(file))
    first = next(name for name in demo[0] if name in ("dna_barcode", "nucleotides", "sequence"))
    demo = [row for row in demo if len(row[first]) > 500]
    letters = [np.frombuffer(row[first].encode(), np.uint8) for row in demo]
    bases = np.frombuffer(b"ACGT", np.uint8)
    name = [",".join(row.get(rank) or "" for rank in ("phylum", "class", "order", "family", "subfamily", "genus", "species")) for row in demo]
    bins = [row.get("dna_bin") or row.get("bin_uri") or row.get("bin") or "" for row in demo]
    taxon = [row.get("species") or row.get("genus") or "" for row in demo]

    def barcode(number):
        """Barcode number so and so: always the same letters."""
        own = np.random.default_rng((options.seed, int(number)))
        copy = letters[number % len(letters)].copy()
        places = own.integers(0, len(copy), 4)
        copy[places] = bases[own.integers(0, 4, 4)]
        return copy.tobytes().decode()

    extra = options.rows - options.unique
    # Every barcode once, then some many times.
    drawn = np.concatenate([np.arange(options.unique), (options.unique * rng.random(extra) ** 3).astype(np.int64)])
    rng.shuffle(drawn)
    with open(options.out, "w") as out:
        out.write(COLUMNS + "\n")
        for start in range(0, options.rows, BLOCK):
            lines = []
            for at, number in enumerate(drawn[start : start + BLOCK], start):
                of = number % len(demo)
                lines.append(
                    f"SIM{at:08d}-26,S{at},{taxon[of]},{name[of]},{bins[of]},{barcode(number)},Nowhere,,"
                    f"{(at % 900) / 10 - 45:.4f},{(at % 3600) / 10 - 180:.4f},,,,,pretrain,,{at // 100_000}\n"
                )
            out.writelines(lines)


if __name__ == "__main__":
    main()
