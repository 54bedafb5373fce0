//! How long the exact neighbour search takes, in the sizes that matter: the graph of a data set among its own barcodes, and a few
//! queries against a large reference. Run with `cargo bench --bench knn`; 20 000 x 20 000 x 768 takes seconds a time.

use barcodescope::analysis::knn::nearest;
use barcodescope::progress::Silent;
use barcodescope::seed::Seed;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ndarray::Array2;
use rand::Rng;

fn vectors(rows: usize, dim: usize) -> Array2<f32> {
    let mut rng = Seed(1).stream("bench/knn");
    Array2::from_shape_simple_fn((rows, dim), || rng.random_range(-1.0..1.0))
}

fn graph(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("neighbour graph, k = 15");
    group.sample_size(10);
    for (rows, dim) in [(2_000, 768), (20_000, 768)] {
        let vectors = vectors(rows, dim);
        group.throughput(Throughput::Elements((rows * rows) as u64));
        group.bench_function(BenchmarkId::from_parameter(format!("{rows} x {dim}")), |bencher| {
            bencher.iter(|| nearest(&vectors, &vectors, 15, &|query, other| query == other, &Silent));
        });
    }
}

fn lookup(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("queries against 40 000 x 512, k = 1");
    group.sample_size(10);
    let references = vectors(40_000, 512);
    for queries in [1, 100, 4_000] {
        let queries = vectors(queries, 512);
        group.throughput(Throughput::Elements((queries.nrows() * references.nrows()) as u64));
        group.bench_function(BenchmarkId::from_parameter(queries.nrows()), |bencher| {
            bencher.iter(|| nearest(&queries, &references, 1, &|_, _| false, &Silent));
        });
    }
}

criterion_group!(benches, graph, lookup);
criterion_main!(benches);
