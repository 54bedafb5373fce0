#!/usr/bin/env python3
"""Every figure of benches/README.md that needs no GPU, in one go.

    python3 -m venv venv && venv/bin/pip install -r benches/peers/requirements.txt
    venv/bin/python benches/all.py [--quick] [--work bench-steps] [--only steps,window]

Builds the program and its benches, makes its data (simulated) and runs part after part; each prints its own table or lines. `--quick` takes
smaller sizes and stays below twenty minutes on two cores once all is built.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).parent
PUBLISHED = ["--width", "768", "--layers", "6", "--heads", "6"]
BUNDLED = ["--width", "256", "--layers", "2", "--heads", "4"]


def built(command):
    """Runs cargo, and answers the programs that it made by name."""
    done = subprocess.run([*command, "--message-format=json"], stdout=subprocess.PIPE, text=True, check=True)
    messages = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {message["target"]["name"]: message["executable"] for message in messages if message.get("executable")}


class Parts:
    def __init__(self, options):
        self.quick = options.quick
        self.work = options.work
        self.work.mkdir(parents=True, exist_ok=True)
        self.program = built(["cargo", "build", "--release", "--bin", "barcodescope"])["barcodescope"]
        self.benches = built(["cargo", "bench", "--benches", "--no-run"])

    def table(self, rows, unique):
        path = self.work / f"bioscan-{rows}.csv"
        if not path.exists():
            demo = self.work / "demo20k.csv"
            run([self.program, "simulate", "-o", demo, "--specimens", 20_000, "--quiet"])
            run([sys.executable, HERE / "peers/make_table.py", demo, path, "--rows", rows, "--unique", unique])
        return path

    def steps(self):
        rows, unique = (500_000, 233_000) if self.quick else (5_150_000, 2_400_000)
        plain = self.table(rows, unique)
        packed = plain.with_suffix(".csv.gz")
        if not packed.exists():
            run(["gzip", "--keep", "-1", plain])
        given = ["--table", plain, packed, "--work", self.work, "--runs", 1 if self.quick else 5]
        run([sys.executable, HERE / "peers/steps.py", "--ours", self.benches["steps"], *given, *(["--quick"] if self.quick else [])])

    def embed(self):
        """Barcodes a second, ours with cutting into tokens, the peer's with ids in memory, in turns."""
        count = 500 if self.quick else 2000
        barcodes = self.work / f"barcodes-{count}.csv"
        run([self.program, "simulate", "-o", barcodes, "--specimens", count, "--quiet"])
        published = self.work / "published" / "model.safetensors"
        if not published.exists():
            # Its weights are those of a run of one step: only its size counts here.
            train = ["train", barcodes, "--out", published.parent, "--preset", "barcodemae-6-6-6", "--steps", 1, "--quiet"]
            run([self.program, *train])
        plain = ["--no-cache", "--register", "off", "--transform", "none", "--json", "--quiet"]
        for name, model, size, share in (("bundled", [], BUNDLED, 1), ("published", ["--model", published], PUBLISHED, 4)):
            rates = {"ours": [], "PyTorch, batch 64": [], "PyTorch, batch 1": []}
            for _ in range(1 if self.quick else 5):
                out = self.work / f"{name}.npy"
                told = json.loads(run([self.program, "embed", barcodes, "-o", out, *plain, *model], keep=True))
                rates["ours"].append(told["computed"] / told["seconds"])
                for batch in (64, 1):
                    peer = [sys.executable, HERE / "peers/embed.py", *size, "--barcodes", count // share, "--batch", batch]
                    rates[f"PyTorch, batch {batch}"].append(json.loads(run(peer, keep=True))["barcodes_per_second"])
            ours = statistics.median(rates["ours"])
            for who, found in rates.items():
                rate = statistics.median(found)
                print(f"embed, {name} size, {who}: {rate:.1f} barcodes a second; ours by it: {ours / rate:.2f}", flush=True)

    def training(self):
        """Barcodes a second in training, in turns."""
        steps = ["--steps", 3 if self.quick else 10]
        found = {"ours": [], "PyTorch": []}
        for _ in range(1 if self.quick else 5):
            for who, command in (("ours", [self.benches["train"]]), ("PyTorch", [sys.executable, HERE / "peers/train.py"])):
                found[who].append(json.loads(run([*command, *steps], keep=True)))
        rates = {who: statistics.median(told["median"] for told in runs) for who, runs in found.items()}
        peaks = {who: max(told["peak_memory_mb"] for told in runs) for who, runs in found.items()}
        for who, rate in rates.items():
            print(f"training, {who}: {rate:.1f} barcodes a second, {peaks[who]} MB at most; ours by it: {rates['ours'] / rate:.2f}", flush=True)

    def window(self):
        run([self.benches["window"], "demo"])
        run([self.benches["window"], 200_000 if self.quick else 1_000_000])

    def tables(self):
        run([self.benches["tables"], "--bench"])

    def map(self):
        run([self.benches["map"], "--bench"])

    def memory(self):
        run([self.benches["memory"], 50_000 if self.quick else 1_000_000])

    def growth(self):
        if self.quick:
            return print("growth is left out of the quick run")
        given = ["--table", self.table(500_000, 233_000), "--work", self.work, "--program", self.program]
        run([sys.executable, HERE / "growth.py", "--ours", self.benches["steps"], *given])


PARTS = ["tables", "map", "window", "embed", "training", "steps", "memory", "growth"]


def run(command, keep=False):
    """Runs a command; its output is shown, or answered."""
    command = [str(part) for part in command]
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE if keep else None).stdout


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("bench-steps"))
    parser.add_argument("--only", default=",".join(PARTS))
    options = parser.parse_args()
    parts = Parts(options)
    for part in options.only.split(","):
        print(f"\n## {part}", flush=True)
        start = time.monotonic()
        getattr(parts, part)()
        print(f"({part}: {time.monotonic() - start:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
