use super::*;
use crate::data::dataset::{Dataset, DatasetBuilder, Record};
use crate::data::frame::FrameProfile;
use crate::data::taxonomy::Field;
use crate::model::{DeviceChoice, Model, OpenOptions};
use crate::pipeline::embed::{EmbedSettings, Embedded, embed};
use crate::pipeline::likeness::{Reference, uniques_of};
use crate::pipeline::side::Method;
use crate::pipeline::subset::subset;
use crate::progress::{Cancelled, Silent};
use rand::Rng;
use std::collections::HashMap;
use std::path::Path;
use std::sync::LazyLock;

fn mutated(sequence: &[u8], share: f64, rng: &mut impl Rng) -> Vec<u8> {
    let change = |&base: &u8| if rng.random_bool(share) { b"ACGT"[rng.random_range(0..4)] } else { base };
    sequence.iter().map(change).collect()
}

fn record(id: &str, genus: &str, species: &str, sequence: Vec<u8>) -> Record {
    Record {
        id: id.to_owned(),
        sequence,
        labels: HashMap::from([
            (Field::Order, "Inventoptera".to_owned()),
            (Field::Genus, genus.to_owned()),
            (Field::Species, species.to_owned()),
        ]),
        ..Record::default()
    }
}

/// 12 genera of 4 species of 5 specimens, and 36 genera of one species of 3.
fn world() -> Dataset {
    let root = FrameProfile::bundled().consensus();
    let mut rng = Seed(17).stream("invented barcodes");
    let mut builder = DatasetBuilder::new("world", Vec::new());
    for genus in 0..48 {
        let (species, specimens) = if genus < 12 { (4, 5) } else { (1, 3) };
        let of_genus = mutated(&root, 0.2, &mut rng);
        for species in 0..species {
            let of_species = mutated(&of_genus, 0.08, &mut rng);
            for specimen in 0..specimens {
                let names = (format!("Genus{genus}"), format!("Genus{genus} species{species}"));
                let id = format!("{genus}-{species}-{specimen}");
                builder.push(record(&id, &names.0, &names.1, mutated(&of_species, 0.006, &mut rng)));
            }
        }
    }
    builder.finish()
}

fn embedded(dataset: &Dataset) -> Embedded {
    static MODEL: LazyLock<Model> = LazyLock::new(|| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reference/mae_k4.safetensors");
        Model::open(&path, &OpenOptions { device: DeviceChoice::Cpu, ..OpenOptions::default() }).unwrap()
    });
    embed(dataset, None, &MODEL, &EmbedSettings::default(), None, &Silent).unwrap()
}

/// Reference and queries of the world, with their embeddings.
struct Parts {
    reference: (Dataset, Embedded),
    query: (Dataset, Embedded),
    held: Divided,
}

impl Parts {
    fn run(&self, settings: &DiscoverSettings) -> Result<Discovery, PipelineError> {
        let [reference, query] =
            [&self.reference, &self.query].map(|(dataset, embedded)| Side::all(dataset, Some(embedded)));
        discover(reference, query, None, settings, &Silent)
    }
}

fn parts() -> &'static Parts {
    static PARTS: LazyLock<Parts> = LazyLock::new(|| {
        let world = world();
        let held = hold_out(&world, &HoldOutSettings { share: 0.15, ..HoldOutSettings::default() }).unwrap();
        let part = |rows: &[usize]| {
            let part = subset(&world, "part", rows);
            let vectors = embedded(&part);
            (part, vectors)
        };
        Parts { reference: part(&held.reference), query: part(&held.query), held }
    });
    &PARTS
}

fn settings() -> DiscoverSettings {
    DiscoverSettings {
        score: NoveltyScore::PDistance,
        transform: Some(TransformKind::Centre),
        ..DiscoverSettings::default()
    }
}

/// What is found with [`settings`].
fn found() -> &'static Discovery {
    static FOUND: LazyLock<Discovery> = LazyLock::new(|| parts().run(&settings()).unwrap());
    &FOUND
}

#[test]
fn what_was_held_out_is_found_and_named_by_its_genus() {
    let parts = parts();
    let found = found();
    let (query, held) = (&parts.query.0, &parts.held);
    for finding in &found.findings {
        let (genus, species) = (query.label(finding.row, Field::Genus), query.label(finding.row, Field::Species));
        let expected = match () {
            () if held.genera.iter().any(|name| Some(name.as_str()) == genus) => Truth::NewGenus,
            () if held.species.iter().any(|name| Some(name.as_str()) == species) => Truth::NewSpecies,
            () => Truth::Known,
        };
        assert_eq!(finding.truth, Some(expected), "{species:?}");
        match finding.decision {
            Decision::Known => assert_eq!(finding.taxon.as_deref(), species),
            Decision::NewSpecies => assert_eq!((finding.taxon.as_deref(), expected), (genus, Truth::NewSpecies)),
            Decision::NewGenus => assert_eq!((finding.taxon.as_deref(), expected), (None, Truth::NewGenus)),
            Decision::Unclear => assert_eq!(finding.taxon, None),
        }
    }
    // Distances within a species, a genus and between genera do not overlap here: all that is new must be found.
    let measures = found.measures.as_ref().unwrap();
    let row = |novelty| {
        *measures.detection.iter().find(|row| (row.score, row.novelty) == (NoveltyScore::PDistance, novelty)).unwrap()
    };
    for novelty in Novelty::ALL {
        assert_eq!((row(novelty).found.auroc, row(novelty).found.fpr_at_95_tpr), (1.0, 0.0));
    }
    let new = |finding: &&Finding| finding.truth != Some(Truth::Known);
    assert!(found.findings.iter().filter(new).all(|finding| finding.is_discovery));
    assert!(found.count(Decision::NewGenus) > 0);
    // Some seventy held-out specimens of other genera are too few to name a genus at this rate, but they tell who comes first.
    let mean_rate = |truth| {
        let rates: Vec<f64> = found
            .findings
            .iter()
            .filter(|finding| finding.truth == Some(truth))
            .map(|finding| finding.rates.new_species)
            .collect();
        rates.iter().sum::<f64>() / rates.len() as f64
    };
    assert!(mean_rate(Truth::NewSpecies) < mean_rate(Truth::NewGenus));
    let false_ones =
        found.findings.iter().filter(|finding| finding.is_discovery && finding.truth == Some(Truth::Known));
    assert!(false_ones.count() as f64 <= 0.1 * found.discoveries() as f64);
}

#[test]
fn what_the_measures_say_is_what_the_findings_and_names_say() {
    let found = found();
    let measures = found.measures.as_ref().unwrap();
    let count = |truth| found.findings.iter().filter(|finding| finding.truth == Some(truth)).count();
    assert_eq!(measures.truth, [Truth::Known, Truth::NewSpecies, Truth::NewGenus].map(count));
    let row = |list| measures.control.iter().find(|row| row.list == list && row.nominal == 0.05).unwrap();
    let new = row(Listed::New);
    assert_eq!((new.listed, new.belong), (found.discoveries(), count(Truth::NewSpecies) + count(Truth::NewGenus)));
    let wrong = found.findings.iter().filter(|finding| finding.is_discovery && finding.truth == Some(Truth::Known));
    assert_eq!(new.wrong, wrong.count());
    for (list, decision) in [
        (Listed::Known, Decision::Known),
        (Listed::NewSpecies, Decision::NewSpecies),
        (Listed::NewGenus, Decision::NewGenus),
    ] {
        assert_eq!(row(list).listed, found.count(decision), "{list:?}");
    }
    let truth = measures.candidates.unwrap();
    let held_species = parts().held.species.len();
    assert!(truth.species > held_species, "species of genera that were held out are new, too");
    assert_eq!(truth.species, truth.matched + truth.split + truth.merged + truth.mixed + truth.missed);
    assert_eq!(truth.missed, 0);
    let members: usize = found.candidates.iter().map(|candidate| candidate.members.len()).sum();
    assert_eq!(members, found.discoveries());
    for (number, candidate) in found.candidates.iter().enumerate() {
        let told = found.findings.iter().filter(|finding| finding.candidate == Some(number)).map(|finding| finding.row);
        assert_eq!(told.collect::<Vec<_>>(), candidate.members);
    }
}

#[test]
fn the_names_of_queries_decide_nothing() {
    let parts = parts();
    let named = found();
    let (query, vectors) = &parts.query;
    let mut builder = DatasetBuilder::new("part", Vec::new());
    for row in 0..query.len() {
        builder.push(Record {
            id: query.id(row).to_owned(),
            sequence: query.sequence(row).to_vec(),
            ..Record::default()
        });
    }
    let unnamed = builder.finish();
    let (reference, ours) = &parts.reference;
    let found =
        discover(Side::all(reference, Some(ours)), Side::all(&unnamed, Some(vectors)), None, &settings(), &Silent)
            .unwrap();
    assert!(found.measures.is_none());
    let without_truth = |found: &Discovery| -> Vec<Finding> {
        found.findings.iter().map(|finding| Finding { truth: None, ..finding.clone() }).collect()
    };
    assert_eq!(without_truth(&found), without_truth(named));
    assert_eq!(found.candidates, named.candidates);
}

#[test]
fn scores_are_those_of_the_comparison_with_every_reference() {
    let parts = parts();
    let found = found();
    let ((reference, ours), (query, theirs)) = (&parts.reference, &parts.query);
    let mean = ours.vectors.whole().mean_axis(ndarray::Axis(0)).unwrap();
    let centred = |embedded: &Embedded, unique: usize| (&embedded.vectors.row(unique) - &mean).mapv(f64::from);
    let mut aligner = Aligner::new();
    for finding in found.findings.iter().step_by(9) {
        let vector = centred(theirs, query.unique_of(finding.row));
        let (mut cosine, mut identity) = (f64::NEG_INFINITY, 0.0_f32);
        for row in 0..reference.len() {
            let other = centred(ours, reference.unique_of(row));
            cosine = cosine.max(vector.dot(&other) / (vector.dot(&vector) * other.dot(&other)).sqrt());
            identity = identity.max(aligner.identity(query.sequence(finding.row), reference.sequence(row)));
        }
        let [by_cosine, by_distance, ..] = finding.scores;
        assert!((by_cosine - (1.0 - cosine)).abs() < 1e-5, "{by_cosine} and {}", 1.0 - cosine);
        assert!((by_distance - (1.0 - f64::from(identity))).abs() < 1e-7);
        assert_eq!(finding.identity, Some(identity));
    }
}

#[test]
fn held_out_specimens_are_measured_as_if_they_were_not_there() {
    let (reference, vectors) = &parts().reference;
    let known = |rows: Option<&'static [usize]>| {
        let side = Side { dataset: reference, rows, embedded: Some(vectors) };
        Known::new(side, Some(TransformKind::None), &Silent).unwrap()
    };
    let whole = known(None);
    let side = Side::all(reference, Some(vectors));
    for row in (0..reference.len()).step_by(31) {
        for without in [Without::Itself, Without::Species] {
            let stays = |other: &usize| match without {
                Without::Species => reference.label(*other, Field::Species) != reference.label(row, Field::Species),
                _ => *other != row,
            };
            let rows: &'static [usize] = (0..reference.len()).filter(stays).collect::<Vec<_>>().leak();
            let found = whole.measure(side, &[row], without, 2, &Silent).unwrap()[0];
            let twin = known(Some(rows)).measure(side, &[row], Without::Nothing, 2, &Silent).unwrap()[0];
            assert_eq!((found.nearest, found.identity), (twin.nearest, twin.identity), "{without:?} {row}");
            assert_eq!((&found.scores[..2], found.margin), (&twin.scores[..2], twin.margin));
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_and_every_score_can_decide() {
    let again = parts().run(&settings()).unwrap();
    assert_eq!((&found().findings, &found().candidates), (&again.findings, &again.candidates));
    for score in NoveltyScore::ALL {
        let found = parts().run(&DiscoverSettings { score, calibration: 40, ..settings() }).unwrap();
        assert_eq!(found.provenance.setting("novelty score"), Some(score.key()));
        assert!(found.findings.iter().all(|finding| finding.scores.iter().all(|score| score.is_finite())));
        assert!(found.held_out[0] <= 40 && found.held_out[1] + found.held_out[2] <= 40);
        // The p-value of being that strange falls with the score that decides, in each pool; here there is one.
        let mut pairs: Vec<(f64, f64)> =
            found.findings.iter().map(|finding| (finding.scores[score.index()], finding.p_species)).collect();
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
        assert!(pairs.windows(2).all(|pair| pair[0].1 >= pair[1].1), "{score}");
    }
}

#[test]
fn a_pseudogene_and_a_contamination_are_no_sound_candidates() {
    let parts = parts();
    let (reference, ours) = &parts.reference;
    let mut rng = Seed(4).stream("pseudogene");
    let base = reference.sequence(0);
    // A base lost and many changed, as in a copy that no selection keeps.
    let mut pseudogene = mutated(base, 0.12, &mut rng);
    pseudogene.remove(300);
    let contamination = mutated(base, 0.03, &mut rng);
    let mut builder = DatasetBuilder::new("queries", Vec::new());
    builder.push(record("pseudogene", "Unknown", "Unknown one", pseudogene));
    let mut other = record("contamination", "Foreign", "Foreign one", contamination);
    other.labels.insert(Field::Order, "Aliena".to_owned());
    builder.push(other);
    let queries = builder.finish();
    let vectors = embedded(&queries);
    let settings = DiscoverSettings { threshold: Some(0.0), fdr: 0.2, ..settings() };
    let found =
        discover(Side::all(reference, Some(ours)), Side::all(&queries, Some(&vectors)), None, &settings, &Silent)
            .unwrap();
    assert_eq!(found.discoveries(), 2);
    assert!(found.findings[0].doubts.contains(&Doubt::FrameBreak), "{:?}", found.findings[0].doubts);
    assert!(found.findings[1].doubts.contains(&Doubt::OtherOrder), "{:?}", found.findings[1].doubts);
    assert_eq!(found.candidates.len(), 2, "nothing is joined at a distance of zero");
    assert!(found.candidates.iter().all(|candidate| !candidate.is_sound()));
}

#[test]
fn darkness_counts_unnamed_barcodes_among_the_nearest() {
    let world = world();
    let vectors = embedded(&world);
    let held = hold_out(&world, &HoldOutSettings { share: 0.3, known: 0.1, ..HoldOutSettings::default() }).unwrap();
    // Some rows are on neither side.
    let query = &held.query[..held.query.len() - 5];
    let found = darkness(Side::of_rows(&world, &held.reference, Some(&vectors)), query, &Silent).unwrap();
    let side = Side::of_rows(&world, &held.reference, Some(&vectors));
    let model = Reference::new(Method::Model, side, None, &Silent).unwrap();
    let transformed = model.query_vectors(&side, &Silent).unwrap().unwrap().into_owned();
    let all: Vec<usize> = held.reference.iter().chain(query).copied().collect();
    let named = uniques_of(&world, &held.reference);
    let cosine = |a: usize, b: usize| {
        let (a, b) = (transformed.row(a).mapv(f64::from), transformed.row(b).mapv(f64::from));
        a.dot(&b) / (a.dot(&a) * b.dot(&b)).sqrt()
    };
    for &row in all.iter().step_by(23) {
        let own = world.unique_of(row);
        let mut others: Vec<usize> = uniques_of(&world, &all).into_iter().filter(|&other| other != own).collect();
        others.sort_by(|&a, &b| cosine(own, b).total_cmp(&cosine(own, a)));
        let unnamed = others[..NEIGHBOURHOOD].iter().filter(|other| !named.contains(other)).count();
        assert_eq!(found[row], Some(unnamed as u8), "row {row}");
    }
    let left_out = (0..world.len()).filter(|row| !all.contains(row));
    assert!(left_out.clone().count() >= 5 && left_out.into_iter().all(|row| found[row].is_none()));
    // Where everything is named nothing is dark.
    let light = darkness(Side::all(&world, Some(&vectors)), &[], &Silent).unwrap();
    assert!(light.iter().all(|&unnamed| unnamed == Some(0)));
}

#[test]
fn what_cannot_be_asked_is_refused() {
    let parts = parts();
    let refused = |settings: DiscoverSettings| parts.run(&settings).unwrap_err().to_string();
    assert!(refused(DiscoverSettings { fdr: 0.0, ..settings() }).contains("false-discovery rate"));
    assert!(refused(DiscoverSettings { fdr: f64::NAN, ..settings() }).contains("false-discovery rate"));
    assert!(refused(DiscoverSettings { neighbour: 0, ..settings() }).contains("count from 1"));

    let (reference, ours) = &parts.reference;
    let (query, theirs) = &parts.query;
    let whole = Side::all(query, Some(theirs));
    let run = |reference: Side<'_>, query: Side<'_>| discover(reference, query, None, &settings(), &Silent);
    let nothing = run(Side::all(reference, Some(ours)), Side::of_rows(query, &[], Some(theirs)));
    assert!(matches!(nothing, Err(PipelineError::Empty { .. })));
    assert!(matches!(run(Side::of_rows(reference, &[], Some(ours)), whole), Err(PipelineError::Empty { .. })));
    for rows in [&[0_usize][..], &[0, 1]] {
        let one_species = run(Side::of_rows(reference, rows, Some(ours)), whole);
        assert!(matches!(one_species, Err(PipelineError::Setting(message)) if message.contains("too little")));
    }
    let mut builder = DatasetBuilder::new("unnamed", Vec::new());
    builder.push(Record { id: "a".into(), sequence: reference.sequence(0).to_vec(), ..Record::default() });
    let unnamed = builder.finish();
    let vectors = embedded(&unnamed);
    assert!(matches!(
        run(Side::all(&unnamed, Some(&vectors)), whole),
        Err(PipelineError::NoLabels { field: Field::Species, .. })
    ));
}

#[test]
fn one_query_and_queries_that_are_all_the_same_are_decided() {
    let parts = parts();
    let (reference, ours) = &parts.reference;
    let (query, theirs) = &parts.query;
    let one = [3_usize];
    let side = Side::of_rows(query, &one, Some(theirs));
    let found = discover(Side::all(reference, Some(ours)), side, None, &settings(), &Silent).unwrap();
    assert_eq!((found.findings.len(), found.findings[0].row), (1, 3));

    let new = (0..query.len()).find(|&row| {
        let species = query.label(row, Field::Species);
        parts.held.species.iter().any(|name| Some(name.as_str()) == species)
    });
    let mut builder = DatasetBuilder::new("same", Vec::new());
    for copy in 0..6 {
        builder.push(record(&format!("{copy}"), "Novum", "Novum one", query.sequence(new.unwrap()).to_vec()));
    }
    let same = builder.finish();
    let vectors = embedded(&same);
    let found =
        discover(Side::all(reference, Some(ours)), Side::all(&same, Some(&vectors)), None, &settings(), &Silent)
            .unwrap();
    assert_eq!((found.discoveries(), found.candidates.len(), found.threshold), (6, 1, None));
    let candidate = &found.candidates[0];
    assert_eq!((candidate.members.len(), candidate.barcodes, candidate.within), (6, 1, None));
    let nearest = candidate.relatives[0].identity;
    assert_eq!(candidate.gap, Some(1.0 - nearest));
}

/// Stops at the given call.
struct StopAt(usize, AtomicUsize);

impl Observer for StopAt {
    fn progress(&self, _: Progress) -> Result<(), Cancelled> {
        if self.1.fetch_add(1, Ordering::Relaxed) >= self.0 { Err(Cancelled) } else { Ok(()) }
    }

    fn warn(&self, _: &str) {}
}

#[test]
fn a_stop_is_a_stop_wherever_it_comes() {
    let parts = parts();
    let [reference, query] =
        [&parts.reference, &parts.query].map(|(dataset, embedded)| Side::all(dataset, Some(embedded)));
    for at in [0, 1, 5, 40, 200, 800] {
        let stopped = discover(reference, query, None, &settings(), &StopAt(at, AtomicUsize::new(0)));
        assert!(matches!(stopped, Err(PipelineError::Cancelled(_))), "call {at}");
    }
}

#[test]
fn the_page_is_whole_and_tells_what_the_tables_tell() {
    let parts = parts();
    let found = found();
    let folder = tempfile::tempdir().unwrap();
    let query = Side::all(&parts.query.0, Some(&parts.query.1));
    let page = write_discovery(folder.path(), found, &parts.reference.0, query, &Silent).unwrap();
    let html = std::fs::read_to_string(page).unwrap();
    assert!(!html.contains("href=\"http") && !html.contains("src="), "nothing outside of the page is needed");
    assert!(html.matches("<svg").count() == 3 && !html.contains("NaN"), "a map and two charts");
    assert!(html.contains(&format!("{} of them belong to no species", found.discoveries())));
    assert!(html.contains(&found.candidates[0].name(0)));
    let lines = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap().lines().count();
    assert_eq!(lines("queries.csv"), found.findings.len() + 1);
    assert_eq!(lines("scores.csv"), found.findings.len() + 1);
    assert_eq!(lines("candidates.csv"), found.candidates.len() + 1);
    assert_eq!(lines("discoveries.fasta"), 2 * found.discoveries());
}
