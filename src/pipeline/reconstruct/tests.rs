use super::*;
use crate::data::dataset::{DatasetBuilder, Record};
use crate::data::frame::{FrameProfile, reverse_complement};
use crate::model::{DeviceChoice, OpenOptions};
use crate::progress::{Cancelled, Silent};
use std::path::Path;

fn reference(name: &str) -> Model {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reference").join(name);
    Model::open(&path, &OpenOptions { device: DeviceChoice::Cpu, ..OpenOptions::default() }).unwrap()
}

fn dataset(sequences: &[Vec<u8>]) -> Dataset {
    let mut builder = DatasetBuilder::new("some", Vec::new());
    for (row, sequence) in sequences.iter().enumerate() {
        builder.push(Record { id: format!("s{row}"), sequence: sequence.clone(), ..Record::default() });
    }
    builder.finish()
}

/// The consensus of the frame, cut, turned and made ambiguous.
fn consensus() -> Dataset {
    let whole = FrameProfile::bundled().consensus().to_vec();
    let mut ambiguous = whole.clone();
    ambiguous[30] = b'N';
    dataset(&[whole.clone(), whole[20..].to_vec(), reverse_complement(&whole), ambiguous, whole[..5].to_vec()])
}

#[test]
fn guesses_are_those_of_the_model_and_probabilities_add_up() {
    let model = reference("mae_k4.safetensors");
    let data = consensus();
    let settings = ReconstructSettings { top: 256, ..ReconstructSettings::default() };
    let found = reconstruct(&data, &[3, 0], &model, &settings, &Silent).unwrap();
    assert_eq!(found.barcodes.iter().map(|barcode| barcode.row).collect::<Vec<_>>(), [3, 0]);
    for barcode in &found.barcodes {
        let read = model.tokenizer().read(data.sequence(barcode.row));
        let masked: Vec<bool> = barcode.tokens.iter().map(|token| token.masked).collect();
        let kmers = read.ids.iter().filter(|&&id| !model.tokenizer().is_special(id)).count();
        assert_eq!(masked.iter().filter(|&&masked| masked).count(), (kmers as f64 * 0.5).round() as usize);
        let scores = model.guess(&[MaskedTokens { tokens: &read, masked: &masked }]).unwrap().remove(0);
        let guessed: Vec<&ReconstructedToken> = barcode.tokens.iter().filter(|token| token.masked).collect();
        for (token, scores) in guessed.iter().zip(scores.rows()) {
            assert!((token.guesses.iter().map(|guess| guess.probability).sum::<f64>() - 1.0).abs() < 1e-5);
            assert!(token.guesses.is_sorted_by(|a, b| a.probability >= b.probability));
            let truth = token.guesses.iter().find(|guess| guess.kmer == token.kmer).unwrap();
            assert_eq!(token.probability, Some(truth.probability));
            let best = (0..256).fold(0, |best, at| if scores[at] > scores[best] { at } else { best });
            assert_eq!(token.guesses[0].kmer.as_bytes(), model.tokenizer().kmer(best as u32 + 2).unwrap());
            assert_eq!(token.is_right(), Some(token.guesses[0].kmer == token.kmer));
        }
        for token in &barcode.tokens {
            assert_eq!(token.kmer.as_bytes(), &barcode.bases.as_bytes()[token.first_base..token.first_base + 4]);
            assert_eq!(token.masked, !token.guesses.is_empty());
            assert!(!token.masked || !token.kmer.contains('N'), "special tokens are never masked");
        }
    }
}

#[test]
fn amino_acids_follow_the_frame_whatever_the_cut_and_the_strand() {
    let model = reference("mae_k4.safetensors");
    let settings = ReconstructSettings { register: Some(true), ..ReconstructSettings::default() };
    let found = reconstruct(&consensus(), &[0, 1, 2], &model, &settings, &Silent).unwrap();
    let protein = |at: usize| -> String { found.barcodes[at].codons.iter().map(|codon| codon.amino_acid).collect() };
    assert!(!protein(0).contains('*') && protein(0).len() == 219, "{}", protein(0));
    // 20 bases later, the seventh codon is the first whole one
    assert!(protein(0).ends_with(&protein(1)) && protein(1).len() == 212, "{}", protein(1));
    assert_eq!(protein(2), protein(0));
    for barcode in &found.barcodes {
        let mut filled = barcode.bases.clone().into_bytes();
        for token in barcode.tokens.iter().filter(|token| token.masked) {
            filled[token.first_base..][..4].copy_from_slice(token.guesses[0].kmer.as_bytes());
        }
        let code = GeneticCode::InvertebrateMitochondrial;
        let guessed: Vec<u8> = barcode.codons.iter().map(|codon| codon.guessed as u8).collect();
        assert_eq!(guessed, code.translate(&filled, barcode.codons[0].first_base));
    }
    let unturned = ReconstructSettings { register: Some(false), ..settings };
    let found = reconstruct(&consensus(), &[0, 2], &model, &unturned, &Silent).unwrap();
    assert!(!found.barcodes[0].codons.is_empty());
    assert!(found.barcodes[1].codons.is_empty(), "the other strand is not read");
}

#[test]
fn positions_count_what_was_masked_there() {
    let model = reference("mae_k4.safetensors");
    let whole = FrameProfile::bundled().consensus().to_vec();
    let data = dataset(&(0..30).map(|cut| whole[..whole.len() - cut].to_vec()).collect::<Vec<_>>());
    let rows: Vec<usize> = (0..30).collect();
    let found = reconstruct(&data, &rows, &model, &ReconstructSettings::default(), &Silent).unwrap();
    let scores = by_position(&found);
    let (masked, right) = found.score();
    assert_eq!(scores.iter().map(|score| score.masked).sum::<usize>(), masked);
    assert_eq!(scores.iter().map(|score| score.right).sum::<usize>(), right);
    assert!(scores.is_sorted_by(|a, b| a.position < b.position));
    for score in &scores {
        // all barcodes have the same k-mer at a position
        assert_eq!((score.most_frequent, score.bar()), (score.masked, 1.0));
        let at = found.barcodes.iter().flat_map(|barcode| &barcode.tokens);
        let at: Vec<_> = at.filter(|token| token.masked && token.position == score.position).collect();
        let mean = at.iter().filter_map(|token| token.probability).sum::<f64>() / at.len() as f64;
        assert!((score.mean_probability - mean).abs() < 1e-12);
    }
    assert!(position_figure(&found, "a model").png(400).is_ok());
    let none = Reconstructions { barcodes: Vec::new(), ..found };
    assert!(by_position(&none).is_empty() && position_figure(&none, "a").png(300).is_ok());
}

#[test]
fn the_bundled_model_guesses_far_better_than_chance() {
    let model = Model::bundled(&DeviceChoice::Cpu).unwrap();
    let data = dataset(&[FrameProfile::bundled().consensus().to_vec()]);
    let found = reconstruct(&data, &[0], &model, &ReconstructSettings::default(), &Silent).unwrap();
    let (masked, right) = found.score();
    // 1 in 4 096 by chance
    assert!(masked == 55 && right > 10, "{right} of {masked}");
}

#[test]
fn a_causal_model_keeps_its_first_token() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("causal.safetensors");
    let checkpoint = crate::model::Checkpoint::open(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reference/published_mlm_ddp_k4.pt"),
        None,
    );
    let settings = checkpoint.unwrap().write(&path).unwrap();
    let json = std::fs::read_to_string(&settings).unwrap().replace(r#""objective": "mlm""#, r#""objective": "causal""#);
    std::fs::write(&settings, json).unwrap();
    let model = Model::open(&path, &OpenOptions { device: DeviceChoice::Cpu, ..OpenOptions::default() }).unwrap();
    assert!(model.info().causal);
    let data = dataset(&[b"ACGTTTGACCATGGACCATA".to_vec()]);
    for seed in 0..20 {
        let settings = ReconstructSettings { ratio: 0.9, seed: Seed(seed), ..ReconstructSettings::default() };
        let found = reconstruct(&data, &[0], &model, &settings, &Silent).unwrap();
        let masked: Vec<bool> = found.barcodes[0].tokens.iter().map(|token| token.masked).collect();
        assert_eq!(masked, [false, true, true, true, true]);
    }
}

#[test]
fn what_can_not_be_reconstructed_is_told() {
    let (data, model) = (consensus(), reference("mae_k4.safetensors"));
    let settings = ReconstructSettings::default();
    let message = |model: &Model, rows: &[usize], settings: &ReconstructSettings| {
        reconstruct(&data, rows, model, settings, &Silent).unwrap_err().to_string()
    };
    assert!(message(&reference("published_mae_k4.pt"), &[0], &settings).contains("encoder alone"));
    for ratio in [0.0, 0.95, f64::NAN] {
        assert!(message(&model, &[0], &ReconstructSettings { ratio, ..settings }).contains("ratio"));
    }
    assert!(message(&model, &[], &settings).contains("no specimens"));
    let short = reconstruct(&data, &[4, 1], &model, &settings, &Silent).unwrap();
    assert_eq!((short.left_out, short.barcodes.len()), (vec![4], 1));
    struct Stop;
    impl Observer for Stop {
        fn progress(&self, _at: Progress) -> Result<(), Cancelled> {
            Err(Cancelled)
        }
    }
    assert!(reconstruct(&data, &[0], &model, &settings, &Stop).unwrap_err().is_cancelled());
}
