#!/usr/bin/env python3
"""How the time and memory of each step grow with its input: four sizes, and the exponent of the power law through them.

    python3 -m venv venv && venv/bin/pip install -r benches/peers/requirements.txt
    cargo bench --bench steps --no-run        # prints the path of the program, which --ours wants
    venv/bin/python benches/growth.py --ours target/release/deps/steps-… [--program target/release/barcodescope] [--only graph,ward]
        [--work bench-steps] [--table big.csv]

Median of three runs below a minute, else one. `--table`, made by peers/make_table.py, is cut to four sizes; `--program` adds embedding.
"""

import argparse
import itertools
import json
import pathlib
import statistics
import subprocess
import sys
import time

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parent / "peers"))
from steps import Steps, barcodes, run  # noqa: E402

# step: (sizes, columns of the vectors or None)
SIZES = {
    "nn": ([12_500, 25_000, 50_000, 100_000], 768),
    "graph": ([25_000, 50_000, 100_000, 200_000], 256),
    "umap": ([10_001, 25_000, 50_000, 100_000], 256),
    "ward": ([2_500, 5_000, 10_000, 20_000], 50),
    "ami": ([125_000, 250_000, 500_000, 1_000_000], None),
    "align": ([2_500, 5_000, 10_000, 20_000], None),
    "table": ([62_500, 125_000, 250_000, 500_000], None),
    "embed": ([500, 1_000, 2_000, 4_000], None),
}


def head(path, rows, folder):
    """The first rows of a table."""
    out = folder / f"{path.stem}-{rows}.csv"
    if not out.exists():
        with open(path) as source, open(out, "w") as part:
            part.writelines(itertools.islice(source, rows + 1))
    return out


def inputs(step, size, columns, steps, table):
    if step == "nn":
        return [steps.vectors(4_000, columns, 2), steps.vectors(size, columns)]
    if columns:
        return [steps.vectors(size, columns)]
    if step == "ami":
        return steps.labels(size)
    if step == "align":
        path = steps.folder / f"pairs-{size}.txt"
        if not path.exists():
            path.write_text(barcodes(size, 1))
        return [path]
    return [head(table, size, steps.folder)]


def embedded(program, path):
    command = [program, "embed", path, "-o", path.with_suffix(".npy"), "--no-cache", "--json", "--quiet"]
    start = time.perf_counter()
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=True)
    whole = time.perf_counter() - start
    return {"seconds": json.loads(done.stdout).get("seconds", whole), "peak_mb": 0}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ours", type=pathlib.Path, required=True)
    parser.add_argument("--program", type=pathlib.Path)
    parser.add_argument("--only", default=",".join(SIZES))
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("bench-steps"))
    parser.add_argument("--table", type=pathlib.Path)
    options = parser.parse_args()
    steps = Steps(options.work, False, None)
    print("| step | sizes | seconds | exponent | at 10 million, by this power | peak memory of the largest, MB |")
    print("|---|---|---|---|---|---|")
    for step in options.only.split(","):
        sizes, columns = SIZES[step]
        if step in ("table", "embed") and not options.table or step == "embed" and not options.program:
            continue
        seconds, peak = [], 0
        for size in sizes:
            given = inputs(step, size, columns, steps, options.table)
            once = (lambda: embedded(options.program, given[0])) if step == "embed" else (lambda: run([options.ours, step, *given]))
            runs = [once()]
            if runs[0]["seconds"] < 60:
                runs += [once(), once()]
            seconds.append(statistics.median(result["seconds"] for result in runs))
            peak = max(result["peak_mb"] for result in runs)
        exponent, offset = np.polyfit(np.log(sizes), np.log(seconds), 1)
        hours = np.exp(offset + exponent * np.log(1e7)) / 3600
        listed = ", ".join(f"{size:,}".replace(",", " ") for size in sizes)
        told = ", ".join(f"{value:.3g}" for value in seconds)
        print(f"| {step} | {listed} | {told} | **{exponent:.2f}** | {hours:.2g} h | {peak or '–'} |", flush=True)


if __name__ == "__main__":
    main()
