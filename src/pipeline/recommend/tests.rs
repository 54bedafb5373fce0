use super::*;
use crate::analysis::alignment::Aligner;
use crate::data::dataset::{DatasetBuilder, Record};
use crate::model::{DeviceChoice, Model, OpenOptions};
use crate::pipeline::embed::{EmbedSettings, Embedded, embed};
use crate::pipeline::masking::tests::survey;
use crate::progress::{Cancelled, Silent};
use rand::Rng;
use std::path::Path;

fn embedded(dataset: &Dataset) -> Embedded {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reference/mae_k4.safetensors");
    let options = OpenOptions { device: DeviceChoice::Cpu, ..OpenOptions::default() };
    let model = Model::open(&path, &options).unwrap();
    embed(dataset, None, &model, &EmbedSettings::default(), None, &Silent).unwrap()
}

fn asked(dataset: &Dataset, settings: &RecommendSettings) -> Recommendation {
    recommend(Side::all(dataset, Some(&embedded(dataset))), settings, &Silent).unwrap()
}

/// Specimens as (sequence, genus, species).
fn of(specimens: &[(&[u8], &str, Option<&str>)]) -> Dataset {
    let mut builder = DatasetBuilder::new("small", Vec::new());
    for (at, (sequence, genus, species)) in specimens.iter().enumerate() {
        let mut labels: HashMap<Field, String> = [(Field::Genus, (*genus).to_owned())].into();
        labels.extend(species.map(|species| (Field::Species, species.to_owned())));
        builder.push(Record { id: format!("s{at}"), sequence: sequence.to_vec(), labels, ..Record::default() });
    }
    builder.finish()
}

fn random(seed: u64) -> Vec<u8> {
    let mut rng = Seed(seed).stream("test barcode");
    (0..200).map(|_| b"ACGT"[rng.random_range(0..4)]).collect()
}

fn changed(sequence: &[u8], places: &[usize]) -> Vec<u8> {
    let mut sequence = sequence.to_vec();
    for &place in places {
        sequence[place] = if sequence[place] == b'A' { b'C' } else { b'A' };
    }
    sequence
}

/// By the definition, for alignment: the most identical specimen of another species, all against all.
fn right_by_definition(dataset: &Dataset) -> usize {
    let species = |row| dataset.label(row, Field::Species);
    let right = |row: &usize| {
        let others = (0..dataset.len()).filter(|&other| species(other) != species(*row));
        let identity = |other: usize| Aligner::new().identity(dataset.sequence(*row), dataset.sequence(other));
        // the first of equal ones
        let best = others.fold((None, f32::NEG_INFINITY), |best, other| {
            if identity(other) > best.1 { (Some(other), identity(other)) } else { best }
        });
        best.0.and_then(|other| dataset.label(other, Field::Genus)) == dataset.label(*row, Field::Genus)
    };
    (0..dataset.len()).filter(right).count()
}

#[test]
fn alignment_is_right_as_often_as_by_the_definition() {
    let dataset = survey(false, 0);
    // Every species has 4 specimens, of which 3 are asked about; so keep three of each. Every third species bears the name of the next
    // genus, so that its relatives answer wrong, and it answers wrong to them.
    let name = |row: usize| format!("Genus{}", (row / 12 + usize::from(row / 4 % 3 == 2)) % 5);
    let species: Vec<String> = (0..dataset.len()).map(|row| format!("species {}", row / 4)).collect();
    let genera: Vec<String> = (0..dataset.len()).map(name).collect();
    let kept = (0..dataset.len()).filter(|row| row % 4 != 3);
    let part = of(&kept.map(|row| (dataset.sequence(row), &*genera[row], Some(&*species[row]))).collect::<Vec<_>>());
    let found = asked(&part, &RecommendSettings::default());
    assert_eq!((found.n, found.n_species), (45, 15));
    assert_eq!(found.evidence.iter().map(|evidence| evidence.method).collect::<Vec<_>>(), METHODS);
    let expected = right_by_definition(&part);
    assert!(expected > 9 && expected < 45, "{expected} of 45 distinguishes nothing");
    let align = found.of(Method::Align).unwrap();
    assert_eq!(align.right, expected);
    assert!((align.accuracy - expected as f64 / 45.0).abs() < 1e-12);
    let best = found.of(found.best.unwrap()).unwrap();
    assert!(found.evidence.iter().all(|evidence| evidence.right <= best.right));
    for evidence in &found.evidence {
        let [low, high] = evidence.interval;
        assert!(low <= evidence.accuracy && evidence.accuracy <= high);
        let model = found.of(Method::Model).unwrap();
        let Some((above, [low, high])) = evidence.above_model else { continue };
        assert!((above - (evidence.accuracy - model.accuracy)).abs() < 1e-12 && low <= above && above <= high);
    }
}

#[test]
fn nobody_of_the_own_species_answers() {
    let (a, b) = (random(1), random(2));
    // The nearest of another species is of the other genus for all four, though fellows of the species are nearer.
    let mixed = [a.clone(), changed(&a, &[1]), changed(&a, &[50, 60]), changed(&a, &[50, 60, 61])];
    let far = [b.clone(), changed(&b, &[9])];
    let specimens: Vec<(&[u8], &str, Option<&str>)> = vec![
        (&mixed[0], "Una", Some("Una prima")),
        (&mixed[1], "Una", Some("Una prima")),
        (&mixed[2], "Altera", Some("Altera prima")),
        (&mixed[3], "Altera", Some("Altera prima")),
        (&far[0], "Una", Some("Una secunda")),
        (&far[1], "Altera", Some("Altera secunda")),
    ];
    let dataset = of(&specimens);
    let by = |rank| asked(&dataset, &RecommendSettings { rank, ..RecommendSettings::default() });
    let genus = by(Field::Genus);
    assert!(genus.without_species);
    assert_eq!(genus.evidence.iter().map(|evidence| evidence.right).collect::<Vec<_>>(), [0; 4]);
    // For species only the own barcode is left out, and those with one barcode cannot be asked about.
    let species = by(Field::Species);
    assert_eq!((species.n, species.n_species, species.without_species), (4, 2, false));
    assert_eq!(species.evidence[1..].iter().map(|evidence| evidence.right).collect::<Vec<_>>(), [4; 3]);
    let model = species.of(Method::Model).unwrap().right;
    let first = if model == 4 { Method::Model } else { Method::Both };
    assert_eq!(species.best, Some(first), "of equal ones the first");
}

#[test]
fn a_barcode_that_two_species_share_answers_for_the_other_one() {
    let a = random(3);
    let other = changed(&a, &[3, 4, 5]);
    let dataset =
        of(&[(&a, "Una", Some("Una prima")), (&a, "Una", Some("Una secunda")), (&other, "Altera", Some("Altera x"))]);
    let found = asked(&dataset, &RecommendSettings::default());
    assert_eq!((found.n, found.n_species), (1, 1), "one barcode is asked about once");
    assert!(found.evidence.iter().all(|evidence| evidence.right == 1));
}

#[test]
fn who_cannot_be_asked_is_not() {
    let (a, b) = (random(4), random(5));
    for dataset in [
        of(&[(&a, "Una", Some("Una prima")), (&b, "Altera", Some("Altera prima"))]),
        of(&[(&a, "Una", None), (&b, "Una", None)]),
        of(&[(&a, "Una", Some("Una prima"))]),
    ] {
        let found = asked(&dataset, &RecommendSettings::default());
        assert_eq!((found.n, found.best, found.evidence.len()), (0, None, 0), "{found:?}");
    }
    let without = of(&[]);
    let none = embedded(&of(&[(&a, "Una", None)]));
    assert!(recommend(Side::all(&without, Some(&none)), &RecommendSettings::default(), &Silent).is_err());
    let unread = of(&[(&a, "Una", None)]);
    assert!(recommend(Side::all(&unread, None), &RecommendSettings::default(), &Silent).is_err());
}

#[test]
fn the_sample_is_small_and_follows_from_the_seed() {
    let dataset = survey(false, 0);
    let draw = |sample, seed| {
        let settings = RecommendSettings { sample, seed: Seed(seed), ..RecommendSettings::default() };
        let question = Question::of(&Side::all(&dataset, None), &settings);
        let mut of_species: HashMap<u32, usize> = HashMap::new();
        question.species.iter().for_each(|&species| *of_species.entry(species).or_default() += 1);
        assert!(of_species.values().all(|&drawn| drawn <= OF_ONE_SPECIES));
        for (&row, &species) in question.asked.iter().zip(&question.species) {
            assert_eq!(question.species_of_row[row], Some(species));
        }
        question.asked
    };
    assert_eq!(draw(10, 1).len(), 10);
    assert_eq!(draw(1000, 1).len(), 45);
    assert_eq!(draw(0, 1).len(), 0);
    assert_eq!(draw(10, 1), draw(10, 1));
    assert_ne!(draw(10, 1), draw(10, 2));
}

#[test]
fn it_can_be_stopped() {
    struct Stop;
    impl Observer for Stop {
        fn progress(&self, _: Progress) -> Result<(), Cancelled> {
            Err(Cancelled)
        }
        fn warn(&self, _: &str) {}
    }
    let dataset = survey(false, 0);
    let found = recommend(Side::all(&dataset, Some(&embedded(&dataset))), &RecommendSettings::default(), &Stop);
    assert!(found.unwrap_err().is_cancelled());
}
