//! The whole job as a report with pictures: the demo without a window.

use super::cache::Cache;
use super::check::{CheckReport, check};
use super::classify::{Classification, ClassifySettings, leave_one_out};
use super::cluster::{ClusterRecipe, ClusterSettings, Clustering, HDBSCAN_MIN_SIZE, Linkage, cluster};
use super::colour::{Rgb, Shade, legend, palette};
use super::embed::{EmbedSettings, Embedded, embed};
use super::export::{
    write_classification, write_clusters, write_error, write_figure, write_file, write_projection, write_text,
};
use super::figure::{MapFigure, map as draw_map};
use super::methods::methods_paragraph;
use super::page::{Page, escaped};
use super::project::{ProjectSettings, ProjectSource, Projection, project};
use super::side::{Method, Side};
use super::{PipelineError, Provenance};
use crate::analysis::concordance::{Concordance, Correspondence};
use crate::data::dataset::Dataset;
use crate::data::import::ImportOptions;
use crate::data::reading::TransformKind;
use crate::data::simulate::{SimulationError, SimulationSettings, write_csv};
use crate::data::taxonomy::{Field, LabelColumn};
use crate::model::Model;
use crate::progress::Observer;
use crate::seed::Seed;
use serde::Serialize;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// How the report is made.
#[derive(Debug, Clone)]
pub struct DemoSettings {
    /// Where it goes; made where it does not exist.
    pub folder: PathBuf,
    /// How many specimens are simulated.
    pub specimens: usize,
    /// How barcodes are read.
    pub embed: EmbedSettings,
    /// Transform of the embeddings; `None` as the model's settings say.
    pub transform: Option<TransformKind>,
    /// Seed of everything.
    pub seed: Seed,
}

/// What was written, and the main numbers.
#[derive(Debug, Clone, Serialize)]
pub struct DemoReport {
    /// The page to open.
    pub page: PathBuf,
    /// Whether the barcodes are simulated.
    pub simulated: bool,
    /// Specimens.
    pub specimens: usize,
    /// Share named right, each specimen by the others, by label and method.
    pub accuracy: Vec<(Field, Method, f64)>,
    /// Groups found and agreement with the labels, by recipe.
    pub clusters: Vec<(String, usize, Option<f64>)>,
    /// Wall time.
    pub seconds: f64,
    /// How it was made.
    pub provenance: Provenance,
}

/// Writes simulated barcodes as a table, compressed where the name says `.gz`.
///
/// # Errors
/// [`PipelineError::Write`], and a stop.
pub fn write_simulation(
    path: &Path,
    settings: &SimulationSettings,
    observer: &dyn Observer,
) -> Result<(), PipelineError> {
    write_file(path, |out| {
        write_csv(settings, out, observer).map_err(|error| match error {
            SimulationError::Cancelled(cancelled) => PipelineError::Cancelled(cancelled),
            SimulationError::Write(error) => write_error(path, error.into()),
        })
    })
}

/// Simulates barcodes with known truth and reports on them.
///
/// # Errors
/// Whatever a step says, and a stop.
pub fn report_on_simulation(
    model: &Model,
    settings: &DemoSettings,
    cache: Option<&Cache>,
    observer: &dyn Observer,
) -> Result<DemoReport, PipelineError> {
    make_folder(&settings.folder)?;
    let table = settings.folder.join("simulated.csv");
    let simulation = SimulationSettings { specimens: settings.specimens, seed: settings.seed };
    write_simulation(&table, &simulation, observer)?;
    report(&[table], true, model, settings, cache, observer)
}

/// Reports on the user's files.
///
/// # Errors
/// Whatever a step says, and a stop.
pub fn report_on_files(
    files: &[PathBuf],
    model: &Model,
    settings: &DemoSettings,
    cache: Option<&Cache>,
    observer: &dyn Observer,
) -> Result<DemoReport, PipelineError> {
    make_folder(&settings.folder)?;
    report(files, false, model, settings, cache, observer)
}

fn make_folder(folder: &Path) -> Result<(), PipelineError> {
    std::fs::create_dir_all(folder).map_err(|source| write_error(folder, source))
}

fn report(
    files: &[PathBuf],
    simulated: bool,
    model: &Model,
    settings: &DemoSettings,
    cache: Option<&Cache>,
    observer: &dyn Observer,
) -> Result<DemoReport, PipelineError> {
    let start = Instant::now();
    let checked = check(files, &ImportOptions::default(), observer)?;
    let embedded = embed(&checked.dataset, Some(&checked.frames), model, &settings.embed, cache, observer)?;
    let work = Work { dataset: &checked.dataset, embedded: &embedded, simulated, settings, observer };
    let maps = work.maps()?;
    let names = work.names()?;
    let groups = work.groups()?;
    let mut page = Page::new(&if simulated {
        "Barcodescope: the demo".to_owned()
    } else {
        format!("Barcodescope: {}", checked.dataset.name())
    });
    if simulated {
        page.note(SIMULATED);
    }
    page.contents(&checked.report);
    for map in &maps {
        work.write_map(map)?;
        page.map(map);
    }
    work.write_tables(&maps, &names, &groups)?;
    page.names(&names);
    page.groups(&groups);
    let results: Vec<&Provenance> = maps
        .iter()
        .map(|map| &map.projection.provenance)
        .chain(names.first().map(|result| &result.provenance))
        .chain(groups.iter().map(|result| &result.provenance))
        .collect();
    page.methods(&methods_paragraph(&results));
    let path = settings.folder.join("index.html");
    write_text(&path, &page.finish())?;
    Ok(DemoReport {
        page: path,
        simulated,
        specimens: checked.dataset.len(),
        accuracy: names
            .iter()
            .filter_map(|result| Some((result.rank, result.method, result.scores.as_ref()?.accuracy)))
            .collect(),
        clusters: groups
            .iter()
            .map(|result| (recipe_name(result), result.found, result.agreement.as_ref().map(|agreement| agreement.ami)))
            .collect(),
        seconds: start.elapsed().as_secs_f64(),
        provenance: embedded.describe(Provenance::new(settings.seed, &[&checked.dataset])),
    })
}

fn recipe_name(result: &Clustering) -> String {
    result.provenance.setting("recipe").unwrap_or_default().to_owned()
}

/// A map with what it is coloured by.
struct Map {
    projection: Projection,
    colour_by: Field,
    /// Name of its files, without ending.
    name: &'static str,
    title: String,
    subtitle: String,
}

struct Work<'a> {
    dataset: &'a Dataset,
    embedded: &'a Embedded,
    simulated: bool,
    settings: &'a DemoSettings,
    observer: &'a dyn Observer,
}

impl Work<'_> {
    /// Maps of the model's embeddings and of 6-mer counts, coloured by the broadest rank that tells specimens apart.
    fn maps(&self) -> Result<Vec<Map>, PipelineError> {
        let colour_by = [Field::Order, Field::Family, Field::Genus, Field::Bin]
            .into_iter()
            .find(|&field| self.dataset.labels(field).distinct() > 1)
            .unwrap_or(Field::Genus);
        let settings = ProjectSettings {
            transform: self.settings.transform,
            seed: self.settings.seed,
            ..ProjectSettings::default()
        };
        let map = |source, name, what: &str| -> Result<Map, PipelineError> {
            Ok(Map {
                projection: project(self.dataset, source, &settings, self.observer)?,
                colour_by,
                name,
                title: format!("{what}, coloured by {}", colour_by.title()),
                subtitle: format!(
                    "{}{}, {} specimens",
                    if self.simulated { "simulated: " } else { "" },
                    self.dataset.name(),
                    self.dataset.len()
                ),
            })
        };
        Ok(vec![
            map(ProjectSource::Embedded(self.embedded), "map-model", "Map of the model's embeddings (UMAP)")?,
            map(ProjectSource::Kmers, "map-6mers", "Map of 6-mer counts (UMAP)")?,
        ])
    }

    fn write_map(&self, map: &Map) -> Result<(), PipelineError> {
        const IN_LEGEND: usize = 24;
        const PIXELS: u32 = 1600;
        let labels = self.dataset.labels(map.colour_by);
        let above = Field::RANKS.into_iter().filter(|&rank| rank < map.colour_by);
        let broader: Vec<&LabelColumn> = above.map(|rank| self.dataset.labels(rank)).collect();
        let colours = palette(labels, &broader, Shade::Light);
        let by_row: Vec<Rgb> = (0..self.dataset.len())
            .map(|row| labels.code(row).map_or(Shade::Light.unlabelled(), |code| colours[code as usize]))
            .collect();
        let figure = draw_map(&MapFigure {
            title: &map.title,
            subtitle: &map.subtitle,
            details: &map.projection.provenance.settings_line(),
            points: &map.projection.points,
            colours: &by_row,
            legend_title: map.colour_by.title(),
            legend: &legend(labels, &colours, IN_LEGEND, Shade::Light),
        });
        for ending in ["svg", "png"] {
            write_figure(&self.settings.folder.join(format!("{}.{ending}", map.name)), &figure, PIXELS)?;
        }
        Ok(())
    }

    /// Genus and species of every specimen by the others, by the model and the baselines, where there are labels.
    fn names(&self) -> Result<Vec<Classification>, PipelineError> {
        let mut results = Vec::new();
        for rank in [Field::Genus, Field::Species] {
            if self.dataset.labels(rank).labelled() < 2 {
                continue;
            }
            for method in [Method::Model, Method::Kmer, Method::Align] {
                let settings = ClassifySettings {
                    rank,
                    method,
                    transform: self.settings.transform,
                    seed: self.settings.seed,
                    ..ClassifySettings::default()
                };
                let side = Side::all(self.dataset, Some(self.embedded));
                results.push(leave_one_out(side, &settings, self.observer)?);
            }
        }
        Ok(results)
    }

    /// Groups by the recipes that know no number, and by the published one where there are labels to take the number from.
    fn groups(&self) -> Result<Vec<Clustering>, PipelineError> {
        if self.dataset.unique_len() < 2 {
            return Ok(Vec::new());
        }
        let threshold = ClusterRecipe::Threshold { linkage: Linkage::Average, threshold: None };
        let mut recipes = vec![threshold, ClusterRecipe::Hdbscan { min_size: HDBSCAN_MIN_SIZE }];
        if super::cluster::default_against(self.dataset).is_some() {
            recipes.push(ClusterRecipe::Ward { clusters: None });
        }
        let mut results = Vec::new();
        for recipe in recipes {
            let settings =
                ClusterSettings { recipe, against: None, transform: self.settings.transform, seed: self.settings.seed };
            match cluster(self.dataset, self.embedded, &settings, self.observer) {
                Ok(result) => results.push(result),
                // The other recipes need no threshold.
                Err(error @ PipelineError::NoThreshold) => self.observer.warn(&error.to_string()),
                Err(error) => return Err(error),
            }
        }
        Ok(results)
    }

    fn write_tables(&self, maps: &[Map], names: &[Classification], groups: &[Clustering]) -> Result<(), PipelineError> {
        let path = |name: &str| self.settings.folder.join(name);
        for map in maps {
            write_projection(&path(&format!("{}.csv", map.name)), self.dataset, &map.projection.points)?;
        }
        for result in names.iter().filter(|result| result.method == Method::Model) {
            write_classification(&path(&format!("names-{}.csv", result.rank)), result, self.dataset, self.dataset)?;
        }
        for result in groups {
            write_clusters(&path(&format!("groups-{}.csv", recipe_name(result))), self.dataset, &result.labels)?;
        }
        Ok(())
    }
}

const SIMULATED: &str = "All barcodes and names on this page are simulated: no such animals exist, and the numbers say nothing about real \
    ones. The table simulated.csv beside this page holds the truth about every specimen.";

/// The parts of this report.
impl Page {
    fn contents(&mut self, report: &CheckReport) {
        let import = &report.import;
        self.heading("What the files hold");
        let files: Vec<String> =
            import.files.iter().map(|file| format!("{} ({})", file.path.display(), file.layout)).collect();
        let _ = writeln!(
            self.html,
            "<p>{}: {} records read, {} kept, {} left out; {} different barcodes of {} to {} bases; {} look like COI.</p>",
            escaped(&files.join(", ")),
            import.records_read,
            import.records_kept,
            import.left_out_total(),
            import.unique_barcodes,
            import.lengths.shortest,
            import.lengths.longest,
            report.looks_like_coi,
        );
        let counts = import
            .left_out
            .iter()
            .map(|(reason, count)| ("left out", reason.key(), *count))
            .chain(import.repaired.iter().map(|(repair, count)| ("repaired", repair.key(), *count)))
            .chain(import.flagged.iter().map(|(flag, count)| ("flagged", flag.as_ref(), *count)));
        let rows: Vec<Vec<String>> = counts
            .map(|(what, kind, count)| vec![what.to_owned(), kind.replace('_', " "), count.to_string()])
            .collect();
        if !rows.is_empty() {
            self.table(&["", "what", "records"], rows);
        }
        let labels = import.labels.iter();
        let rows = labels.map(|(field, count)| {
            vec![field.title().to_owned(), count.labelled.to_string(), count.distinct.to_string()]
        });
        self.table(&["label", "specimens that have it", "different names"], rows.collect::<Vec<_>>());
    }

    fn map(&mut self, map: &Map) {
        self.heading(&map.title);
        let _ = writeln!(
            self.html,
            "<p><img src=\"{0}.svg\" alt=\"{1}\"></p><p>{2} specimens in {3:.1} s. Also as <a href=\"{0}.png\">PNG</a> and \
             <a href=\"{0}.csv\">table</a>.</p>",
            map.name,
            escaped(&map.title),
            map.projection.points.len(),
            map.projection.seconds,
        );
    }

    fn names(&mut self, results: &[Classification]) {
        self.heading("Named by the others");
        if results.is_empty() {
            self.html.push_str("<p>No specimen has a genus or species, so there is nothing to compare with.</p>\n");
            return;
        }
        self.html.push_str("<p>Each specimen was named by its nearest neighbour among all others.</p>\n");
        let rows = results.iter().filter_map(|result| {
            let scores = result.scores.as_ref()?;
            let percent = |share: f64| format!("{:.1} %", 100.0 * share);
            Some(vec![
                result.rank.title().to_owned(),
                result.method.title().to_owned(),
                percent(scores.accuracy),
                result
                    .interval
                    .map_or_else(String::new, |[low, high]| format!("{} to {}", percent(low), percent(high))),
                percent(scores.balanced_accuracy),
                scores.n.to_string(),
            ])
        });
        self.table(
            &["label", "method", "named right", "95 % interval", "balanced", "specimens"],
            rows.collect::<Vec<_>>(),
        );
    }

    fn groups(&mut self, results: &[Clustering]) {
        self.heading("Groups found without names");
        let rows = results.iter().map(|result| {
            let number = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.3}"));
            let knows = if result.used_true_number { " (was told the true number)" } else { "" };
            vec![
                format!("{}{knows}", recipe_name(result)),
                result.found.to_string(),
                result.noise.to_string(),
                result.against.map_or_else(String::new, |field| field.title().to_owned()),
                result.true_number.map_or_else(String::new, |number| number.to_string()),
                number(result.agreement.as_ref().map(|agreement| agreement.ami)),
                number(result.agreement.as_ref().map(|agreement| agreement.ari)),
            ]
        });
        self.table(&["recipe", "groups", "in none", "against", "true number", "AMI", "ARI"], rows.collect::<Vec<_>>());
        if let Some(concordance) = results.first().and_then(|result| result.concordance.as_ref()) {
            self.conflicts(concordance);
        }
    }

    /// The labels that fit the groups worst.
    fn conflicts(&mut self, concordance: &Concordance) {
        const SHOWN: usize = 15;
        self.heading("Worst conflicts between names and groups");
        let conflicting = concordance.rows.iter().filter(|row| row.correspondence != Correspondence::Match);
        let rows: Vec<Vec<String>> = conflicting
            .take(SHOWN)
            .map(|row| {
                vec![
                    row.name.clone(),
                    row.correspondence.key().to_owned(),
                    row.specimens.to_string(),
                    row.clusters.len().to_string(),
                    row.shared_with.join(", "),
                ]
            })
            .collect();
        if rows.is_empty() {
            self.html.push_str("<p>None: every name is one group.</p>\n");
        } else {
            self.table(&["name", "what", "specimens", "groups", "shares groups with"], rows);
        }
    }
}
