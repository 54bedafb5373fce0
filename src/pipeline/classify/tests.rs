use super::*;
use crate::analysis::alignment::Aligner;
use crate::analysis::kmer::KmerCounts;
use crate::analysis::knn::VectorSource;
use crate::data::dataset::{DatasetBuilder, Record};
use crate::progress::Silent;
use proptest::prelude::*;

/// Specimens as (which of some barcodes, label); few barcodes and labels, so that everything is shared by somebody.
type Specimens = Vec<(usize, Option<usize>)>;

/// Twelve barcodes: four random ones, each with two relatives.
fn barcodes() -> Vec<Vec<u8>> {
    use rand::Rng;
    let mut rng = Seed(3).stream("test barcodes");
    let mut all = Vec::new();
    for _ in 0..4 {
        let root: Vec<u8> = (0..120).map(|_| b"ACGT"[rng.random_range(0..4)]).collect();
        for changes in [0, 3, 9] {
            let mut relative = root.clone();
            for _ in 0..changes {
                relative[rng.random_range(0..120)] = b"ACGT"[rng.random_range(0..4)];
            }
            all.push(relative);
        }
    }
    all
}

fn dataset(name: &str, specimens: &Specimens) -> Dataset {
    let barcodes = barcodes();
    let mut builder = DatasetBuilder::new(name, Vec::new());
    for (row, &(barcode, label)) in specimens.iter().enumerate() {
        builder.push(Record {
            id: format!("{name}{row}"),
            sequence: barcodes[barcode].clone(),
            labels: label.map(|label| (Field::Genus, format!("Genus{label}"))).into_iter().collect(),
            ..Record::default()
        });
    }
    builder.finish()
}

fn likeness(method: Method, a: &[u8], b: &[u8]) -> f64 {
    if method == Method::Align {
        return f64::from(Aligner::new().identity(a, b));
    }
    let counts = KmerCounts::new([a, b]);
    let mut both = vec![0.0; 2 * counts.dim()];
    counts.fill(0..2, &mut both);
    let (a, b) = both.split_at(counts.dim());
    let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// Every query against every reference, by the definition: neighbour, likeness, margin.
fn by_definition(
    method: Method,
    reference: &Dataset,
    query: &Dataset,
    row: usize,
    alone: bool,
    set_aside: bool,
) -> Option<(usize, f64, Option<f64>)> {
    let label = |row: usize| reference.label(row, Field::Genus);
    let candidates: Vec<(usize, f64)> = (0..reference.len())
        .filter(|&other| label(other).is_some() && !(alone && other == row))
        .filter(|&other| !(set_aside && reference.sequence(other) == query.sequence(row)))
        .map(|other| (other, likeness(method, query.sequence(row), reference.sequence(other))))
        .collect();
    // The first of the best: ties go to the earlier reference.
    let best = |with: &dyn Fn(usize) -> bool| {
        candidates.iter().filter(|(other, _)| with(*other)).fold(None, |best: Option<(usize, f64)>, &(other, value)| {
            match best {
                Some((_, most)) if value <= most + 1e-7 => best,
                _ => Some((other, value)),
            }
        })
    };
    let (nearest, value) = best(&|_| true)?;
    let other = best(&|other| label(other) != label(nearest));
    Some((nearest, value, other.map(|(_, other)| value - other)))
}

fn check(
    result: &Classification,
    method: Method,
    reference: &Dataset,
    query: &Dataset,
    alone: bool,
    set_aside: bool,
) -> Result<(), TestCaseError> {
    prop_assert_eq!(result.calls.len(), query.len());
    let has = |name: &str| (0..reference.len()).filter(|&row| reference.label(row, Field::Genus) == Some(name)).count();
    let nameable = |name: &str| has(name) > usize::from(alone);
    for (name, &found) in result.names.iter().zip(&result.nameable) {
        prop_assert_eq!(found, nameable(name), "{}", name);
    }
    prop_assert_eq!(result.names.len(), result.nameable.len());
    let labels = (0..query.len()).filter_map(|row| query.label(row, Field::Genus));
    prop_assert_eq!(result.unnameable(), labels.filter(|name| !nameable(name)).count());
    for (row, call) in result.calls.iter().enumerate() {
        prop_assert_eq!(call.row, row);
        prop_assert_eq!(call.label.map(|code| result.name(code)), query.label(row, Field::Genus));
        match by_definition(method, reference, query, row, alone, set_aside) {
            None => prop_assert!(call.predicted.is_none() && call.neighbour.is_none() && call.margin.is_none()),
            Some((nearest, value, margin)) => {
                prop_assert_eq!(call.neighbour, Some(nearest), "row {}", row);
                prop_assert_eq!(call.predicted.map(|code| result.name(code)), reference.label(nearest, Field::Genus));
                prop_assert!((f64::from(call.score) - value).abs() < 1e-6);
                prop_assert_eq!(call.margin.is_some(), margin.is_some(), "row {}", row);
                if let (Some(found), Some(expected)) = (call.margin, margin) {
                    prop_assert!((f64::from(found) - expected).abs() < 1e-6, "row {}: {} or {}", row, found, expected);
                }
                let identity = Aligner::new().identity(query.sequence(row), reference.sequence(nearest));
                prop_assert_eq!(call.identity, Some(identity));
                prop_assert_eq!(call.cosine.is_none(), method == Method::Align);
            }
        }
    }
    Ok(())
}

fn specimens(most: usize) -> impl Strategy<Value = Specimens> {
    prop::collection::vec((0..12_usize, prop::option::weighted(0.8, 0..3_usize)), 1..most)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_reference_answers_as_the_definition_says(
        reference in specimens(60), query in specimens(12), set_aside: bool, align: bool,
    ) {
        let method = if align { Method::Align } else { Method::Kmer };
        let (reference, query) = (dataset("r", &reference), dataset("q", &query));
        let settings =
            ClassifySettings { method, set_aside_identical: set_aside, neighbours: 2, ..ClassifySettings::default() };
        let made = Reference::new(method, Side::all(&reference, None), None, &Silent).unwrap();
        match classify(&made, Side::all(&query, None), &settings, &Silent) {
            Ok(result) => check(&result, method, &reference, &query, false, set_aside)?,
            Err(error) => {
                prop_assert!(matches!(error, PipelineError::NoLabels { .. }), "{}", error);
                prop_assert_eq!(reference.labels(Field::Genus).labelled(), 0);
            }
        }
    }

    #[test]
    fn each_by_the_others_answers_as_the_definition_says(all in specimens(60), set_aside: bool, align: bool) {
        let method = if align { Method::Align } else { Method::Kmer };
        let all = dataset("s", &all);
        let settings =
            ClassifySettings { method, set_aside_identical: set_aside, neighbours: 2, ..ClassifySettings::default() };
        if let Ok(result) = leave_one_out(Side::all(&all, None), &settings, &Silent) {
            check(&result, method, &all, &all, true, set_aside)?;
        }
    }
}

#[test]
fn the_margin_is_found_however_far_the_other_labels_are() {
    // Forty nearly identical specimens of one label come before the only one of the other.
    let mut all: Specimens = (0..40).map(|_| (0, Some(0))).collect();
    all.push((3, Some(1)));
    let all = dataset("s", &all);
    let settings = ClassifySettings { method: Method::Kmer, ..ClassifySettings::default() };
    let result = leave_one_out(Side::all(&all, None), &settings, &Silent).unwrap();
    let expected = 1.0 - likeness(Method::Kmer, all.sequence(0), all.sequence(40));
    assert!((f64::from(result.calls[0].margin.unwrap()) - expected).abs() < 1e-6);
    assert!(result.calls[40].margin.is_none(), "nobody else has its label, and all others have one");
}

#[test]
fn several_neighbours_vote_and_are_kept_in_order() {
    let reference = dataset("r", &vec![(1, Some(0)), (0, Some(1)), (0, Some(1)), (2, Some(0)), (6, Some(2))]);
    let query = dataset("q", &vec![(1, None)]);
    let settings = ClassifySettings {
        method: Method::Kmer,
        vote: VoteSettings { k: 3, votes: Votes::Uniform },
        neighbours: 4,
        ..ClassifySettings::default()
    };
    let made = Reference::new(Method::Kmer, Side::all(&reference, None), None, &Silent).unwrap();
    let result = classify(&made, Side::all(&query, None), &settings, &Silent).unwrap();
    let call = result.calls[0];
    assert_eq!(result.name(call.predicted.unwrap()), "Genus1");
    assert_eq!(call.score, 2.0 / 3.0);
    assert_eq!(call.neighbour, Some(1), "the nearest that supports the prediction");
    assert!(call.margin.unwrap() < 0.0, "a reference with another label is nearer");
    assert_eq!(result.nearest(0).map(|(row, _)| row).take(3).collect::<Vec<_>>(), [0, 1, 2]);
    assert!(result.scores.is_none() && result.interval.is_none(), "there is no label to compare with");
}

#[test]
fn missing_embeddings_and_missing_labels_are_told() {
    let all = dataset("s", &vec![(0, None), (1, None)]);
    let settings = ClassifySettings { method: Method::Kmer, ..ClassifySettings::default() };
    let error = leave_one_out(Side::all(&all, None), &settings, &Silent).unwrap_err();
    assert!(error.to_string().contains("genus"), "{error}");
    let error = leave_one_out(Side::all(&all, None), &ClassifySettings::default(), &Silent).unwrap_err();
    assert!(error.to_string().contains("embedded"), "{error}");
    let nobody = dataset("s", &Vec::new());
    assert!(matches!(leave_one_out(Side::all(&nobody, None), &settings, &Silent), Err(PipelineError::Empty { .. })));
}

#[test]
fn model_and_alignment_together_take_the_most_identical_of_the_nearest() {
    use crate::model::{DeviceChoice, Model};
    use crate::pipeline::embed::{EmbedSettings, embed};
    let dataset = dataset("reference", &(0..12).map(|barcode| (barcode, Some(barcode % 3))).collect());
    let model = Model::bundled(&DeviceChoice::Cpu).unwrap();
    let embedded = embed(&dataset, None, &model, &EmbedSettings::default(), None, &Silent).unwrap();
    let named = |method, embedded| {
        let settings = ClassifySettings { method, transform: Some(TransformKind::None), ..ClassifySettings::default() };
        leave_one_out(Side::all(&dataset, Some(embedded)), &settings, &Silent).unwrap()
    };
    // Twelve barcodes are fewer than are aligned, so that the embeddings decide nothing.
    let (both, align) = (named(Method::Both, &embedded), named(Method::Align, &embedded));
    assert_eq!(both.calls, align.calls);
    assert!(both.calls.iter().all(|call| call.cosine.is_none() && call.identity.is_some()));
}

#[test]
fn a_reference_that_the_model_finds_far_away_is_not_aligned() {
    use crate::model::{DeviceChoice, Model};
    use crate::pipeline::embed::{EmbedSettings, embed};
    // Thirty references of one barcode each: random ones, and last the query's own barcode but for one base.
    let mut rng = Seed(9).stream("test barcodes");
    let sequences: Vec<Vec<u8>> =
        (0..30).map(|_| (0..120).map(|_| b"ACGT"[rand::Rng::random_range(&mut rng, 0..4)]).collect()).collect();
    let mut query = sequences[29].clone();
    query[60] = if query[60] == b'A' { b'C' } else { b'A' };
    let mut builder = DatasetBuilder::new("far", Vec::new());
    for (row, sequence) in sequences.into_iter().chain([query]).enumerate() {
        let labels = [(Field::Genus, format!("Genus{row}"))].into();
        builder.push(Record { id: format!("far{row}"), sequence, labels, ..Record::default() });
    }
    let dataset = builder.finish();
    let model = Model::bundled(&DeviceChoice::Cpu).unwrap();
    let mut embedded = embed(&dataset, None, &model, &EmbedSettings::default(), None, &Silent).unwrap();
    // On a circle: the query at 0, reference number r at an angle that grows with r.
    embedded.vectors = Array2::from_shape_fn((31, 2), |(unique, axis)| {
        let angle = if unique == 30 { 0.0 } else { (unique as f32 + 1.0) / 40.0 };
        if axis == 0 { angle.cos() } else { angle.sin() }
    })
    .into();
    let settings = ClassifySettings {
        method: Method::Both,
        transform: Some(TransformKind::None),
        neighbours: 30,
        ..ClassifySettings::default()
    };
    let names = |neighbours| {
        let settings = ClassifySettings { neighbours, ..settings };
        let rows: Vec<usize> = (0..30).collect();
        let reference =
            Reference::new(Method::Both, Side::of_rows(&dataset, &rows, Some(&embedded)), settings.transform, &Silent)
                .unwrap();
        let found = classify(&reference, Side::of_rows(&dataset, &[30], Some(&embedded)), &settings, &Silent).unwrap();
        found.calls[0].neighbour.unwrap()
    };
    assert!(names(1) < SHORTLIST_BY_MODEL, "the sixteen nearest are aligned, and no other");
    assert_eq!(names(30), 29, "who asks for more neighbours has more aligned");
}

#[test]
fn a_head_fitted_to_genera_overlooks_what_varies_within_them() {
    use crate::model::{DeviceChoice, Model};
    use crate::pipeline::embed::{EmbedSettings, embed};
    // Two genera of twenty species, one barcode each. What varies within a genus is far more than what tells them apart.
    let mut rng = Seed(5).stream("test barcodes");
    let mut builder = DatasetBuilder::new("loud", Vec::new());
    for row in 0..40 {
        let sequence: Vec<u8> = (0..120).map(|_| b"ACGT"[rand::Rng::random_range(&mut rng, 0..4)]).collect();
        let labels = [(Field::Genus, format!("Genus{}", row % 2)), (Field::Species, format!("Species{row}"))];
        builder.push(Record { id: format!("loud{row}"), sequence, labels: labels.into(), ..Record::default() });
    }
    let dataset = builder.finish();
    let model = Model::bundled(&DeviceChoice::Cpu).unwrap();
    let mut embedded = embed(&dataset, None, &model, &EmbedSettings::default(), None, &Silent).unwrap();
    embedded.vectors = Array2::from_shape_fn((40, 64), |(unique, axis)| {
        let noise: f32 = rand::Rng::random_range(&mut rng, -1.0..1.0);
        match axis {
            0 => 0.05 * noise + if unique % 2 == 0 { 2.0 } else { -2.0 },
            1..4 => 10.0 * noise,
            _ => 0.05 * noise,
        }
    })
    .into();
    let named = |method| {
        let settings = ClassifySettings { method, transform: Some(TransformKind::None), ..ClassifySettings::default() };
        leave_one_out(Side::all(&dataset, Some(&embedded)), &settings, &Silent).unwrap()
    };
    let (plain, fitted) = (named(Method::Model), named(Method::Fitted));
    let accuracy = |found: &Classification| found.scores.as_ref().unwrap().accuracy;
    assert!(accuracy(&plain) < 0.8, "{}", accuracy(&plain));
    assert!(accuracy(&fitted) > 0.95, "{}", accuracy(&fitted));
    assert!(fitted.provenance.setting("head").unwrap().contains("2 groups of 40 barcodes"));
    // The same with the queries apart.
    let (rows, asked): (Vec<usize>, Vec<usize>) = ((0..20).collect(), (20..40).collect());
    let side = Side::of_rows(&dataset, &rows, Some(&embedded));
    let reference = Reference::new(Method::Fitted, side, Some(TransformKind::None), &Silent).unwrap();
    let settings = ClassifySettings { method: Method::Fitted, ..ClassifySettings::default() };
    let found = classify(&reference, Side::of_rows(&dataset, &asked, Some(&embedded)), &settings, &Silent).unwrap();
    assert!(accuracy(&found) > 0.9, "{}", accuracy(&found));
}

#[test]
fn neighbours_under_a_head_are_those_of_the_definition_and_never_an_excluded_one() {
    use crate::analysis::within::{DEFAULT_RIDGE, WithinGroups};
    use crate::model::{DeviceChoice, Model};
    use crate::pipeline::embed::{EmbedSettings, embed};
    use crate::pipeline::likeness::uniques_of;
    let mut rng = Seed(8).stream("test barcodes");
    let mut builder = DatasetBuilder::new("twin", Vec::new());
    for row in 0..45 {
        let sequence: Vec<u8> = (0..120).map(|_| b"ACGT"[rand::Rng::random_range(&mut rng, 0..4)]).collect();
        let labels = [(Field::Genus, format!("Genus{}", row % 3)), (Field::Species, format!("Species{}", row % 15))];
        builder.push(Record { id: format!("twin{row}"), sequence, labels: labels.into(), ..Record::default() });
    }
    let dataset = builder.finish();
    let model = Model::bundled(&DeviceChoice::Cpu).unwrap();
    let mut embedded = embed(&dataset, None, &model, &EmbedSettings::default(), None, &Silent).unwrap();
    embedded.vectors = Array2::from_shape_simple_fn((45, 6), || rand::Rng::random_range(&mut rng, -1.0f32..1.0)).into();
    let rows: Vec<usize> = (0..45).collect();
    let side = Side::all(&dataset, Some(&embedded));
    let reference = Reference::new(Method::Fitted, side, Some(TransformKind::None), &Silent).unwrap();
    let pool = Pool::new(&dataset, &rows, |_| true);
    let asked: Vec<usize> = (0..45).step_by(2).collect();
    let queries =
        Queries { dataset: &dataset, uniques: uniques_of(&dataset, &asked), vectors: Some(&embedded.vectors) };
    let excluded = |query: usize, other: usize| asked[query] == other || (query + other).is_multiple_of(3);
    let found = nearest_in_pool(&reference, &pool, &queries, 4, &excluded, &Silent).unwrap();
    for (query, &own) in asked.iter().enumerate() {
        // Species are divided by their number, and the head knows nothing of the fifth that the query is in.
        let (genus, species) = (dataset.labels(Field::Genus), dataset.labels(Field::Species));
        let fold = |row: usize| species.code(row).unwrap() % 5;
        let labels: Vec<Option<u32>> =
            rows.iter().map(|&row| genus.code(row).filter(|_| fold(row) != fold(own))).collect();
        let head = WithinGroups::fit(embedded.vectors.whole().view(), &labels, DEFAULT_RIDGE, &Silent).unwrap();
        let vectors = head.apply(embedded.vectors.whole().view(), &Silent).unwrap().mapv(f64::from);
        let cosine = |a: usize, b: usize| {
            let (a, b) = (vectors.row(a), vectors.row(b));
            a.dot(&b) / (a.dot(&a) * b.dot(&b)).sqrt()
        };
        let mut expected: Vec<usize> = rows.iter().copied().filter(|&other| !excluded(query, other)).collect();
        expected.sort_by(|&a, &b| cosine(own, b).total_cmp(&cosine(own, a)));
        let nearest: Vec<usize> = found.of(query).map(|(place, _)| place as usize).collect();
        assert_eq!(nearest, expected[..4], "query {own}");
    }
}
