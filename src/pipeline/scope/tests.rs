//! What is kept comes back bit for bit; what is no session's own is refused.

use super::*;
use crate::analysis::agreement::Agreement;
use crate::analysis::metrics::scores;
use crate::data::dataset::{DatasetBuilder, Flags, Record, SourceFile};
use crate::data::frame::check_frames;
use crate::data::import::{Event, ImportReport, LeftOutReason, ReportEntry};
use crate::data::taxonomy::Field;
use crate::pipeline::classify::{Classification, SpecimenCall};
use crate::pipeline::cluster::Clustering;
use crate::pipeline::project::{ProjectMethod, Projection, Source as MapSource};
use crate::pipeline::{Method, Provenance};
use crate::progress::Silent;
use crate::seed::Seed;
use ndarray::array;
use proptest::prelude::*;
use std::sync::Arc;

fn opened(ids: &[&str]) -> Opened {
    let mut builder = DatasetBuilder::new("survey", vec!["note".to_owned()]);
    builder.add_file(SourceFile { path: "survey.csv".into(), sha256: ContentHash::of(b"survey") });
    for (at, id) in ids.iter().enumerate() {
        builder.push(Record {
            id: (*id).to_owned(),
            sequence: [&b"ACGTACGTAC"[..], &b"TTGCA"[..]][at % 2].repeat(20),
            labels: (at != 1).then(|| (Field::Genus, format!("Genus{}", at % 3))).into_iter().collect(),
            coordinates: (at == 0).then_some([52.5, -0.0]),
            other: vec![format!("Düne {at}")],
            flags: if at == 2 { Flags::SHORT } else { Flags::NONE },
            ..Record::default()
        });
    }
    let entry = ReportEntry {
        file: 0,
        line: 7,
        id: "lost".to_owned(),
        event: Event::LeftOut(LeftOutReason::NoSequence),
        length: 12,
        detail: Some("because".into()),
    };
    let report = ImportReport { records_read: ids.len() + 1, records_kept: ids.len(), ..ImportReport::default() };
    let report = ImportReport { entries: vec![entry], ..report };
    let reading = ImportOptions { min_length: 77, ..ImportOptions::default() };
    Opened { paths: vec!["survey.csv".into()], dataset: Arc::new(builder.finish()), reading, report }
}

fn results(dataset: &Dataset) -> Vec<KeptResult> {
    let provenance = Provenance::new(Seed(3), &[dataset]).with("k", 1);
    let (rows, third) = (dataset.len(), 1.0 / 3.0);
    let names = vec!["Genus0".to_owned(), "Genus2".to_owned()];
    let (truth, predicted) = (vec![Some(0), None, Some(1)], vec![Some(0), Some(1), Some(0)]);
    let call = |row: usize| SpecimenCall {
        row,
        label: truth[row],
        predicted: predicted[row],
        score: 0.1 + row as f32,
        margin: (row == 1).then_some(-0.25),
        neighbour: (row != 0).then_some(0),
        cosine: Some(0.3),
        identity: None,
    };
    let map = |source| {
        ResultValue::Map(Arc::new(Projection {
            points: Arc::new((0..rows).map(|row| [row as f32 + 0.1, -0.7]).collect()),
            method: ProjectMethod::Pca,
            source,
            explained: Some([third, 0.1 + 0.2]),
            seconds: third,
            provenance: provenance.clone(),
        }))
    };
    let values = [
        (ResultName::Frames, ResultValue::Frames(Arc::new(check_frames(dataset, &Silent).unwrap()))),
        (ResultName::KmerMap, map(MapSource::Kmers)),
        (ResultName::ModelMap, map(MapSource::Model)),
        (
            ResultName::Names(Method::Model),
            ResultValue::Names(Arc::new(Classification {
                rank: Field::Genus,
                method: Method::Model,
                scores: Some(scores(&truth, &predicted, &names)),
                names,
                calls: (0..rows).map(call).collect(),
                neighbours: array![[1, u32::MAX], [0, 2], [0, 1]],
                similarity: array![[0.1, 0.0], [0.3, 0.2], [0.9, 0.8]],
                interval: Some([third, 0.7]),
                references: 2,
                nameable: vec![true, false],
                trained_on: None,
                seconds: third,
                provenance: provenance.clone(),
            })),
        ),
        (
            ResultName::Clusters,
            ResultValue::Clusters(Arc::new(Clustering {
                labels: vec![1, -1, 0],
                found: 2,
                noise: 1,
                against: Some(Field::Genus),
                true_number: Some(2),
                used_true_number: false,
                agreement: Some(Agreement { ami: third, ari: 0.1 + 0.2, homogeneity: 0.7, completeness: 1.0 }),
                concordance: None,
                threshold: Some(0.02),
                suggested: None,
                seconds: third,
                provenance,
            })),
        ),
    ];
    values
        .into_iter()
        .map(|(name, value)| KeptResult { name, key: ContentHash::of(name.key().as_bytes()), value })
        .collect()
}

const IDS: [&str; 3] = ["a", "b", "c"];

#[test]
fn specimens_and_results_come_back_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("work.scope");
    let before = opened(&IDS);
    let kept = results(&before.dataset);
    drop(ScopeFile::create(&path, &before, &kept).unwrap());
    let file = ScopeFile::open(&path).unwrap();
    let after = file.specimens().unwrap();
    assert_eq!((after.dataset.key(), after.dataset.name()), (before.dataset.key(), "survey"));
    assert_eq!((&after.paths, &after.report.entries), (&before.paths, &before.report.entries));
    for row in 0..3 {
        assert_eq!(after.dataset.flags(row), before.dataset.flags(row));
        assert_eq!(after.dataset.coordinates(row), before.dataset.coordinates(row));
        assert_eq!(after.dataset.other(row, 0), format!("Düne {row}"));
    }
    assert_eq!((&after.reading, file.about().unwrap().program.as_str()), (&before.reading, VERSION));
    for result in &kept {
        let back = file.result(result.name, &after.dataset).unwrap().unwrap();
        assert_eq!((back.name, back.key), (result.name, result.key));
        assert_eq!(back.value.encode().unwrap(), result.value.encode().unwrap(), "{:?}", result.name);
        assert_eq!(format!("{:?}", back.value), format!("{:?}", result.value), "nothing is left out");
    }
    assert!(file.result(ResultName::Names(Method::Kmer), &after.dataset).unwrap().is_none());
}

#[test]
fn no_specimens_and_one_are_a_session_too() {
    let folder = tempfile::tempdir().unwrap();
    for ids in [&IDS[..0], &IDS[..1]] {
        let path = folder.path().join(format!("{}.scope", ids.len()));
        let file = ScopeFile::create(&path, &opened(ids), &[]).unwrap();
        assert_eq!(file.specimens().unwrap().dataset.len(), ids.len());
    }
}

#[test]
fn a_result_takes_the_place_of_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("work.scope");
    let opened = opened(&IDS);
    let file = ScopeFile::create(&path, &opened, &results(&opened.dataset)).unwrap();
    let map = results(&opened.dataset).remove(1);
    let newer = KeptResult { key: ContentHash::of(b"newer"), ..map };
    file.keep(&newer, &opened.dataset).unwrap();
    assert_eq!(file.result(newer.name, &opened.dataset).unwrap().unwrap().key, newer.key);
}

#[test]
fn two_cannot_write_at_once_and_the_end_of_one_lets_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("work.scope");
    let first = ScopeFile::create(&path, &opened(&IDS), &[]).unwrap();
    assert!(matches!(ScopeFile::open(&path), Err(ScopeError::InUse { .. })));
    assert!(ScopeFile::read(&path).is_ok() && ScopeFile::is_in_use(&path));
    drop(first);
    assert!(!ScopeFile::is_in_use(&path) && ScopeFile::open(&path).is_ok());
}

#[test]
fn a_session_that_is_read_cannot_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("work.scope");
    drop(ScopeFile::create(&path, &opened(&IDS), &[]).unwrap());
    let reader = ScopeFile::read(&path).unwrap();
    assert!(matches!(reader.append("comment", &1), Err(ScopeError::Database { .. })));
    assert!(reader.all::<i32>().unwrap().is_empty());
}

#[test]
fn decisions_in_force_say_what_a_label_is() {
    let folder = tempfile::tempdir().unwrap();
    let opened = opened(&IDS);
    let path = folder.path().join("work.scope");
    let file = ScopeFile::create(&path, &opened, &[]).unwrap();
    let relabel = |specimen: &str, new: Option<&str>| Decision {
        kind: DecisionKind::Relabel,
        specimen: specimen.to_owned(),
        field: Some(Field::Genus),
        old: None,
        new: new.map(str::to_owned),
        who: "A. Person".to_owned(),
        reason: String::new(),
        continues: false,
    };
    for decision in [relabel("a", Some("X")), relabel("a", Some("Y")), relabel("b", None), relabel("c", Some("Z"))] {
        file.decide(&opened.dataset, &decision).unwrap();
    }
    file.set_undone(&[2], true).unwrap();
    let all = file.all::<Decision>().unwrap();
    let labels = final_labels(&all);
    let of = |id| labels.get(&(id, Field::Genus)).copied();
    assert_eq!((of("a"), of("b"), of("c"), of("d")), (Some(Some("X")), Some(None), Some(Some("Z")), None));
    assert_eq!(file.decisions_on("a").unwrap().iter().map(|entry| entry.id).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn a_decision_keeps_the_label_that_it_found_and_is_refused_where_that_is_another() {
    let folder = tempfile::tempdir().unwrap();
    let opened = opened(&IDS);
    let path = folder.path().join("work.scope");
    let file = ScopeFile::create(&path, &opened, &[]).unwrap();
    let decide = |specimen: &str, old: Option<&str>, new: &str| {
        let decision = Decision {
            kind: DecisionKind::Relabel,
            specimen: specimen.to_owned(),
            field: Some(Field::Genus),
            old: old.map(str::to_owned),
            new: Some(new.to_owned()),
            who: String::new(),
            reason: String::new(),
            continues: false,
        };
        file.decide(&opened.dataset, &decision)
    };
    decide("a", None, "X").unwrap();
    decide("a", Some("X"), "Y").unwrap();
    decide("b", None, "Z").unwrap();
    for (specimen, claimed, found) in [("a", "Genus0", "'Y'"), ("a", "X", "'Y'"), ("c", "Genus0", "'Genus2'")] {
        let said = decide(specimen, Some(claimed), "W").unwrap_err().to_string();
        assert!(said.contains(found) && said.contains(claimed), "{said}");
    }
    file.set_undone(&[2], true).unwrap();
    decide("a", Some("X"), "V").unwrap();
    let olds: Vec<_> = file.all::<Decision>().unwrap().into_iter().map(|entry| entry.value.old).collect();
    assert_eq!(olds, [Some("Genus0".to_owned()), Some("X".to_owned()), None, Some("X".to_owned())]);
}

#[test]
fn bytes_of_a_result_that_are_cut_or_lengthened_are_refused() {
    let opened = opened(&IDS);
    let path = Path::new("work.scope");
    for result in results(&opened.dataset) {
        let bytes = result.value.encode().unwrap();
        let decode = |bytes: &[u8]| ResultValue::decode(path, result.name, bytes, &opened.dataset);
        assert!((0..bytes.len()).all(|end| decode(&bytes[..end]).is_err()), "{:?}", result.name);
        assert!(decode(&[&bytes[..], &[0]].concat()).is_err());
    }
    let bytes = specimens::encode(&opened).unwrap();
    let key = opened.dataset.key();
    assert!(
        (0..bytes.len()).all(|end| specimens::decode(path, &bytes[..end], &key, ImportOptions::default()).is_err())
    );
    assert!(specimens::decode(path, &bytes, &ContentHash::of(b"others"), ImportOptions::default()).is_err());
}

proptest! {
    #[test]
    fn changed_bytes_never_panic(at in 0_usize..100_000, value: u8) {
        let opened = opened(&IDS);
        for result in results(&opened.dataset) {
            let mut bytes = result.value.encode().unwrap();
            let at = at % bytes.len();
            bytes[at] = value;
            // What is still a result is about specimens, names and groups that are there.
            if let Ok(ResultValue::Names(names)) = ResultValue::decode(Path::new("s"), result.name, &bytes, &opened.dataset) {
                prop_assert!(names.calls.iter().all(|call| call.row < 3));
                prop_assert!(names.calls.iter().all(|call| call.predicted.is_none_or(|code| code < 2)));
            }
        }
        let mut bytes = specimens::encode(&opened).unwrap();
        let at = at % bytes.len();
        bytes[at] = value;
        let _ = specimens::decode(Path::new("s"), &bytes, &opened.dataset.key(), ImportOptions::default());
    }
}
