#![expect(clippy::print_stdout, reason = "tests of real data tell what they measured, or that they were skipped")]

use super::*;
use crate::data::dataset::{DatasetBuilder, Record};
use crate::progress::Silent;
use crate::seed::Seed;
use proptest::prelude::*;
use rand::Rng;
use rand::seq::SliceRandom;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

fn profile() -> &'static FrameProfile {
    FrameProfile::bundled()
}

fn scratch() -> Scratch {
    Scratch::default()
}

/// A barcode drawn base by base from the profile: as COI-like as a sequence can be that nobody ever saw.
fn sampled_barcode(rng: &mut impl Rng) -> Vec<u8> {
    let draw = |at: &[u32; 4]| {
        let mut left = rng.random_range(0..at.iter().sum::<u32>());
        let mut base = 0;
        while left >= at[base] {
            left -= at[base];
            base += 1;
        }
        b"ACGT"[base]
    };
    profile().counts().iter().map(draw).collect()
}

fn random_bases(length: usize, rng: &mut impl Rng) -> Vec<u8> {
    (0..length).map(|_| b"ACGT"[rng.random_range(0..4)]).collect()
}

#[test]
fn the_consensus_lies_at_the_start_of_the_frame() {
    let consensus = profile().consensus();
    let found = profile().register(&consensus).unwrap();
    assert_eq!((found.start, found.end, found.strand), (0, 658, Strand::Forward));
    assert!(found.is_coi() && found.score > 0.8, "{found:?}");
    let protein = GeneticCode::InvertebrateMitochondrial.translate(&consensus, FIRST_CODON);
    assert!(!protein.contains(&b'*'), "{}", String::from_utf8_lossy(&protein));
}

#[test]
fn every_cut_and_strand_of_a_barcode_is_found_again() {
    let mut rng = Seed(3).stream("frame cuts");
    for _ in 0..40 {
        let barcode = sampled_barcode(&mut rng);
        let from = rng.random_range(0..400);
        let until = rng.random_range(from + 150..=658);
        let before_length = rng.random_range(0..60) * usize::from(from == 0);
        let mut read = random_bases(before_length, &mut rng);
        read.extend_from_slice(&barcode[from..until]);
        let expected_start = from as i32 - before_length as i32;
        let expected_end = expected_start + read.len() as i32;
        for (strand, read) in [(Strand::Forward, read.clone()), (Strand::Reverse, reverse_complement(&read))] {
            let found = profile().register(&read).unwrap();
            assert_eq!((found.start, found.end, found.strand), (expected_start, expected_end, strand));
            assert!(found.is_coi());
        }
    }
}

#[test]
fn a_barcode_with_sequence_on_both_sides_starts_before_the_frame() {
    let mut rng = Seed(4).stream("frame surroundings");
    let mut read = random_bases(700, &mut rng);
    read.extend(sampled_barcode(&mut rng));
    read.extend(random_bases(1_000, &mut rng));
    let found = profile().register(&read).unwrap();
    assert_eq!((found.start, found.end), (-700, 1_658));
}

#[test]
fn random_bases_are_not_coi_and_short_reads_are_not_judged() {
    let mut rng = Seed(5).stream("frame noise");
    for length in [100, 300, 658, 1_500] {
        let found = profile().register(&random_bases(length, &mut rng)).unwrap();
        assert!(!found.is_coi(), "{length} bases: {found:?}");
    }
    assert_eq!(profile().register(&profile().consensus()[..99]), None);
    assert_eq!(profile().register(b""), None);
    assert_eq!(profile().register(&[b'N'; 700]), None);
    assert!(profile().register(&profile().consensus()[..100]).unwrap().is_coi());
}

#[test]
fn ambiguous_letters_neither_score_nor_count() {
    let mut read = profile().consensus();
    let whole = profile().register(&read).unwrap();
    read[100..400].fill(b'N');
    let gappy = profile().register(&read).unwrap();
    assert_eq!((gappy.start, gappy.strand), (whole.start, whole.strand));
    let exact = |positions: &mut dyn Iterator<Item = usize>| {
        let worth: Vec<f64> = positions
            .map(|position| {
                let at = profile().counts()[position];
                let total: u32 = at.iter().sum();
                (f64::from(*at.iter().max().unwrap()) / f64::from(total) * 4.0).ln()
            })
            .collect();
        worth.iter().sum::<f64>() / worth.len() as f64
    };
    assert!((f64::from(whole.score) - exact(&mut (0..658))).abs() < 1e-6);
    assert!((f64::from(gappy.score) - exact(&mut (0..100).chain(400..658))).abs() < 1e-6);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// The rounded first pass must never lose the best shift, whatever the letters.
    #[test]
    fn the_fast_scan_finds_what_scoring_every_shift_finds(
        noise in proptest::collection::vec(proptest::sample::select(b"ACGTACGTACGTNR".to_vec()), 0..900),
        from in 0_usize..658,
        length in 0_usize..658,
        at in 0_usize..900,
    ) {
        let consensus = profile().consensus();
        let piece = &consensus[from..658.min(from + length)];
        let mut read = noise;
        let at = at.min(read.len());
        read.splice(at..at, piece.iter().copied());
        prop_assert_eq!(profile().best_placement(&read, &mut scratch()), profile().best_placement_plain(&read));
    }
}

fn dataset(rows: &[(&[u8], Option<&str>)]) -> Dataset {
    let mut builder = DatasetBuilder::new("frames", Vec::new());
    for (row, (sequence, phylum)) in rows.iter().enumerate() {
        builder.push(Record {
            id: format!("r{row}"),
            sequence: sequence.to_vec(),
            labels: phylum.map(|name| (Field::Phylum, name.to_owned())).into_iter().collect(),
            ..Record::default()
        });
    }
    builder.finish()
}

/// Puts `codon` over the whole codon number `index` of the frame.
fn with_codon(barcode: &[u8], index: usize, codon: &[u8; 3]) -> Vec<u8> {
    let mut changed = barcode.to_vec();
    let from = FIRST_CODON + 3 * index;
    changed[from..from + 3].copy_from_slice(codon);
    changed
}

#[test]
fn every_flag_is_raised_by_what_it_names_and_by_nothing_else() {
    let good = profile().consensus();
    let turned = reverse_complement(&good);
    let stopped = with_codon(&good, 40, b"TAA");
    let turned_stopped = reverse_complement(&stopped);
    let vertebrate_stop = with_codon(&good, 40, b"AGA");
    let noise = random_bases(600, &mut Seed(6).stream("frame flags"));
    let rows: [(&[u8], Option<&str>); 8] = [
        (&good, Some("Arthropoda")),
        (&turned, Some("Arthropoda")),
        (&stopped, Some("Arthropoda")),
        (&turned_stopped, None),
        (&vertebrate_stop, Some("Chordata")),
        (&with_codon(&good, 41, b"AGA"), Some("Mollusca")),
        (&noise, None),
        (&good[..60], None),
    ];
    let flags: Vec<Vec<&str>> =
        check_frames(&dataset(&rows), &Silent).unwrap().iter().map(|check| check.flags.names().collect()).collect();
    let expected: [&[&str]; 8] = [
        &[],
        &["reverse_complement"],
        &["stop_codon"],
        &["reverse_complement", "stop_codon"],
        &["stop_codon"],
        &[],
        &["not_coi", "stop_codon"],
        &[],
    ];
    assert_eq!(flags, expected);
}

#[test]
fn checks_are_one_per_unique_barcode_in_order_and_repeatable() {
    let mut rng = Seed(7).stream("frame rows");
    let barcodes: Vec<Vec<u8>> =
        (0..600).map(|_| sampled_barcode(&mut rng)[rng.random_range(0..30)..].to_vec()).collect();
    let mut rows: Vec<(&[u8], Option<&str>)> = barcodes.iter().map(|barcode| (&barcode[..], None)).collect();
    rows.push((&barcodes[0], None));
    let checks = check_frames(&dataset(&rows), &Silent).unwrap();
    assert_eq!(checks.len(), barcodes.len());
    for (check, barcode) in checks.iter().zip(&barcodes) {
        assert_eq!(check.registration, profile().register(barcode));
    }
    assert!(check_frames(&dataset(&[]), &Silent).unwrap().is_empty());
}

#[test]
fn a_cancelled_check_ends_at_once() {
    struct Stop;
    impl Observer for Stop {
        fn progress(&self, _at: Progress) -> Result<(), Cancelled> {
            Err(Cancelled)
        }
    }
    let good = profile().consensus();
    assert_eq!(check_frames(&dataset(&[(&good, None)]), &Stop), Err(Cancelled));
}

/// The folder of real barcodes; `None`, with a printed line, where it is not given.
fn real_data() -> Option<PathBuf> {
    let folder = std::env::var_os("BARCODESCOPE_DATA").map(PathBuf::from);
    if folder.is_none() {
        // Not by a macro, whose text is only shown for tests that fail.
        let said = b"skipped: BARCODESCOPE_DATA does not name a folder of real barcodes\n";
        std::io::stderr().write_all(said).unwrap();
    }
    folder
}

/// Barcode and split of every record of the benchmark.
fn benchmark(folder: &Path) -> Vec<(Vec<u8>, String)> {
    let file = std::fs::File::open(folder.join("coi_benchmark.csv.gz")).unwrap();
    let mut reader = csv::Reader::from_reader(flate2::read::MultiGzDecoder::new(file));
    let header = reader.headers().unwrap().clone();
    let column = |name: &str| header.iter().position(|field| field == name).unwrap();
    let (barcode, split) = (column("dna_barcode"), column("split"));
    let records = reader.records().map(Result::unwrap);
    records.map(|record| (record[barcode].as_bytes().to_vec(), record[split].to_owned())).collect()
}

/// Sequences of a FASTA file, upper case without gaps.
fn fasta(path: &Path) -> Vec<Vec<u8>> {
    let mut text = Vec::new();
    std::fs::File::open(path).unwrap().read_to_end(&mut text).unwrap();
    let text = String::from_utf8_lossy(&text);
    let sequence_of = |record: &str| {
        let letters = record.split_once('\n').map_or("", |(_, sequence)| sequence);
        letters.bytes().filter(u8::is_ascii_alphabetic).map(|letter| letter.to_ascii_uppercase()).collect()
    };
    text.split('>').skip(1).map(sequence_of).collect()
}

fn tab_column(path: &Path, column: usize) -> Vec<Vec<u8>> {
    let text = std::fs::read_to_string(path).unwrap();
    let cell = |line: &str| line.split('\t').nth(column).unwrap_or("").trim().to_ascii_uppercase().into_bytes();
    text.lines().skip(1).map(cell).collect()
}

/// With `BARCODESCOPE_BLESS` set the asset is written anew instead.
#[test]
fn the_asset_is_the_profile_of_the_benchmark() {
    let Some(folder) = real_data() else { return };
    let records = benchmark(&folder);
    let pretraining = records.iter().filter(|(_, split)| split == "pretrain" || split == "train");
    let rebuilt = FrameProfile::from_barcodes(pretraining.map(|(barcode, _)| &barcode[..]));
    if std::env::var_os("BARCODESCOPE_BLESS").is_some() {
        let asset = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/coi5p_profile.tsv");
        std::fs::write(asset, rebuilt.to_table()).unwrap();
        return;
    }
    assert_eq!(rebuilt.counts(), profile().counts());
}

fn register_all(sequences: &[Vec<u8>]) -> Vec<Registration> {
    let register = |scratch: &mut Scratch, sequence: &Vec<u8>| profile().register_with(sequence, scratch);
    sequences.par_iter().map_init(Scratch::default, register).flatten().collect()
}

#[test]
fn the_benchmark_lies_in_the_frame_as_its_description_says() {
    let Some(folder) = real_data() else { return };
    let (labelled, pretrain): (Vec<_>, Vec<_>) =
        benchmark(&folder).into_iter().partition(|(_, split)| split != "pretrain");
    let share_at_start = |records: Vec<(Vec<u8>, String)>| {
        let found = register_all(&records.into_iter().map(|(barcode, _)| barcode).collect::<Vec<_>>());
        let share = |wanted: &dyn Fn(i32) -> bool| {
            found.iter().filter(|at| wanted(at.start)).count() as f64 / found.len() as f64
        };
        let [before, first] = [share(&|start| start <= 0), share(&|start| start == 0)];
        println!("{} barcodes: {first:.3} start at frame base 0, {before:.3} there or before", found.len());
        first
    };
    assert!((share_at_start(labelled) - 0.52).abs() < 0.02);
    assert!((share_at_start(pretrain) - 0.19).abs() < 0.02);
}

#[test]
fn the_threshold_tells_barcodes_from_everything_else() {
    let Some(folder) = real_data() else { return };
    let cases = folder.join("case_studies");
    let barcodes: Vec<Vec<u8>> = benchmark(&folder).into_iter().map(|(barcode, _)| barcode).collect();
    let mut rng = Seed(1).stream("shuffled barcodes");
    let mut shuffled = |keep: usize| -> Vec<Vec<u8>> {
        let sample = barcodes.iter().step_by(15).cloned();
        let shuffle = |mut letters: Vec<u8>| {
            letters.shuffle(&mut rng);
            letters.truncate(keep);
            letters
        };
        sample.map(shuffle).collect()
    };
    let noise = [shuffled(usize::MAX), shuffled(100)];
    let [shuffled_whole, shuffled_short] = noise;
    let third = fasta(&cases.join("NEGATIVE_agabus_COI3P.fas"));
    let cytochrome_b = tab_column(&cases.join("NEGATIVE_itaxotools_TaxI2_cytb_CRLF.tab"), 3);
    let bacteria = fasta(&cases.join("NEGATIVE_Proteobacteria_COI.fasta"));
    // Name, sequences, and the share that may be called COI.
    let sets = [
        ("benchmark", barcodes.clone(), 0.99..1.0),
        ("shuffled benchmark", shuffled_whole, 0.0..1e-9),
        ("the same, first 100 bases", shuffled_short, 0.0..0.001),
        ("COI-3P of Agabus", third, 0.0..1e-9),
        ("cytochrome b of frogs", cytochrome_b, 0.0..1e-9),
        ("COI of Proteobacteria", bacteria, 0.15..0.25),
    ];
    println!("| sequences | n | lowest | 1 % | median | 99 % | highest | called COI |");
    for (name, sequences, allowed) in sets {
        let mut scores: Vec<f32> = register_all(&sequences).iter().map(|at| at.score).collect();
        scores.sort_by(f32::total_cmp);
        let quantiles = [0.0, 0.01, 0.5, 0.99, 1.0].map(|q| scores[((scores.len() - 1) as f64 * q).round() as usize]);
        let coi = scores.iter().filter(|&&score| score >= FrameProfile::MIN_SCORE).count() as f64 / scores.len() as f64;
        let shown = quantiles.map(|score| format!("{score:.2}")).join(" | ");
        println!("| {name} | {} | {shown} | {:.2} % |", scores.len(), coi * 100.0);
        assert!(allowed.contains(&coi), "{name}: {coi}");
    }
}
