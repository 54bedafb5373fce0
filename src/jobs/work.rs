//! Does the tasks: the only place where the window's wishes meet the pipeline.

use super::error::WorkError;
use super::runner::Reporter;
use super::task::{Against, Closest, ColumnQuestion, FirstRows, Near, Output, Task, TrainNews};
use super::{discover, review};
use crate::analysis::alignment::Aligner;
use crate::analysis::kmer::{KmerCounts, KmerShortlist};
use crate::analysis::knn::{VectorSource, nearest};
use crate::data::dataset::Dataset;
use crate::data::frame::{FrameCheck, check_frames};
use crate::data::import::{ColumnMapping, ImportError, ImportOptions, Inspection, Role, inspect, load};
use crate::data::simulate::{SimulationSettings, write_csv};
use crate::data::taxonomy::Field;
use crate::key::{DatasetId, ModelId};
use crate::model::{DeviceChoice, Model, OpenOptions, Precision};
use crate::pipeline::cache::Cache;
use crate::pipeline::classify::{Classification, ClassifySettings, classify, leave_one_out};
use crate::pipeline::cluster::cluster;
use crate::pipeline::embed::{EmbedSettings, Embedded, embed, fit_transform};
use crate::pipeline::likeness::Reference;
use crate::pipeline::opened::Opened;
use crate::pipeline::project::{ProjectSource, project};
use crate::pipeline::recommend::recommend;
use crate::pipeline::scope::EXTENSION;
use crate::pipeline::shards::{is_shard, read_shards};
use crate::pipeline::stored::StoredVectors;
use crate::pipeline::train::{RunFacts, SampleReading, TrainObserver, TrainRequest, discard, estimate, train};
use crate::pipeline::{Method, PipelineError, Side};
use crate::progress::{Cancelled, Observer, Progress};
use crate::seed::Seed;
use crate::train::{Report, Validation};

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Nearest specimens that the panel shows.
const CLOSEST: usize = 12;
/// The layout of tables that no published layout fits.
const UNKNOWN_LAYOUT: &str = "table";
/// The name of the file that the demo is written to before it is read as any other file is.
const DEMO_FILE: &str = "simulated-demo.csv";

/// How everything is read and where it is kept.
#[derive(Debug, Clone, Default)]
pub struct WorkshopOptions {
    /// Where the model runs.
    pub device: DeviceChoice,
    /// With which numbers it runs.
    pub precision: Precision,
    /// Attention heads of a model that does not say.
    pub heads: Option<usize>,
    /// How the model reads; `None` as its settings say.
    pub reading: EmbedSettings,
    /// Where embeddings are kept; `None` where they are not.
    pub cache: Option<Cache>,
}

/// Embeddings made comparable, kept because every click asks for them: which embeddings, and their vectors `[U,K]`.
type Comparable = Option<(Arc<Embedded>, Arc<StoredVectors>)>;

/// Passes on what a model in training tells.
struct Teller<'a>(&'a dyn Reporter<Output>);

impl Observer for Teller<'_> {
    fn progress(&self, at: Progress) -> Result<(), Cancelled> {
        self.0.progress(at)
    }

    fn warn(&self, message: &str) {
        self.0.warn(message);
    }
}

impl TrainObserver for Teller<'_> {
    fn began(&self, run: &RunFacts) {
        self.0.tell(Output::Training(TrainNews::Began(run.clone())));
    }

    fn reported(&self, report: &Report) {
        self.0.tell(Output::Training(TrainNews::Reported(*report)));
    }

    fn validated(&self, validation: &Validation, best: bool) {
        self.0.tell(Output::Training(TrainNews::Validated(*validation, best)));
    }

    fn looked(&self, reading: &SampleReading) {
        self.0.tell(Output::Training(TrainNews::Looked(Arc::new(reading.clone()))));
    }
}

/// Does the tasks.
#[derive(Debug, Default)]
pub struct Workshop {
    options: WorkshopOptions,
    models: Mutex<HashMap<ModelId, Arc<Model>>>,
    comparable: Mutex<Comparable>,
    shortlist: Mutex<Option<(DatasetId, Arc<KmerShortlist>)>>,
    /// Folders of the shards that were opened, in which embeddings are looked for.
    shards: Mutex<Vec<PathBuf>>,
}

impl Workshop {
    /// A workshop without models.
    pub fn new(options: WorkshopOptions) -> Self {
        Self { options, ..Self::default() }
    }

    /// Does one task.
    ///
    /// # Errors
    /// Whatever the task's own work says.
    pub fn run(&self, task: Task, observer: &dyn Reporter<Output>) -> Result<Output, WorkError> {
        match task {
            Task::Open { paths, .. } if paths.iter().any(|path| is_session(path)) => match paths.as_slice() {
                [session] => Ok(Output::SessionOpened(Box::new(review::open(session, observer)?))),
                _ => Err("a session is opened alone, without other files".into()),
            },
            Task::Open { paths, mappings } if paths.iter().any(|path| is_shard(path)) => {
                self.open_shards(&paths, &mappings, observer)
            }
            Task::Open { paths, mappings } => {
                self.look_into(Vec::new());
                open(&paths, &mappings, observer)
            }
            Task::OpenDemo { seed } => open_demo(seed, observer),
            Task::CheckFrames { dataset } => Ok(Output::Frames(Arc::new(check_frames(&dataset, observer)?))),
            Task::LoadModel { path } => self.load_model(path.as_deref(), observer),
            Task::Embed { dataset, frames, model, memory } => {
                let model = self.model(model)?;
                let shards = self.shards.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let cache = self.options.cache.clone().map(|cache| cache.with_shards(&shards));
                let memory = self.options.reading.memory.or(Some(memory));
                let reading = EmbedSettings { memory, ..self.options.reading };
                let embedded = embed(&dataset, Some(&frames), &model, &reading, cache.as_ref(), observer)?;
                Ok(Output::Embedded(Arc::new(embedded)))
            }
            Task::Map { dataset, embedded, settings } => {
                let source = embedded.as_deref().map_or(ProjectSource::Kmers, ProjectSource::Embedded);
                Ok(Output::Map(Arc::new(project(&dataset, source, &settings, observer)?)))
            }
            Task::Classify { dataset, embedded, frames, model, against, settings } => {
                let untrained = match (settings.method, model) {
                    (Method::Random, Some(model)) => {
                        Some(self.untrained(model, &dataset, &frames, settings.seed, observer)?)
                    }
                    _ => None,
                };
                let embedded = embedded.as_deref().or(untrained.as_ref());
                Ok(Output::Calls(Arc::new(name_specimens(&dataset, embedded, against, &settings, observer)?)))
            }
            Task::Recommend { dataset, embedded, against, settings } => {
                let (reference, _) = sides(&dataset, against);
                let side = Side { rows: reference.as_deref(), ..Side::all(&dataset, Some(&embedded)) };
                Ok(Output::Recommended(Arc::new(recommend(side, &settings, observer)?)))
            }
            Task::Cluster { dataset, embedded, settings } => {
                Ok(Output::Clusters(Arc::new(cluster(&dataset, &embedded, &settings, observer)?)))
            }
            Task::Export { what, path } => {
                what.write(&path, observer)?;
                Ok(Output::Saved(path))
            }
            Task::Train(request) => self.train(*request, observer),
            Task::Estimate(request) => Ok(Output::Estimated(Arc::new(estimate(&request, observer)?))),
            Task::Discard { folder } => Ok(Output::Discarded(discard(&folder)?)),
            Task::FindClosest { dataset, embedded, row } => self.closest(&dataset, embedded, row, observer),
            Task::Lab(task) => Ok(Output::Lab(self.lab(*task, observer)?)),
            Task::Discover(task) => Ok(Output::Discovered(Arc::new(discover::run(&task, observer)?))),
            Task::Audit(task) => review::judge(&task, observer),
            Task::Measure(task) => Ok(Output::Measured(Arc::new(review::measure(&task)))),
            Task::Dossier(task) => {
                let vectors = self.comparable(&task.embedded, observer)?;
                let shortlist = self.shortlist(&task.dataset, observer)?;
                Ok(Output::Dossier(Arc::new(review::put_together(&task, &vectors, &shortlist, observer)?)))
            }
            Task::Gap(task) => {
                let vectors = self.comparable(&task.embedded, observer)?;
                Ok(Output::Gap(Arc::new(review::measure_gap(&task, &vectors, observer)?)))
            }
            Task::Tree(task) => Ok(Output::Tree(Arc::new(review::join(&task, observer)?))),
            Task::Keep(task) => Ok(Output::Kept(review::keep(&task)?)),
            Task::SaveSession(task) => Ok(Output::SessionSaved(review::save(&task, observer)?)),
            Task::AddFiles(task) => Ok(Output::SessionOpened(Box::new(review::add(&task, observer)?))),
            Task::KeepState(task) => {
                review::keep_state(&task)?;
                Ok(Output::StateKept)
            }
            Task::FindRecoveries { folder } => Ok(Output::Recoveries(review::find_recoveries(&folder, observer))),
        }
    }

    pub(super) fn options(&self) -> &WorkshopOptions {
        &self.options
    }

    /// The model in use, if it is the one of this file (`None`: the bundled one).
    pub(super) fn in_use(&self, path: Option<&Path>) -> Option<Arc<Model>> {
        let models = self.models.lock().unwrap_or_else(PoisonError::into_inner);
        models.values().find(|model| model.info().path.as_deref() == path).cloned()
    }

    pub(super) fn open_model(&self, path: Option<&Path>) -> Result<Model, WorkError> {
        let WorkshopOptions { device, precision, heads, .. } = self.options;
        Ok(match path {
            None => Model::bundled(&device)?,
            Some(path) => Model::open(path, &OpenOptions { heads, device, precision })?,
        })
    }

    /// Opens the files that shards were made from; embeddings are looked for in the shards from now on.
    fn open_shards(
        &self,
        paths: &[PathBuf],
        mappings: &[(String, ColumnMapping)],
        observer: &dyn Reporter<Output>,
    ) -> Result<Output, WorkError> {
        if !paths.iter().all(|path| is_shard(path)) {
            return Err("shards are opened alone, without other files".into());
        }
        let shards = read_shards(paths, observer)?;
        shards.remarks.iter().for_each(|remark| observer.warn(remark));
        let sources: Vec<PathBuf> = shards.sources.iter().map(|source| source.path.clone()).collect();
        let opened = open(&sources, mappings, observer)?;
        if let Output::Opened(opened) = &opened {
            shards.changed(&opened.dataset).iter().for_each(|told| observer.warn(told));
        }
        self.look_into(shards.folders);
        Ok(opened)
    }

    /// Looks for embeddings in these folders of shards from now on, and in no others.
    fn look_into(&self, folders: Vec<PathBuf>) {
        *self.shards.lock().unwrap_or_else(PoisonError::into_inner) = folders;
    }

    fn model(&self, id: ModelId) -> Result<Arc<Model>, WorkError> {
        let models = self.models.lock().unwrap_or_else(PoisonError::into_inner);
        models.get(&id).cloned().ok_or_else(|| "the model is not loaded".into())
    }

    fn load_model(&self, path: Option<&Path>, observer: &dyn Observer) -> Result<Output, WorkError> {
        observer.progress(Progress::new("loading the model", 0, 1, "models"))?;
        let model = self.open_model(path)?;
        observer.progress(Progress::new("loading the model", 1, 1, "models"))?;
        let info = Arc::new(model.info().clone());
        info.warnings.iter().for_each(|warning| observer.warn(warning));
        let note = model.device_note().to_owned();
        let mut models = self.models.lock().unwrap_or_else(PoisonError::into_inner);
        // Weights are large: only the model in use is kept.
        models.clear();
        models.insert(info.id, Arc::new(model));
        Ok(Output::Model { info, note })
    }

    /// Embeddings by an untrained encoder of the model's shape. They are of use once only, so they are not kept on disk.
    fn untrained(
        &self,
        model: ModelId,
        dataset: &Dataset,
        frames: &[FrameCheck],
        seed: Seed,
        observer: &dyn Observer,
    ) -> Result<Embedded, WorkError> {
        let untrained = self.model(model)?.random_like(seed)?;
        Ok(embed(dataset, Some(frames), &untrained, &self.options.reading, None, observer)?)
    }

    /// Trains a model; the sample is read as the model will be read when it is used.
    fn train(&self, mut request: TrainRequest, observer: &dyn Reporter<Output>) -> Result<Output, WorkError> {
        if let Some(sample) = &mut request.sample {
            sample.reading = self.options.reading;
        }
        Ok(Output::Trained(train(&request, &Teller(observer))?))
    }

    fn closest(
        &self,
        dataset: &Dataset,
        embedded: Option<Arc<Embedded>>,
        row: usize,
        observer: &dyn Observer,
    ) -> Result<Output, WorkError> {
        let by_model = embedded.is_some();
        let found = match embedded {
            Some(embedded) => {
                let vectors = self.comparable(&embedded, observer)?;
                let own = dataset.unique_of(row);
                nearest_uniques(&vectors.select(&[own]), &*vectors, observer)?
            }
            None => {
                let all = KmerCounts::new((0..dataset.unique_len()).map(|unique| dataset.unique_sequence(unique)));
                nearest_uniques(&KmerCounts::new([dataset.sequence(row)]), &all, observer)?
            }
        };
        let neighbours = rows_of(dataset, row, &found);
        Ok(Output::Closest(Arc::new(Closest { row, by_model, neighbours })))
    }

    /// The barcodes by their 8-mers, kept because every dossier asks for them.
    fn shortlist(&self, dataset: &Dataset, observer: &dyn Observer) -> Result<Arc<KmerShortlist>, Cancelled> {
        let is_it = |of: &DatasetId| *of == dataset.key();
        kept_or_made(&self.shortlist, is_it, || {
            let barcodes: Vec<&[u8]> =
                (0..dataset.unique_len()).map(|unique| dataset.unique_sequence(unique)).collect();
            Ok((dataset.key(), Arc::new(KmerShortlist::new(&barcodes, observer)?)))
        })
    }

    fn comparable(
        &self,
        embedded: &Arc<Embedded>,
        observer: &dyn Observer,
    ) -> Result<Arc<StoredVectors>, PipelineError> {
        let is_it = |of: &Arc<Embedded>| Arc::ptr_eq(of, embedded);
        kept_or_made(&self.comparable, is_it, || {
            let transform = fit_transform(embedded, None, observer)?;
            let vectors = Arc::new(embedded.vectors.transformed(&transform, observer)?);
            Ok((Arc::clone(embedded), vectors))
        })
    }
}

/// What is kept of the right thing, or what is made of it and kept from now on.
///
/// The lock is not held meanwhile: a thread of a pool that waits for a part of its work takes on other work of the pool, which may
/// ask for the same lock. Two that begin at once both make it.
fn kept_or_made<K, V, E>(
    kept: &Mutex<Option<(K, Arc<V>)>>,
    is_it: impl Fn(&K) -> bool,
    make: impl FnOnce() -> Result<(K, Arc<V>), E>,
) -> Result<Arc<V>, E> {
    let lock = || kept.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, value)) = lock().as_ref().filter(|(of, _)| is_it(of)) {
        return Ok(Arc::clone(value));
    }
    let made = make()?;
    let value = Arc::clone(&made.1);
    *lock() = Some(made);
    Ok(value)
}

/// The unique barcodes nearest to the one query, itself included, with their cosines.
fn nearest_uniques(
    query: &dyn VectorSource,
    all: &dyn VectorSource,
    observer: &dyn Observer,
) -> Result<Vec<(u32, f32)>, WorkError> {
    Ok(nearest(query, all, CLOSEST + 1, &|_, _| false, observer)?.of(0).collect())
}

/// The specimens that have these barcodes, without the specimen itself, with the identity of the barcodes.
fn rows_of(dataset: &Dataset, row: usize, uniques: &[(u32, f32)]) -> Vec<Near> {
    let wanted: HashMap<usize, f32> = uniques.iter().map(|&(unique, cosine)| (unique as usize, cosine)).collect();
    let mut aligner = Aligner::new();
    let identities: HashMap<usize, f32> = wanted
        .keys()
        .map(|&unique| (unique, aligner.identity(dataset.sequence(row), dataset.unique_sequence(unique))))
        .collect();
    let mut near: Vec<Near> = (0..dataset.len())
        .filter(|&other| other != row)
        .filter_map(|other| {
            let unique = dataset.unique_of(other);
            let cosine = *wanted.get(&unique)?;
            Some(Near { row: other, cosine, identity: identities[&unique] })
        })
        .collect();
    near.sort_by(|a, b| b.cosine.total_cmp(&a.cosine).then(a.row.cmp(&b.row)));
    near.truncate(CLOSEST);
    near
}

fn name_specimens(
    dataset: &Dataset,
    embedded: Option<&Embedded>,
    against: Against,
    settings: &ClassifySettings,
    observer: &dyn Observer,
) -> Result<Classification, PipelineError> {
    let (Some(training), Some(others)) = sides(dataset, against) else {
        return leave_one_out(Side::all(dataset, embedded), settings, observer);
    };
    let side = Side::of_rows(dataset, &training, embedded);
    let reference = Reference::new(settings.method, side, settings.transform, observer)?;
    classify(&reference, Side::of_rows(dataset, &others, embedded), settings, observer)
}

/// The rows that name others and those that are named; `None` where it is all of them.
fn sides(dataset: &Dataset, against: Against) -> (Option<Vec<usize>>, Option<Vec<usize>>) {
    if against == Against::Others {
        return (None, None);
    }
    let in_training = |row: &usize| dataset.label(*row, Field::Split) == Some(Against::TRAINING_SPLIT);
    let (training, others) = (0..dataset.len()).partition(in_training);
    (Some(training), Some(others))
}

fn is_session(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case(EXTENSION))
}

/// Reads files. A table of an unknown layout is asked about first, unless its columns were named before.
fn open(
    paths: &[PathBuf],
    mappings: &[(String, ColumnMapping)],
    observer: &dyn Reporter<Output>,
) -> Result<Output, WorkError> {
    let mut seen = None;
    let mut named: Option<ColumnMapping> = None;
    for path in paths {
        observer.progress(Progress::new("looking at the files", 0, paths.len(), "files"))?;
        let found = inspect(path, &ImportOptions::default())?;
        if seen.is_none() && found.has_sequences() {
            seen = Some(first_rows(&found));
        }
        let Some(guess) = found.mapping.filter(|_| found.layout == UNKNOWN_LAYOUT) else { continue };
        let header = ColumnQuestion::header_key(&found.columns);
        match mappings.iter().find(|(known, _)| *known == header) {
            Some((_, mapping)) => named = Some(joined(named, mapping)),
            None => {
                return Ok(Output::ColumnsUnknown(Box::new(ColumnQuestion {
                    paths: paths.to_vec(),
                    table: path.clone(),
                    header: found.columns,
                    sample: found.sample.into_iter().take(ColumnQuestion::SAMPLE).collect(),
                    guess,
                })));
            }
        }
    }
    if let Some(rows) = seen {
        observer.tell(Output::FirstRows(rows));
    }
    let options = ImportOptions { mapping: named, ..ImportOptions::default() };
    let (dataset, report) = load(paths, &options, observer)?;
    Ok(Output::Opened(Arc::new(Opened { paths: paths.to_vec(), dataset: Arc::new(dataset), reading: options, report })))
}

fn first_rows(found: &Inspection) -> FirstRows {
    let shortened = |cell: &String| cell.chars().take(FirstRows::LETTERS).collect();
    let shown = |cells: &[String]| cells.iter().take(FirstRows::COLUMNS).map(shortened).collect::<Vec<String>>();
    let columns =
        if found.columns.is_empty() { vec!["header".into(), "sequence".into()] } else { shown(&found.columns) };
    let rows = found.sample.iter().take(FirstRows::MOST).map(|row| shown(row)).collect();
    FirstRows { file: found.path.clone(), columns, rows }
}

/// Both mappings; where they differ, the first one.
fn joined(first: Option<ColumnMapping>, second: &ColumnMapping) -> ColumnMapping {
    let Some(mut mapping) = first else { return second.clone() };
    let known: Vec<Role> = mapping.iter().map(|(role, _)| role).collect();
    for (role, column) in second.iter().filter(|(role, _)| !known.contains(role)) {
        mapping.set(role, Some(column).filter(|column| !column.is_empty()));
    }
    mapping
}

/// The demo is written as a file and read as any other, so that what is seen is what a file would show.
fn open_demo(seed: Seed, observer: &dyn Observer) -> Result<Output, WorkError> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join(DEMO_FILE);
    let mut file = std::io::BufWriter::new(std::fs::File::create(&path)?);
    write_csv(&SimulationSettings { seed, ..SimulationSettings::default() }, &mut file, observer)?;
    std::io::Write::flush(&mut file)?;
    drop(file);
    let reading = ImportOptions::default();
    let (dataset, report) = load(&[path], &reading, observer).map_err(|error| match error {
        ImportError::Cancelled(cancelled) => WorkError::from(cancelled),
        error => error.into(),
    })?;
    Ok(Output::Opened(Arc::new(Opened { paths: Vec::new(), dataset: Arc::new(dataset), reading, report })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::testing::Listener;

    #[test]
    fn the_first_rows_of_a_file_are_told_before_the_rest_is_read() {
        let home = tempfile::tempdir().unwrap();
        let table: String = (0..500).map(|row| format!("X{row}-26,Apis,{}\n", "ACGT".repeat(40))).collect();
        std::fs::write(home.path().join("a.csv"), format!("processid,genus,nucleotides\n{table}")).unwrap();
        let fasta: String = (0..500).map(|row| format!(">X{row}-26|Apis\nACGTACGT\n{}\n", "ACGT".repeat(40))).collect();
        std::fs::write(home.path().join("a.fasta"), fasta).unwrap();
        let told = |name: &str, header: &str| {
            let listening = Listener::default();
            let mapping = "id=processid,sequence=nucleotides".parse().unwrap();
            open(&[home.path().join(name)], &[(header.to_owned(), mapping)], &listening).unwrap();
            listening.first_rows.into_inner().unwrap().pop().expect("something is shown")
        };
        let table = told("a.csv", "processid\tgenus\tnucleotides");
        assert_eq!(table.columns, ["processid", "genus", "nucleotides"]);
        assert_eq!((table.rows.len(), table.rows[19][0].as_str()), (FirstRows::MOST, "X19-26"));
        let names: Vec<String> = (0..500).map(|column| format!("c{column}")).collect();
        let header = format!("processid,nucleotides,{}", names.join(","));
        let row = format!("X1-26,{},{}", "ACGT".repeat(40), "x".repeat(5000));
        std::fs::write(home.path().join("wide.csv"), format!("{header}\n{row}{}\n", ",".repeat(499))).unwrap();
        let wide = told("wide.csv", &header.replace(',', "\t"));
        assert_eq!((wide.columns.len(), wide.rows[0].len()), (FirstRows::COLUMNS, FirstRows::COLUMNS));
        assert_eq!(wide.rows[0][2].len(), FirstRows::LETTERS);
        let fasta = told("a.fasta", "");
        assert_eq!(fasta.columns, ["header", "sequence"]);
        assert_eq!((fasta.rows.len(), fasta.rows[19][0].as_str()), (FirstRows::MOST, "X19-26|Apis"));
        assert!(fasta.rows[0][1].starts_with("ACGTACGTACGT") && fasta.rows[0][1].len() == 168);
    }

    #[test]
    fn shards_open_as_the_file_that_they_were_made_from_and_nothing_is_embedded_again() {
        use crate::pipeline::shards::embed_share;
        let home = tempfile::tempdir().unwrap();
        let source = home.path().join("survey.csv");
        let settings = SimulationSettings { specimens: 30, ..SimulationSettings::default() };
        write_csv(&settings, &mut std::fs::File::create(&source).unwrap(), &Listener::default()).unwrap();
        let cache = Some(Cache::at(home.path().join("cache")));
        let workshop = Workshop::new(WorkshopOptions { cache, ..WorkshopOptions::default() });
        let run = |task: Task, told: &Listener| workshop.run(task, told);
        let open = |paths: &[PathBuf], told: &Listener| {
            let Output::Opened(opened) = run(Task::Open { paths: paths.to_vec(), mappings: Vec::new() }, told).unwrap()
            else {
                panic!("it was not opened")
            };
            opened
        };
        let quiet = Listener::default();
        let plain = open(std::slice::from_ref(&source), &quiet);
        let model = Model::bundled(&DeviceChoice::Cpu).unwrap();
        let out = home.path().join("shards");
        let shards: Vec<PathBuf> = ["1/2", "2/2"]
            .map(|share| {
                let share = share.parse().unwrap();
                embed_share(&plain.dataset, &model, &EmbedSettings::default(), share, &out, Seed(1), &quiet)
                    .unwrap()
                    .manifest
            })
            .into();
        let Output::Model { info, .. } = run(Task::LoadModel { path: None }, &quiet).unwrap() else {
            panic!("no model")
        };
        let embedded = |opened: &Opened| {
            let frames = Arc::new(check_frames(&opened.dataset, &quiet).unwrap());
            let memory = crate::pipeline::stored::MemoryBudget::default();
            let task = Task::Embed { dataset: Arc::clone(&opened.dataset), frames, model: info.id, memory };
            let Output::Embedded(embedded) = run(task, &quiet).unwrap() else { panic!("nothing was embedded") };
            embedded
        };
        let told = Listener::default();
        let opened = open(&shards, &told);
        assert_eq!(opened.dataset.key(), plain.dataset.key());
        assert!(told.warned.lock().unwrap().is_empty());
        assert_eq!(embedded(&opened).computed, 0);
        let mixed = Task::Open { paths: vec![shards[0].clone(), source.clone()], mappings: Vec::new() };
        assert!(run(mixed, &quiet).unwrap_err().to_string().contains("alone"));
        // The shards are looked into no longer once another file is open.
        assert!(embedded(&open(std::slice::from_ref(&source), &quiet)).computed > 0);
        let mut text = std::fs::read_to_string(&source).unwrap();
        text.push('\n');
        std::fs::write(&source, text).unwrap();
        open(&shards, &told);
        assert!(told.warned.lock().unwrap()[0].contains("has changed"));
    }

    #[test]
    fn what_is_kept_is_made_once_and_may_be_asked_for_while_it_is_made() {
        let kept: Mutex<Option<(u8, Arc<u8>)>> = Mutex::new(None);
        let ask = |of: u8, make: &dyn Fn() -> u8| {
            let made: Result<Arc<u8>, ()> = kept_or_made(&kept, |known| *known == of, || Ok((of, Arc::new(make()))));
            *made.unwrap()
        };
        // Somebody who waits for a part of the work may take on a job that asks for the same.
        assert_eq!(ask(1, &|| ask(1, &|| 10) + 1), 11);
        assert_eq!(ask(1, &|| unreachable!("it is kept")), 11);
        assert_eq!((ask(2, &|| 20), ask(1, &|| 12)), (20, 12), "only the latest is kept");
    }
}
