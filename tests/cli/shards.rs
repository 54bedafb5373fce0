//! Embedding by several jobs, and reading the shards as one.

use crate::support::Workplace;

#[test]
fn shards_of_jobs_are_used_as_one_and_a_finished_job_does_nothing_again() {
    let place = Workplace::new();
    place.write_survey("survey.csv");
    let run = |share: &str| place.run_json(&["embed", "survey.csv", "--no-cache", "--shard", share, "-o", "shards"]);
    let made = ["1/3", "2/3", "3/3"].map(run);
    let barcodes: u64 = made.iter().map(|done| done["barcodes"].as_u64().unwrap()).sum();
    assert!(made.iter().all(|done| done["computed"] == done["barcodes"] && done["was_done"] == false));
    assert_eq!(run("2/3")["was_done"], true);

    let embed = |options: &[&str]| {
        let facts = place.run_json(&[&["embed", "survey.csv", "-o", "out.npy"], options].concat());
        (std::fs::read(place.path("out.npy")).unwrap(), facts)
    };
    let (from_shards, facts) = embed(&["--shards", "shards", "--cache-dir", "kept"]);
    assert_eq!((facts["computed"].as_u64(), facts["unique_barcodes"].as_u64()), (Some(0), Some(barcodes)));
    assert_eq!(from_shards, embed(&["--no-cache"]).0);
}

#[test]
fn a_share_that_does_not_exist_and_a_folder_without_shards_are_refused() {
    let place = Workplace::new();
    place.write_survey("survey.csv");
    let wrong = place.run(&["embed", "survey.csv", "--shard", "4/3", "-o", "x"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("no share"));
    let none = place.run(&["embed", "survey.csv", "-o", "x.npy", "--shards", "."]);
    assert_eq!(none.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&none.stderr).contains("holds no shards"));
}
