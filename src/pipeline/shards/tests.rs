use super::*;
use crate::data::dataset::{DatasetBuilder, Record, SourceFile};
use crate::model::DeviceChoice;
use crate::progress::Silent;
use crate::seed::Seed;
use proptest::prelude::*;
use rand::Rng;

fn share(text: &str) -> Share {
    text.parse().unwrap()
}

/// Forty specimens of thirty barcodes, of a file that lies in `folder`.
fn dataset(folder: &Path) -> Dataset {
    let mut rng = Seed(4).stream("shards");
    let barcodes: Vec<Vec<u8>> = (0..30).map(|_| (0..120).map(|_| b"ACGT"[rng.random_range(0..4)]).collect()).collect();
    let mut builder = DatasetBuilder::new("sharded", Vec::new());
    let path = folder.join("sharded.csv");
    std::fs::write(&path, "the source").unwrap();
    builder.add_file(SourceFile { path, sha256: ContentHash::of(b"the source") });
    for row in 0..40 {
        builder.push(Record { id: format!("s{row}"), sequence: barcodes[row % 30].clone(), ..Record::default() });
    }
    builder.finish()
}

fn run(dataset: &Dataset, text: &str, folder: &Path) -> ShareDone {
    let model = Model::bundled(&DeviceChoice::Cpu).unwrap();
    embed_share(dataset, &model, &EmbedSettings::default(), share(text), folder, Seed(1), &Silent).unwrap()
}

fn embedded(dataset: &Dataset, cache: Option<&Cache>) -> Embedded {
    let model = Model::bundled(&DeviceChoice::Cpu).unwrap();
    embed(dataset, None, &model, &EmbedSettings::default(), cache, &Silent).unwrap()
}

#[test]
fn shares_are_read_back_and_others_refused() {
    assert_eq!(share("3/10").to_string(), "3/10");
    for wrong in ["", "3", "0/3", "4/3", "1/0", "-1/2", "a/b", "1/2/3"] {
        assert!(wrong.parse::<Share>().is_err(), "{wrong}");
    }
}

proptest! {
    #[test]
    fn every_barcode_is_in_exactly_one_share(barcode in "[ACGT]{1,80}", of in 1u32..50) {
        let holding = (1..=of).filter(|number| Share { number: *number, of }.holds(barcode.as_bytes())).count();
        prop_assert_eq!(holding, 1);
    }
}

#[test]
fn shards_together_hold_what_one_run_computes() {
    let home = tempfile::tempdir().unwrap();
    let dataset = dataset(home.path());
    let out = home.path().join("out");
    let done: Vec<ShareDone> = ["1/3", "2/3", "3/3"].map(|text| run(&dataset, text, &out)).into();
    assert_eq!(done.iter().map(|done| done.barcodes).sum::<usize>(), 30, "each barcode once");
    let manifests: Vec<PathBuf> = done.iter().map(|done| done.manifest.clone()).collect();
    let shards = read_shards(&manifests, &Silent).unwrap();
    assert_eq!(shards.sources[0].path, std::path::absolute(home.path().join("sharded.csv")).unwrap());
    assert!(shards.changed(&dataset).is_empty());
    let other = Shards {
        sources: vec![HashedFile { sha256: ContentHash::of(b"other"), ..shards.sources[0].clone() }],
        ..shards.clone()
    };
    assert!(other.changed(&dataset)[0].contains("has changed"));
    assert!(shards.remarks.is_empty(), "{:?}", shards.remarks);
    assert_eq!(folders_in(&out).unwrap(), shards.folders);
    let cache = Cache::at(home.path().join("empty")).with_shards(&shards.folders);
    let (from_shards, anew) = (embedded(&dataset, Some(&cache)), embedded(&dataset, None));
    assert_eq!((from_shards.computed, from_shards.cached), (0, 30));
    assert_eq!(from_shards.vectors, anew.vectors);
    // A file that has moved is found beside the shards; one that is gone is told of.
    std::fs::rename(home.path().join("sharded.csv"), out.join("sharded.csv")).unwrap();
    assert_eq!(read_shards(&manifests, &Silent).unwrap().sources[0].path, out.join("sharded.csv"));
    std::fs::remove_file(out.join("sharded.csv")).unwrap();
    assert!(read_shards(&manifests, &Silent).unwrap_err().to_string().contains("sharded.csv"));
}

#[test]
fn shares_are_of_like_size() {
    let mut sizes = [0; 8];
    for barcode in 0..4000u32 {
        let of = |number: usize| Share { number: number as u32 + 1, of: 8 };
        let at = (0..8).find(|&number| of(number).holds(&barcode.to_le_bytes())).unwrap();
        sizes[at] += 1;
    }
    assert!(sizes.iter().all(|size| (400..600).contains(size)), "{sizes:?}");
}

#[test]
fn a_share_of_another_reading_or_file_is_not_taken_for_this_one() {
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("out");
    let first = dataset(home.path());
    assert!(!run(&first, "1/2", &out).was_done);
    let model = Model::bundled(&DeviceChoice::Cpu).unwrap();
    let last = EmbedSettings { layers: Some(Layers::Last), ..EmbedSettings::default() };
    let other = embed_share(&first, &model, &last, share("1/2"), &out, Seed(1), &Silent).unwrap();
    assert!(!other.was_done && other.computed > 0, "other layers are other numbers");
    let manifest = read_manifest(&other.manifest).unwrap();
    assert_eq!((manifest.layers, manifest.packs.len()), (Layers::Last, 1), "and only its own packs are listed");
    let mut builder = DatasetBuilder::new("sharded", Vec::new());
    builder.add_file(SourceFile { path: home.path().join("sharded.csv"), sha256: ContentHash::of(b"edited") });
    (0..first.len()).for_each(|row| {
        builder.push(Record {
            id: first.id(row).to_owned(),
            sequence: first.sequence(row).to_vec(),
            ..Record::default()
        });
    });
    let edited = builder.finish();
    let again = embed_share(&edited, &model, &last, share("1/2"), &out, Seed(1), &Silent).unwrap();
    assert_eq!((again.was_done, again.computed), (false, 0), "the file is another one, its barcodes are known");
}

#[test]
fn a_finished_share_is_left_alone_and_a_damaged_one_made_again() {
    let home = tempfile::tempdir().unwrap();
    let dataset = dataset(home.path());
    let out = home.path().join("out");
    let first = run(&dataset, "2/2", &out);
    assert!(!first.was_done && first.computed == first.barcodes && first.barcodes > 0);
    let again = run(&dataset, "2/2", &out);
    assert!(again.was_done && again.computed == 0);
    let manifest = read_manifest(&first.manifest).unwrap();
    let pack = first.manifest.with_extension("").join(&manifest.packs[0].path);
    let mut bytes = std::fs::read(&pack).unwrap();
    let last = bytes.len() - 50;
    bytes[last] ^= 1;
    std::fs::write(&pack, &bytes).unwrap();
    let told = read_shards(std::slice::from_ref(&first.manifest), &Silent).unwrap().remarks;
    assert!(told.len() == 2 && told[0].contains("2/2 is damaged") && told[1].contains("shards 1 of 2"), "{told:?}");
    let shards = Cache::at(home.path().join("empty")).with_shards(&[first.manifest.with_extension("")]);
    assert_eq!(embedded(&dataset, Some(&shards)).cached, 0, "a damaged pack is not believed");
    assert!(pack.exists(), "and what belongs to a shard is not removed by a reader");
    let repaired = run(&dataset, "2/2", &out);
    assert!(!repaired.was_done && repaired.computed == repaired.barcodes);
    assert!(read_manifest(&first.manifest).unwrap().is_whole(&first.manifest.with_extension("")));
}

#[test]
fn a_share_that_was_stopped_goes_on_with_what_it_has() {
    let home = tempfile::tempdir().unwrap();
    let dataset = dataset(home.path());
    let out = home.path().join("out");
    let first = run(&dataset, "1/2", &out);
    // As if the job was killed before the manifest was written.
    std::fs::remove_file(&first.manifest).unwrap();
    let second = run(&dataset, "1/2", &out);
    assert_eq!((second.was_done, second.computed, second.barcodes), (false, 0, first.barcodes));
}

#[test]
fn shards_that_do_not_belong_together_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let dataset = dataset(home.path());
    let [first, other] = ["1/2", "1/3"].map(|text| run(&dataset, text, &home.path().join("out")).manifest);
    let error = read_shards(&[first.clone(), other], &Silent).unwrap_err().to_string();
    assert!(error.contains("of one run"), "{error}");
    let broken = home.path().join("broken.shard");
    std::fs::write(&broken, "{").unwrap();
    assert!(read_shards(&[broken], &Silent).unwrap_err().to_string().contains("no shard of embeddings"));
    assert!(read_shards(&[], &Silent).is_err());
    let text = std::fs::read_to_string(&first).unwrap().replace("\"format\": 1", "\"format\": 9");
    std::fs::write(&first, text).unwrap();
    assert!(read_shards(&[first], &Silent).unwrap_err().to_string().contains("format is 9"));
    assert!(folders_in(&home.path().join("nowhere")).is_err());
}
