#!/usr/bin/env python3
"""The steps of the program beside what a biologist would use instead in Python, in turns, on the same data and threads.

    python3 -m venv venv && venv/bin/pip install -r benches/peers/requirements.txt
    cargo bench --bench steps --no-run        # prints the path of the program, which --ours wants
    venv/bin/python benches/peers/steps.py --ours target/release/deps/steps-… [--quick] [--runs 5] [--only nn,graph,…] [--work FOLDER]
        [--table big.csv big.csv.gz]        # of make_table.py

Where a run takes a minute or more, three are made at most. Each row is timed in a process of its own, without reading its input, ours and the peer's in turn; the table has medians, their ratio, and
the peak memory of the processes. Agreement of the results is checked where both are exact, and told where they are not.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

import numpy as np


def mixture(rows, columns, seed):
    """Vectors in groups of unlike size, as embeddings are."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(max(rows // 40, 5), columns)).astype(np.float32)
    weights = rng.pareto(1.5, len(centres)) + 0.1
    group = rng.choice(len(centres), rows, p=weights / weights.sum())
    return centres[group] + 0.45 * rng.normal(size=(rows, columns)).astype(np.float32)


def barcodes(pairs, seed):
    """Pairs of barcodes of 658 bases that differ in none to a fifth of the bases, every fourth with a gap of three."""
    rng = np.random.default_rng(seed)
    lines = []
    for pair in range(pairs):
        first = rng.integers(0, 4, 658)
        second = np.where(rng.random(658) < rng.uniform(0, 0.2), rng.integers(0, 4, 658), first)
        if pair % 4 == 0:
            at = rng.integers(50, 600)
            second = np.delete(second, [at, at + 1, at + 2])
        lines += ["".join("ACGT"[base] for base in bases) for bases in (first, second)]
    return "\n".join(lines) + "\n"


class Steps:
    """Makes inputs where they are not there yet."""

    def __init__(self, folder, quick, tables):
        self.folder = folder
        self.quick = quick
        self.tables = tables
        folder.mkdir(parents=True, exist_ok=True)

    def vectors(self, rows, columns, seed=1):
        path = self.folder / f"vectors-{rows}-{columns}-{seed}.npy"
        if not path.exists():
            np.save(path, mixture(rows, columns, seed))
        return path

    def rows(self):
        """Name, our step, peers, inputs, what is measured."""
        q = self.quick
        nn, references = (4_000, 20_000) if q else (20_000, 100_000)
        graph = 20_000 if q else 100_000
        maps = [10_000] if q else [50_000, 200_000]
        # Of 100 000 points scikit-learn's would need 40 GB.
        ward = [(5_000, ["sklearn"])] if q else [(10_000, ["sklearn"]), (30_000, ["sklearn"]), (100_000, [])]
        labels = self.labels(200_000 if q else 1_000_000)
        pairs = self.folder / "pairs.txt"
        if not pairs.exists():
            pairs.write_text(barcodes(10_000, 1))
        yield "nn", f"1-NN, {nn} queries, {references} x 768", ["faiss", "sklearn"], [self.vectors(nn, 768, 2), self.vectors(references, 768)]
        yield "graph", f"15 neighbours, {graph} x 256", ["pynndescent", "pynndescent of 30"], [self.vectors(graph, 256)]
        for points in maps:
            # Of 200 000 points umap-learn as it is called did not end within 1 100 s: its spectral first layout takes them.
            peers = ["umap"] if points < 100_000 else ["umap, laid out first by PCA"]
            yield "umap", f"UMAP, {points} x 256", peers, [self.vectors(points, 256)]
        for points, peers in ward:
            yield "ward", f"Ward, {points} x 50", peers, [self.vectors(points, 50)]
        for table in self.tables:
            yield "table", f"read {table.name}", ["polars", "pandas"], [table]
        # scikit-learn's takes more than five minutes for a million labels of 20 000 classes: a limit is stated in place of a peer.
        yield "ami", f"AMI, {'200 000' if q else '1 000 000'} labels", ["sklearn"] if q else [], labels
        yield "align", "identity of 10 000 pairs of 658", ["edlib", "parasail"], [pairs]

    def labels(self, count):
        rng = np.random.default_rng(3)
        truth = rng.zipf(1.3, count) % 20_000
        found = np.where(rng.random(count) < 0.1, rng.integers(0, 20_000, count), truth)
        paths = []
        for name, values in (("truth", truth), ("found", found)):
            path = self.folder / f"{name}-{count}.npy"
            np.save(path, values.astype(np.uint32))
            paths.append(path)
        return paths


def peer(step, name, inputs, out):
    """The peer's seconds, in this process."""
    import time

    import psutil

    threads = psutil.cpu_count()
    if step in ("nn", "graph", "umap", "ward"):
        data = [np.load(path) for path in inputs]
    if step == "nn":
        queries, references = (np.ascontiguousarray(x / np.linalg.norm(x, axis=1, keepdims=True)) for x in data)
        if name == "faiss":
            import faiss

            faiss.omp_set_num_threads(threads)
            start = time.perf_counter()
            index = faiss.IndexFlatIP(references.shape[1])
            index.add(references)
            _, found = index.search(queries, 1)
        else:
            from sklearn.neighbors import NearestNeighbors

            start = time.perf_counter()
            found = NearestNeighbors(n_neighbors=1, algorithm="brute", metric="cosine", n_jobs=threads).fit(references).kneighbors(
                queries, return_distance=False
            )
        seconds = time.perf_counter() - start
        np.save(out, found.astype(np.uint32))
        return seconds
    if step == "graph":
        from pynndescent import NNDescent

        NNDescent(data[0][:2000], metric="cosine", n_neighbors=15, n_jobs=threads)
        start = time.perf_counter()
        # Asked for more it finds more of the nearest: that is how umap-learn's stage is brought to a higher recall.
        asked = 30 if name.endswith("30") else 15
        found = NNDescent(data[0], metric="cosine", n_neighbors=asked, n_jobs=threads).neighbor_graph[0][:, :15]
        seconds = time.perf_counter() - start
        np.save(out, found.astype(np.uint32))
        return seconds
    if step == "umap":
        from umap import UMAP

        options = {"metric": "cosine", "n_jobs": threads} | ({"init": "pca"} if "PCA" in name else {})
        UMAP(**options).fit_transform(data[0][:2000])
        start = time.perf_counter()
        places = UMAP(**options).fit_transform(data[0])
        seconds = time.perf_counter() - start
        np.save(out, places.astype(np.float32))
        return seconds
    if step == "ward":
        from sklearn.cluster import AgglomerativeClustering

        start = time.perf_counter()
        found = AgglomerativeClustering(100, linkage="ward").fit_predict(data[0])
        seconds = time.perf_counter() - start
        np.save(out, found.astype(np.int32))
        return seconds
    if step == "ami":
        from sklearn.metrics import adjusted_mutual_info_score

        truth, found = (np.load(path) for path in inputs)
        start = time.perf_counter()
        ami = adjusted_mutual_info_score(truth, found)
        seconds = time.perf_counter() - start
        np.save(out, np.array([ami, 0.0]))
        return seconds
    if step == "table":
        columns = [
            "processid", "phylum", "class", "order", "family", "subfamily", "genus", "species", "dna_bin", "dna_barcode", "country",
            "coord-lat", "coord-lon",
        ]
        start = time.perf_counter()
        if name == "polars":
            import polars

            table = polars.read_csv(inputs[0], columns=columns, infer_schema=False)
            table = table.with_columns(polars.col(columns[1:10] + ["country"]).cast(polars.Categorical))
            unique = table["dna_barcode"].n_unique()
        else:
            import pandas

            table = pandas.read_csv(inputs[0], usecols=columns, dtype=str)
            for column in columns[1:10] + ["country"]:
                table[column] = table[column].astype("category")
            unique = table["dna_barcode"].nunique()
        seconds = time.perf_counter() - start
        np.save(out, np.array([unique]))
        return seconds
    lines = inputs[0].read_text().split()
    couples = list(zip(lines[::2], lines[1::2]))
    if name == "edlib":
        import edlib

        start = time.perf_counter()
        distances = [edlib.align(a, b, mode="NW", task="path") for a, b in couples]
    else:
        import parasail

        matrix = parasail.matrix_create("ACGT", 2, -4)
        start = time.perf_counter()
        distances = [parasail.sg_trace_striped_16(a, b, 20, 2, matrix).cigar for a, b in couples]
    seconds = time.perf_counter() - start
    np.save(out, np.array([[len(distances)]], dtype=np.float32))
    return seconds


def peak_mb():
    """Of this program alone: what getrusage tells holds that of the process that started it, too."""
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1000 for line in lines if line.startswith("VmHWM"))


def run(command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{command}: {done.stderr}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def compared(step, ours, theirs, inputs):
    """How far the results agree, in words."""
    if step == "nn":
        return f"same neighbour for {100 * np.mean(np.load(ours) == np.load(theirs)):.2f} %"
    if step == "graph":
        data = np.load(inputs[0])
        data /= np.linalg.norm(data, axis=1, keepdims=True)
        asked = np.random.default_rng(5).choice(len(data), min(2000, len(data)), replace=False)
        alike = data[asked] @ data.T
        alike[np.arange(len(asked)), asked] = -2
        exact = np.argpartition(-alike, 14, axis=1)[:, :14]

        def recall(path):
            found = np.load(path)
            hits = [len(np.intersect1d(a, found[row][found[row] != row][:14])) for row, a in zip(asked, exact)]
            return np.sum(hits) / exact.size

        return f"recall of 14 neighbours {recall(ours):.3f}, the peer's {recall(theirs):.3f}"
    if step == "umap":
        from sklearn.manifold import trustworthiness

        rng = np.random.default_rng(5)
        data = np.load(inputs[0])
        part = rng.choice(len(data), min(4000, len(data)), replace=False)
        ours, theirs = (trustworthiness(data[part], np.load(path)[part], n_neighbors=15, metric="cosine") for path in (ours, theirs))
        return f"trustworthiness on {len(part)} points {ours:.3f}, the peer's {theirs:.3f}"
    if step == "ward":
        from sklearn.metrics import adjusted_mutual_info_score

        return f"AMI of the two {adjusted_mutual_info_score(np.load(ours), np.load(theirs)):.4f}"
    if step == "table":
        return f"{np.load(theirs)[0]} different barcodes by the peer"
    if step == "ami":
        return f"difference {abs(np.load(ours)[0] - np.load(theirs)[0]):.1e}"
    return ""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ours", type=pathlib.Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", default="")
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("bench-steps"))
    parser.add_argument("--table", type=pathlib.Path, nargs="*", default=[], help="tables to be read, made by make_table.py")
    parser.add_argument("--peer", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        step, name, out, *inputs = options.peer
        seconds = peer(step, name, [pathlib.Path(path) for path in inputs], out)
        print(json.dumps({"seconds": seconds, "peak_mb": peak_mb()}))
        return
    wanted = [step for step in options.only.split(",") if step]
    print("| step | ours, s | peer, s | ratio (peer / ours) | peak memory, MB: ours, peer | results |")
    print("|---|---|---|---|---|---|")
    for step, title, peers, inputs in Steps(options.work, options.quick, options.table).rows():
        if wanted and step not in wanted:
            continue
        if not peers:
            alone = [run([options.ours, step, *inputs]) for _ in range(options.runs)]
            seconds, peak = (max(key) for key in zip(*((result["seconds"], result["peak_mb"]) for result in alone)))
            print(f"| {title}; no peer, the longest of {options.runs} | {seconds:.2f} | – | – | {peak}, – | |", flush=True)
        for name in peers:
            ours_out, peer_out = options.work / f"{step}-ours.npy", options.work / f"{step}-{name}.npy"
            ours, theirs = [], []
            while len(ours) < options.runs and not (len(ours) >= 3 and max(side[0]["seconds"] for side in (ours, theirs)) >= 60):
                ours.append(run([options.ours, step, *inputs, "--out", ours_out]))
                theirs.append(run([sys.executable, __file__, "--peer", step, name, peer_out, *inputs]))
            median = [statistics.median(result["seconds"] for result in side) for side in (ours, theirs)]
            peak = [max(result["peak_mb"] for result in side) for side in (ours, theirs)]
            agreement = compared(step, ours_out, peer_out, inputs)
            print(
                f"| {title}; {name}; {len(ours)} runs | {median[0]:.2f} | {median[1]:.2f} | **{median[1] / median[0]:.2f}** | {peak[0]}, {peak[1]} | {agreement} |",
                flush=True,
            )


if __name__ == "__main__":
    os.environ.setdefault("PYTHONHASHSEED", "0")
    main()
