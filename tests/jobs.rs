//! The job runner: one heavy slot, one end per job, cancellation that is felt, panics as errors, wakes that are throttled.

#![allow(clippy::unwrap_used, reason = "a test that lacks what it needs fails there and then")]

use barcodescope::jobs::{Event, JobError, JobId, Kind, Runner, WorkError};
use barcodescope::progress::{Observer, Progress};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::sleep;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(20);

fn runner() -> Runner<u32> {
    Runner::new(|| {}).unwrap()
}

fn next(runner: &mut Runner<u32>) -> Event<u32> {
    let start = Instant::now();
    loop {
        if let Some(event) = runner.poll() {
            return event;
        }
        assert!(start.elapsed() < LIMIT, "no event came");
        sleep(Duration::from_millis(1));
    }
}

fn end(runner: &mut Runner<u32>) -> (JobId, Result<u32, JobError>) {
    loop {
        if let Event::Ended { id, outcome } = next(runner) {
            return (id, outcome);
        }
    }
}

fn start(
    runner: &mut Runner<u32>,
    kind: Kind,
    name: &str,
    work: impl FnOnce(&dyn Observer) -> Result<u32, WorkError> + Send + 'static,
) -> JobId {
    let id = JobId::next();
    runner.start(id, kind, name, |reporter| work(reporter));
    id
}

/// Work that goes on until it is told to stop.
fn until_cancelled(observer: &dyn Observer) -> Result<u32, WorkError> {
    loop {
        observer.progress(Progress::new("waiting", 0, 1, "cancels"))?;
        sleep(Duration::from_millis(5));
    }
}

fn wait_until(condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < LIMIT, "it never happened");
        sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_job_delivers_once_and_then_is_gone() {
    let mut runner = runner();
    let id = start(&mut runner, Kind::Light, "adding", |_| Ok(5));
    assert!(runner.live(id).is_some());
    let (ended, outcome) = end(&mut runner);
    assert_eq!((ended, outcome.unwrap()), (id, 5));
    sleep(Duration::from_millis(50));
    assert!(runner.poll().is_none(), "a second event");
    assert!(runner.live(id).is_none());
}

#[test]
fn cancelling_is_felt_within_a_fifth_of_a_second() {
    let mut runner = runner();
    let id = start(&mut runner, Kind::Heavy, "mapping", until_cancelled);
    wait_until(|| runner.live(id).unwrap().progress.is_some());
    let asked = Instant::now();
    runner.cancel(id);
    let (ended, outcome) = end(&mut runner);
    assert!(asked.elapsed() < Duration::from_millis(200), "it took {:?}", asked.elapsed());
    assert_eq!(ended, id);
    assert!(outcome.unwrap_err().is_cancelled());
}

#[test]
fn work_that_does_not_answer_is_given_up_and_its_late_result_dropped() {
    let mut runner = runner();
    let (release, released) = mpsc::channel::<()>();
    let (began, begun) = mpsc::channel();
    let deaf = start(&mut runner, Kind::Heavy, "deaf", move |_| {
        began.send(()).unwrap();
        released.recv().unwrap();
        Ok(1)
    });
    begun.recv_timeout(LIMIT).unwrap();
    let asked = Instant::now();
    runner.cancel(deaf);
    let (ended, outcome) = end(&mut runner);
    assert!(asked.elapsed() < Duration::from_millis(200), "it took {:?}", asked.elapsed());
    assert!(ended == deaf && outcome.unwrap_err().is_cancelled());

    let after = start(&mut runner, Kind::Heavy, "after", |_| Ok(2));
    sleep(Duration::from_millis(50));
    assert!(runner.poll().is_none(), "the deaf thread still has the heavy slot");
    release.send(()).unwrap();
    let (ended, outcome) = end(&mut runner);
    assert_eq!((ended, outcome.unwrap()), (after, 2), "the late result of the deaf job must not arrive");
}

#[test]
fn a_job_cancelled_while_it_waits_never_starts() {
    let mut runner = runner();
    let first = start(&mut runner, Kind::Heavy, "first", until_cancelled);
    wait_until(|| runner.live(first).unwrap().started.is_some());
    let ran = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&ran);
    let second = start(&mut runner, Kind::Heavy, "second", move |_| {
        seen.store(true, Ordering::SeqCst);
        Ok(2)
    });
    runner.cancel(second);
    let (ended, outcome) = end(&mut runner);
    assert!(ended == second && outcome.unwrap_err().is_cancelled());
    runner.cancel(first);
    assert_eq!(end(&mut runner).0, first);
    assert!(!ran.load(Ordering::SeqCst));
}

#[test]
fn heavy_jobs_take_turns_and_light_ones_do_not_wait() {
    let mut runner = runner();
    let (busy, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    for number in 0..4 {
        let (busy, most) = (Arc::clone(&busy), Arc::clone(&most));
        start(&mut runner, Kind::Heavy, "heavy", move |_| {
            most.fetch_max(busy.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            sleep(Duration::from_millis(10));
            busy.fetch_sub(1, Ordering::SeqCst);
            Ok(number)
        });
    }
    let order: Vec<u32> = (0..4).map(|_| end(&mut runner).1.unwrap()).collect();
    assert_eq!(order, [0, 1, 2, 3]);
    assert_eq!(most.load(Ordering::SeqCst), 1);

    let heavy = start(&mut runner, Kind::Heavy, "heavy", until_cancelled);
    let light = start(&mut runner, Kind::Light, "light", |_| Ok(7));
    assert_eq!(end(&mut runner).0, light);
    runner.cancel(heavy);
    assert_eq!(end(&mut runner).0, heavy);
}

#[test]
fn parallel_heavy_work_holds_up_neither_drawing_nor_light_work() {
    use rayon::prelude::*;
    let sum = || (0..100_000_u32).into_par_iter().map(|i| i % 7).sum::<u32>();
    let expected = sum();
    let mut runner = runner();
    let heavy = start(&mut runner, Kind::Heavy, "filling every thread", |observer| {
        (0..64).into_par_iter().try_for_each(|_| until_cancelled(observer).map(|_| ()))?;
        Ok(0)
    });
    wait_until(|| runner.live(heavy).unwrap().progress.is_some());
    assert_eq!(sum(), expected, "the thread that draws has threads of its own");
    let light = start(&mut runner, Kind::Light, "clicking", move |_| Ok(sum()));
    let (ended, outcome) = end(&mut runner);
    assert_eq!((ended, outcome.unwrap()), (light, expected));
    runner.cancel(heavy);
    assert!(end(&mut runner).1.unwrap_err().is_cancelled());
}

#[test]
fn a_panic_is_an_error_with_the_jobs_name_and_frees_the_slot() {
    let mut runner = runner();
    start(&mut runner, Kind::Heavy, "clustering", |_| panic!("row 7 is odd"));
    let error = end(&mut runner).1.unwrap_err();
    assert!(matches!(error, JobError::Panicked { .. }));
    assert!(error.to_string().contains("clustering") && error.to_string().contains("row 7 is odd"), "{error}");
    start(&mut runner, Kind::Heavy, "next", |_| Ok(3));
    assert_eq!(end(&mut runner).1.unwrap(), 3);
}

#[test]
fn a_failure_keeps_its_cause() {
    let mut runner = runner();
    start(&mut runner, Kind::Light, "reading", |_| Err("no such file".into()));
    let error = end(&mut runner).1.unwrap_err();
    assert_eq!(error.to_string(), "reading failed");
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "no such file");
}

#[test]
fn every_warning_arrives_in_order_even_when_the_queue_is_full() {
    let mut runner = runner();
    start(&mut runner, Kind::Light, "warning", |observer| {
        (0..1000).for_each(|number| observer.warn(&number.to_string()));
        Ok(0)
    });
    sleep(Duration::from_millis(50));
    for number in 0..1000 {
        match next(&mut runner) {
            Event::Warned { message, job, .. } => assert_eq!((message, job.as_str()), (number.to_string(), "warning")),
            other => panic!("{other:?} after {number} warnings"),
        }
    }
    assert!(matches!(next(&mut runner), Event::Ended { outcome: Ok(0), .. }));
}

#[test]
fn all_that_a_job_tells_arrives_in_order_before_its_end() {
    let mut runner = runner();
    let id = JobId::next();
    runner.start(id, Kind::Training, "learning", |reporter| {
        (0..1000).for_each(|number| reporter.tell(number));
        Ok(1000)
    });
    sleep(Duration::from_millis(50));
    for number in 0..1000 {
        assert!(matches!(next(&mut runner), Event::Told { news, id: from } if news == number && from == id));
    }
    assert!(matches!(next(&mut runner), Event::Ended { outcome: Ok(1000), .. }));
}

#[test]
fn training_runs_beside_heavy_work_and_its_checkpoint_is_waited_for() {
    let mut runner = runner();
    let heavy = start(&mut runner, Kind::Heavy, "mapping", until_cancelled);
    let written = Arc::new(AtomicBool::new(false));
    let tells = Arc::clone(&written);
    let training = start(&mut runner, Kind::Training, "learning", move |observer| {
        let stopped = until_cancelled(observer);
        // Longer than other work is given to answer a stop.
        sleep(Duration::from_millis(500));
        tells.store(true, Ordering::SeqCst);
        stopped
    });
    wait_until(|| [heavy, training].iter().all(|&id| runner.live(id).is_some_and(|live| live.started.is_some())));
    runner.cancel(training);
    let (ended, outcome) = end(&mut runner);
    assert!(
        ended == training && outcome.is_err() && written.load(Ordering::SeqCst),
        "the end comes after the checkpoint"
    );
    runner.cancel(heavy);
}

#[test]
fn jobs_that_use_all_cores_compute_by_turns_and_all_end() {
    let mut runner = runner();
    let (computing, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let light = start(&mut runner, Kind::Light, "looking", until_cancelled);
    for kind in [Kind::Heavy, Kind::Training, Kind::Trial] {
        let (computing, most) = (Arc::clone(&computing), Arc::clone(&most));
        start(&mut runner, kind, "computing", move |observer| {
            for piece in 0..40 {
                observer.progress(Progress::new("computing", piece, 40, "pieces"))?;
                most.fetch_max(computing.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                sleep(Duration::from_millis(2));
                computing.fetch_sub(1, Ordering::SeqCst);
            }
            Ok(1)
        });
    }
    let ended: u32 = (0..3).map(|_| end(&mut runner).1.unwrap()).sum();
    assert_eq!((ended, most.load(Ordering::SeqCst)), (3, 1));
    runner.cancel(light);
}

#[test]
fn the_latest_progress_and_picture_can_be_seen() {
    let mut runner = runner();
    let id = start(&mut runner, Kind::Heavy, "mapping", |observer| {
        (0..=10).try_for_each(|done| observer.progress(Progress::new("placing", done, 10, "epochs")))?;
        observer.picture(&Arc::new(vec![[1.0, 2.0]]));
        until_cancelled(&SkipProgress(observer))
    });
    wait_until(|| runner.live(id).unwrap().picture.is_some());
    let live = runner.live(id).unwrap();
    assert_eq!(live.progress.unwrap(), Progress::new("placing", 10, 10, "epochs"));
    assert_eq!(*live.picture.unwrap(), [[1.0, 2.0]]);
    runner.cancel(id);
    assert!(end(&mut runner).1.is_err());
}

/// Passes cancellation on without new progress.
struct SkipProgress<'a>(&'a dyn Observer);

impl Observer for SkipProgress<'_> {
    fn progress(&self, _at: Progress) -> Result<(), barcodescope::progress::Cancelled> {
        self.0.progress(Progress::new("placing", 10, 10, "epochs"))
    }
}

#[test]
fn wakes_are_throttled_and_the_last_one_is_not_lost() {
    let wakes = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&wakes);
    let mut runner: Runner<u32> = Runner::new(move || {
        counted.fetch_add(1, Ordering::SeqCst);
    })
    .unwrap();
    let began = Instant::now();
    start(&mut runner, Kind::Light, "busy", |observer| {
        for done in 0..20_000 {
            observer.progress(Progress::new("counting", done, 20_000, "steps"))?;
            if done % 100 == 0 {
                sleep(Duration::from_millis(1));
            }
        }
        Ok(0)
    });
    // No polling before a wake: the end must be announced.
    let mut ended = false;
    while !ended {
        let before = wakes.load(Ordering::SeqCst);
        wait_until(|| wakes.load(Ordering::SeqCst) > before);
        while let Some(event) = runner.poll() {
            ended |= matches!(event, Event::Ended { .. });
        }
    }
    let most = began.elapsed().as_millis() / 33 + 2;
    assert!((wakes.load(Ordering::SeqCst) as u128) <= most, "{wakes:?} wakes in {:?}", began.elapsed());
    sleep(Duration::from_millis(100));
    let idle = wakes.load(Ordering::SeqCst);
    sleep(Duration::from_millis(150));
    assert_eq!(wakes.load(Ordering::SeqCst), idle, "an idle runner wakes nobody");
}

#[test]
fn shutting_down_waits_for_files_and_not_for_ever() {
    let mut runner = runner();
    let written = Arc::new(AtomicBool::new(false));
    let (began, begun) = mpsc::channel();
    let done = Arc::clone(&written);
    start(&mut runner, Kind::Write, "saving", move |_| {
        began.send(()).unwrap();
        sleep(Duration::from_millis(120));
        done.store(true, Ordering::SeqCst);
        Ok(0)
    });
    start(&mut runner, Kind::Heavy, "mapping", until_cancelled);
    begun.recv_timeout(LIMIT).unwrap();
    assert!(runner.shutdown(LIMIT));
    assert!(written.load(Ordering::SeqCst), "the file was abandoned half-way");

    let mut runner = self::runner();
    let (began, begun) = mpsc::channel();
    start(&mut runner, Kind::Heavy, "deaf", move |_| {
        began.send(()).unwrap();
        sleep(Duration::from_secs(3));
        Ok(0)
    });
    begun.recv_timeout(LIMIT).unwrap();
    let asked = Instant::now();
    assert!(!runner.shutdown(Duration::from_millis(200)));
    assert!(asked.elapsed() < Duration::from_secs(2), "it waited {:?}", asked.elapsed());
}

#[test]
fn ending_does_not_hang_on_a_job_that_is_held_up_by_a_full_queue() {
    let mut runner = runner();
    start(&mut runner, Kind::Heavy, "talking", |observer| {
        (0..5000).for_each(|_| observer.warn("again"));
        Ok(0)
    });
    sleep(Duration::from_millis(100));
    assert!(runner.shutdown(LIMIT));
}
