//! What a table of a million rows costs: sorting, which another thread does, and filtering.

#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]

use barcodescope::analysis::agreement::agreement;
use barcodescope::analysis::concordance::concordance;
use barcodescope::analysis::discordance::discordance;
use barcodescope::analysis::grades::grades;
use barcodescope::data::dataset::{Dataset, DatasetBuilder, Record};
use barcodescope::data::taxonomy::Field;
use barcodescope::pipeline::audit::{Cause, Evidence, Suspect};
use barcodescope::seed::Seed;
use barcodescope::session::columns::{ColumnKey, Filter, Values, visible};
use barcodescope::session::ordering::{SortKey, order_by};
use barcodescope::session::suspects::{SuspectFilter, Wanted};
use criterion::{Criterion, criterion_group, criterion_main};
use rand::Rng;
use std::hint::black_box;
use std::sync::Arc;

const ROWS: usize = 1_000_000;
const SPECIES: usize = 20_000;

/// Specimens of few barcodes and many names, ids in no order.
fn dataset() -> Dataset {
    let mut random = Seed(1).stream("tables bench");
    let mut builder = DatasetBuilder::new("bench", Vec::new());
    for row in 0..ROWS {
        let species = (random.random::<f32>() * random.random::<f32>() * SPECIES as f32) as usize;
        let genus = format!("Genus{}", species / 12);
        // Every fiftieth species has two BINs, and every hundredth shares one with the next.
        let bin = if species.is_multiple_of(50) && row.is_multiple_of(2) {
            SPECIES + species
        } else {
            species - species % 100 / 99
        };
        let labels = [
            (Field::Species, format!("{genus} species{species}")),
            (Field::Genus, genus),
            (Field::Family, format!("Family{}idae", species / 400)),
            (Field::Bin, format!("BOLD:B{bin}")),
        ];
        builder.push(Record {
            id: format!("SPEC{:07}-26", (row as u64 * 7_368_787) % 10_000_000),
            sequence: vec![b"ACGT"[species % 4]; 1 + species / 4],
            labels: labels.into(),
            ..Record::default()
        });
    }
    builder.finish()
}

fn all() -> Vec<u32> {
    (0..ROWS as u32).collect()
}

fn sorting(criterion: &mut Criterion) {
    let dataset = dataset();
    let mut random = Seed(2).stream("numbers");
    let numbers: Vec<f32> = (0..ROWS).map(|_| random.random()).collect();
    criterion.bench_function("sort 1000000 by id", |bencher| {
        bencher.iter(|| black_box(order_by(all(), true, |row| SortKey::words(Some(dataset.id(row as usize))))));
    });
    criterion.bench_function("sort 1000000 by species", |bencher| {
        let key = |row: u32| SortKey::words(dataset.label(row as usize, Field::Species));
        bencher.iter(|| black_box(order_by(all(), false, key)));
    });
    criterion.bench_function("sort 1000000 by a number", |bencher| {
        bencher.iter(|| black_box(order_by(all(), true, |row| SortKey::number(Some(numbers[row as usize])))));
    });
}

fn filtering(criterion: &mut Criterion) {
    let dataset = Arc::new(dataset());
    let values = Values::of_dataset(&dataset, ColumnKey::Field(Field::Species)).expect("a column of the file");
    let keep = values.labels.names().iter().step_by(3).cloned().collect();
    let filters = [Filter { values, keep }];
    criterion
        .bench_function("filter 1000000 by species", |bencher| bencher.iter(|| black_box(visible(ROWS, &filters))));
    let suspects: Vec<Suspect> = (0..ROWS)
        .map(|row| Suspect {
            row,
            cause: Cause::Misidentification,
            proposed: None,
            partner: None,
            score: 0.5,
            because: String::new(),
            evidence: Evidence::default(),
        })
        .collect();
    let shown = visible(ROWS, &filters);
    criterion.bench_function("suspects of a taxon among 1000000", |bencher| {
        bencher.iter(|| {
            let wanted = Wanted { cause: None, taxon: "genus7".to_owned(), undecided: true, focus: None };
            let filter = SuspectFilter::new(wanted, Arc::clone(&dataset), &[], shown.clone());
            black_box(suspects.iter().filter(|suspect| filter.keeps(suspect)).count())
        });
    });
}

fn labels(criterion: &mut Criterion) {
    let dataset = dataset();
    let codes = |field| -> Vec<u32> {
        (0..ROWS).map(|row| dataset.labels(field).code(row).expect("every specimen is labelled")).collect()
    };
    let (species, bins) = (codes(Field::Species), codes(Field::Bin));
    let groups: Vec<i32> = bins.iter().map(|&bin| bin as i32).collect();
    criterion.bench_function("AMI of 1000000 labels", |bencher| bencher.iter(|| black_box(agreement(&species, &bins))));
    criterion.bench_function("concordance of 1000000 labels", |bencher| {
        bencher.iter(|| black_box(concordance(&groups, dataset.labels(Field::Species), &[])));
    });
    let (species, bins) = (dataset.labels(Field::Species), dataset.labels(Field::Bin));
    criterion
        .bench_function("grades of 1000000 specimens", |bencher| bencher.iter(|| black_box(grades(species, bins))));
    criterion.bench_function("discordance of 1000000 specimens", |bencher| {
        bencher.iter(|| black_box(discordance(bins, &[(Field::Species, species)])));
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = sorting, filtering, labels
}
criterion_main!(benches);
