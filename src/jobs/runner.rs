//! Runs pieces of work and tells how they go.

use super::error::{JobError, WorkError, panic_message};
use super::turns::{Turn, Turns};
use super::waker::Waker;
use crate::progress::{Cancelled, Observer, Progress};
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinError;

/// Events that may wait for the window before a job that has more to say is held up.
const QUEUE: usize = 256;
/// After a cancel, work that does not answer is given up after this long; its late result is dropped.
const GRACE: Duration = Duration::from_millis(150);

/// Light work comes in short pieces; a few may overlap.
const LIGHT_THREADS: usize = 4;

/// Names one run of one piece of work. Never used twice in a program's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(u64);

impl JobId {
    /// An id that no other job has.
    pub fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// How a job shares the machine. Those that use all cores (heavy work, training, trials) compute by turns, so that together they
/// take no more cores than one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Uses all cores for long: one at a time, the others wait their turn.
    Heavy,
    /// Short; may run beside others.
    Light,
    /// Writes a file: runs beside others, is always waited for, and counts as done when the file is there.
    Write,
    /// Trains a model, for hours: one at a time, beside everything else, and waited for until its checkpoint is written.
    Training,
    /// Uses all cores for seconds, to see how training would go: waits for no other job.
    Trial,
}

impl Kind {
    /// Whether a job uses all cores that work may have.
    fn uses_all_cores(self) -> bool {
        matches!(self, Self::Heavy | Self::Training | Self::Trial)
    }
}

/// Watches a job, and takes what it has to show before its end.
pub trait Reporter<T>: Observer {
    /// Sends something on the way, to be taken as [`Event::Told`]. Nothing is dropped: it waits while nobody listens.
    fn tell(&self, news: T);
}

/// The latest news of a job.
#[derive(Debug, Clone)]
pub struct Live {
    /// The job's name, as the status bar shows it.
    pub job: String,
    /// How far it is; `None` while it waits for its turn.
    pub progress: Option<Progress>,
    /// When it got its turn; `None` while it waits.
    pub started: Option<Instant>,
    /// When the present stage of the work began, for the time left.
    pub stage_started: Option<Instant>,
    /// The projection in the making, `[N]`.
    pub picture: Option<Arc<Vec<[f32; 2]>>>,
}

impl Live {
    /// Seconds that the present stage still takes, from its speed so far; `None` until there is a speed.
    pub fn seconds_left(&self, now: Instant) -> Option<f32> {
        let share = self.progress.as_ref()?.share()?;
        let so_far_secs = now.saturating_duration_since(self.stage_started?).as_secs_f32();
        (share > 0.0 && share < 1.0 && so_far_secs > 1.0).then(|| so_far_secs * (1.0 - share) / share)
    }
}

/// What happened to a job.
#[derive(Debug)]
pub enum Event<T> {
    /// Something that the user should know.
    Warned {
        /// Which job.
        id: JobId,
        /// The job's name.
        job: String,
        /// In plain words.
        message: String,
    },
    /// Something that a job shows before its end.
    Told {
        /// Which job.
        id: JobId,
        /// What it shows.
        news: T,
    },
    /// The job is over. Sent exactly once for every job.
    Ended {
        /// Which job.
        id: JobId,
        /// What it delivered.
        outcome: Result<T, JobError>,
    },
}

struct Running {
    cancel: watch::Sender<bool>,
    live: watch::Receiver<Live>,
}

/// Runs jobs on threads of their own. Dropping it cancels all of them.
pub struct Runner<T> {
    runtime: Option<Runtime>,
    heavy: Arc<Semaphore>,
    training: Arc<Semaphore>,
    /// One permit per file being written is taken for as long as it takes.
    writing: Arc<Semaphore>,
    /// Turns of all jobs that use all cores.
    turns: Arc<Turns>,
    /// Threads of heavy work. The process's common threads are left to the window, whose drawing would otherwise queue behind
    /// hours of work.
    heavy_threads: Arc<ThreadPool>,
    training_threads: Arc<ThreadPool>,
    trial_threads: Arc<ThreadPool>,
    /// Threads of everything else, so that a click is answered while heavy work goes on.
    light_threads: Arc<ThreadPool>,
    waker: Waker,
    events_in: mpsc::Sender<Event<T>>,
    events_out: mpsc::Receiver<Event<T>>,
    running: BTreeMap<JobId, Running>,
}

fn threads(purpose: &'static str, number: usize) -> std::io::Result<Arc<ThreadPool>> {
    let builder = ThreadPoolBuilder::new().num_threads(number).thread_name(move |index| format!("{purpose} {index}"));
    builder.build().map(Arc::new).map_err(std::io::Error::other)
}

/// More files than this are never written at once.
const WRITERS: u32 = 64;

impl<T: Send + 'static> Runner<T> {
    /// A runner that calls `wake` whenever there is news, at most thirty times a second and from another thread.
    ///
    /// # Errors
    /// When the system gives no threads.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> std::io::Result<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("jobs").enable_time().build()?;
        let waker = Waker::start(runtime.handle(), wake);
        let (events_in, events_out) = mpsc::channel(QUEUE);
        Ok(Self {
            runtime: Some(runtime),
            heavy: Arc::new(Semaphore::new(1)),
            training: Arc::new(Semaphore::new(1)),
            writing: Arc::new(Semaphore::new(WRITERS as usize)),
            turns: Arc::default(),
            heavy_threads: threads("heavy work", rayon::current_num_threads())?,
            training_threads: threads("training", rayon::current_num_threads())?,
            trial_threads: threads("trial", rayon::current_num_threads())?,
            light_threads: threads("light work", LIGHT_THREADS)?,
            waker,
            events_in,
            events_out,
            running: BTreeMap::new(),
        })
    }

    /// Starts `work` under an id from [`JobId::next`]. Its end arrives as [`Event::Ended`].
    pub fn start(
        &mut self,
        id: JobId,
        kind: Kind,
        name: impl Into<String>,
        work: impl FnOnce(&dyn Reporter<T>) -> Result<T, WorkError> + Send + 'static,
    ) {
        let Some(runtime) = &self.runtime else { return };
        let job = name.into();
        let (cancel, cancelled) = watch::channel(false);
        let (live_in, live) = watch::channel(Live {
            job: job.clone(),
            progress: None,
            started: None,
            stage_started: None,
            picture: None,
        });
        let desk = Desk {
            id,
            job,
            live: live_in,
            cancelled,
            events: self.events_in.clone(),
            waker: self.waker.clone(),
            turns: kind.uses_all_cores().then(|| Arc::clone(&self.turns)),
            turn: OnceLock::new(),
        };
        let slots = match kind {
            Kind::Heavy => Some(Arc::clone(&self.heavy)),
            Kind::Light | Kind::Trial => None,
            Kind::Write => Some(Arc::clone(&self.writing)),
            Kind::Training => Some(Arc::clone(&self.training)),
        };
        let threads = Arc::clone(match kind {
            Kind::Heavy => &self.heavy_threads,
            Kind::Training => &self.training_threads,
            Kind::Trial => &self.trial_threads,
            Kind::Light | Kind::Write => &self.light_threads,
        });
        self.running.insert(id, Running { cancel, live });
        let work = move |reporter: &dyn Reporter<T>| threads.install(|| work(reporter));
        runtime.spawn(attend(desk, slots, kind, work));
    }

    /// Asks a job to stop. Its end arrives as [`Event::Ended`] within 200 ms, unless it has a file to write.
    pub fn cancel(&self, id: JobId) {
        if let Some(running) = self.running.get(&id) {
            running.cancel.send_replace(true);
        }
    }

    /// The oldest event that nobody has taken yet.
    pub fn poll(&mut self) -> Option<Event<T>> {
        let event = self.events_out.try_recv().ok()?;
        if let Event::Ended { id, .. } = &event {
            self.running.remove(id);
        }
        Some(event)
    }

    /// The latest news of a job that has not ended.
    pub fn live(&self, id: JobId) -> Option<Live> {
        self.running.get(&id).map(|running| running.live.borrow().clone())
    }

    /// Jobs whose end has not been taken yet, oldest first.
    pub fn jobs(&self) -> impl Iterator<Item = JobId> + '_ {
        self.running.keys().copied()
    }

    /// Cancels everything, waits for files being written, and lets go of all threads after `limit` at the latest.
    /// Returns whether everything had ended by then.
    pub fn shutdown(mut self, limit: Duration) -> bool {
        self.stop(limit)
    }
}

impl<T> Runner<T> {
    fn stop(&mut self, limit: Duration) -> bool {
        let Some(runtime) = self.runtime.take() else { return true };
        let deadline = Instant::now() + limit;
        self.running.values().for_each(|running| {
            running.cancel.send_replace(true);
        });
        // Work that is held up by a full queue goes on when the queue is closed.
        self.events_out.close();
        while self.events_out.try_recv().is_ok() {}
        let slots = [&self.heavy, &self.training].map(Arc::clone);
        let writing = Arc::clone(&self.writing);
        let all_ended = runtime.block_on(async {
            tokio::time::timeout_at(deadline.into(), async {
                let mut all = writing.acquire_many(WRITERS).await.is_ok();
                for slot in &slots {
                    all &= slot.acquire().await.is_ok();
                }
                all
            })
            .await
            .unwrap_or(false)
        });
        runtime.shutdown_timeout(deadline.saturating_duration_since(Instant::now()));
        all_ended
    }
}

impl<T> Drop for Runner<T> {
    fn drop(&mut self) {
        self.stop(Duration::from_millis(500));
    }
}

/// Where one job reports to.
struct Desk<T> {
    id: JobId,
    job: String,
    live: watch::Sender<Live>,
    cancelled: watch::Receiver<bool>,
    events: mpsc::Sender<Event<T>>,
    waker: Waker,
    /// Where jobs of its kind take turns.
    turns: Option<Arc<Turns>>,
    /// Its own turn, once it computes.
    turn: OnceLock<Turn>,
}

impl<T> Desk<T> {
    fn is_cancelled(&self) -> bool {
        *self.cancelled.borrow()
    }

    /// Waits for the job's turn to compute, where jobs of its kind take turns.
    fn wait_for_turn(&self) {
        if let Some(turns) = &self.turns {
            self.turn.get_or_init(|| turns.join(self.id)).wait(&|| self.is_cancelled());
        }
    }
}

impl<T: Send> Observer for Desk<T> {
    fn progress(&self, at: Progress) -> Result<(), Cancelled> {
        self.wait_for_turn();
        if self.is_cancelled() {
            return Err(Cancelled);
        }
        self.live.send_modify(|live| {
            if live.progress.as_ref().is_none_or(|before| before.stage != at.stage || at.done < before.done) {
                live.stage_started = Some(Instant::now());
            }
            live.progress = Some(at);
        });
        self.waker.ask();
        Ok(())
    }

    fn warn(&self, message: &str) {
        let event = Event::Warned { id: self.id, job: self.job.clone(), message: message.to_owned() };
        self.waker.ask();
        // Waits while the queue is full: a warning is never dropped. It fails only when the program ends.
        let _ = self.events.blocking_send(event);
    }

    fn picture(&self, points: &Arc<Vec<[f32; 2]>>) {
        self.live.send_modify(|live| live.picture = Some(Arc::clone(points)));
        self.waker.ask();
    }
}

impl<T: Send> Reporter<T> for Desk<T> {
    fn tell(&self, news: T) {
        // It fails only when the program ends.
        let _ = self.events.blocking_send(Event::Told { id: self.id, news });
        self.waker.ask();
    }
}

/// Waits for a slot, runs the work, and sends its end.
async fn attend<T: Send + 'static>(
    desk: Desk<T>,
    slots: Option<Arc<Semaphore>>,
    kind: Kind,
    work: impl FnOnce(&dyn Reporter<T>) -> Result<T, WorkError> + Send + 'static,
) {
    let (id, job) = (desk.id, desk.job.clone());
    let (events, waker) = (desk.events.clone(), desk.waker.clone());
    let outcome = run(desk, slots, kind, work).await.map_err(|stopped| stopped.named(job));
    // It fails only when the program ends and nobody listens.
    let _ = events.send(Event::Ended { id, outcome }).await;
    waker.ask();
}

/// Why a run delivered nothing, before the job's name is added.
enum Stopped {
    Cancelled,
    Failed(WorkError),
    Panicked(String),
}

impl Stopped {
    fn named(self, job: String) -> JobError {
        match self {
            Self::Cancelled => JobError::Cancelled { job },
            Self::Failed(source) => JobError::Failed { job, source },
            Self::Panicked(message) => JobError::Panicked { job, message },
        }
    }

    fn from_join(error: JoinError) -> Self {
        match error.try_into_panic() {
            Ok(payload) => Self::Panicked(panic_message(payload.as_ref())),
            Err(_) => Self::Cancelled,
        }
    }
}

async fn run<T: Send + 'static>(
    desk: Desk<T>,
    slots: Option<Arc<Semaphore>>,
    kind: Kind,
    work: impl FnOnce(&dyn Reporter<T>) -> Result<T, WorkError> + Send + 'static,
) -> Result<T, Stopped> {
    let mut cancelled = desk.cancelled.clone();
    let permit = match slots {
        None => None,
        Some(slots) => tokio::select! {
            biased;
            () = asked_to_stop(&mut cancelled) => return Err(Stopped::Cancelled),
            permit = slots.acquire_owned() => permit.ok(),
        },
    };
    desk.live.send_modify(|live| live.started = Some(Instant::now()));
    desk.waker.ask();
    let mut thread = tokio::task::spawn_blocking(move || {
        let _held_until_the_thread_is_free = permit;
        desk.wait_for_turn();
        let result = work(&desk);
        let cancelled = desk.is_cancelled();
        result.map_err(|source| if cancelled { Stopped::Cancelled } else { Stopped::Failed(source) })
    });
    let joined = tokio::select! {
        joined = &mut thread => joined,
        () = given_up(&mut cancelled, kind) => return Err(Stopped::Cancelled),
    };
    joined.unwrap_or_else(|error| Err(Stopped::from_join(error)))
}

async fn asked_to_stop(cancelled: &mut watch::Receiver<bool>) {
    // The sender lives as long as the runner; without it there is nobody left to stop for.
    let _ = cancelled.wait_for(|&asked| asked).await;
}

/// Ends when a cancelled job has had its chance to unwind.
async fn given_up(cancelled: &mut watch::Receiver<bool>, kind: Kind) {
    if matches!(kind, Kind::Write | Kind::Training) {
        return std::future::pending().await;
    }
    asked_to_stop(cancelled).await;
    tokio::time::sleep(GRACE).await;
}
