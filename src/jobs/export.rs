//! Results on their way into files.

mod discover;
mod lab;
mod review;

pub use discover::{DiscoveryExport, DiscoveryFile};
pub use lab::LabExport;
pub use review::{ReviewExport, ReviewFile};

use crate::data::dataset::Dataset;
use crate::data::frame::FrameCheck;
use crate::data::taxonomy::{Field, LabelColumn};
use crate::jobs::Opened;
use crate::pipeline::PipelineError;
use crate::pipeline::check::rows as check_rows;
use crate::pipeline::classify::Classification;
use crate::pipeline::cluster::Clustering;
use crate::pipeline::colour::{Rgb, Shade, legend, palette};
use crate::pipeline::embed::Embedded;
use crate::pipeline::export::{
    write_check, write_classification, write_clusters, write_embeddings, write_fasta, write_figure, write_projection,
    write_records, write_rows, write_text,
};
use crate::pipeline::figure::{Figure, MapFigure, confusion, histogram, map};
use crate::pipeline::project::{ProjectMethod, Projection, Source};
use crate::pipeline::provenance::Provenance;
use crate::progress::Observer;
use std::path::Path;
use std::sync::Arc;

/// Width of a PNG in pixels.
const PIXELS: u32 = 2000;
/// Names in the legend of a map.
const IN_LEGEND: usize = 24;
/// Bins of the length histogram.
const BINS: usize = 40;

/// A map with its colours.
#[derive(Debug, Clone)]
pub struct ColouredMap {
    /// The specimens.
    pub dataset: Arc<Dataset>,
    /// Where they lie.
    pub projection: Arc<Projection>,
    /// What they are coloured by: its name and its values, `[N]`.
    pub colouring: Option<(String, Arc<LabelColumn>)>,
    /// The rank that the colouring is about, where it is one: broader ranks order the hues.
    pub rank: Option<Field>,
}

/// Selected specimens with what was found about them.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// The specimens.
    pub dataset: Arc<Dataset>,
    /// Which of them.
    pub rows: Vec<usize>,
    /// More columns: a name, and a value for each of `rows`.
    pub extra: Vec<(&'static str, Vec<String>)>,
}

/// Something that can be written to a file.
#[derive(Debug, Clone)]
pub enum Export {
    /// What became of every record.
    Report(Arc<Opened>, Option<Arc<Vec<FrameCheck>>>),
    /// The name of every specimen.
    Names(Arc<Dataset>, Arc<Classification>),
    /// How well each class is found.
    Classes(Arc<Classification>),
    /// The group of every specimen.
    Clusters(Arc<Dataset>, Arc<Clustering>),
    /// How groups and labels correspond.
    Concordance(Arc<Clustering>),
    /// Where every specimen lies on the map.
    Places(Arc<Dataset>, Arc<Projection>),
    /// The map as a picture.
    Map(ColouredMap),
    /// The confusion matrix as a picture: names, counts by true and predicted class, and a line on how it was made.
    Confusion(Vec<String>, Vec<Vec<usize>>, String),
    /// The lengths of the barcodes as a picture.
    Lengths(Vec<usize>),
    /// Selected specimens: FASTA or a table, as the file's name says.
    Selected(Chosen),
    /// The embedding of every specimen.
    Embeddings(Arc<Dataset>, Arc<Embedded>, Provenance),
    /// Some text.
    Text(String),
    /// A result of the masking lab.
    Lab(LabExport),
    /// A discovery.
    Discovery(DiscoveryExport),
    /// Something of a review.
    Review(ReviewExport),
}

impl Export {
    /// Writes it.
    ///
    /// # Errors
    /// [`PipelineError::Write`] when the file cannot be written, [`PipelineError::Setting`] when its ending fits nothing.
    pub fn write(&self, path: &Path, observer: &dyn Observer) -> Result<(), PipelineError> {
        match self {
            Self::Report(opened, frames) => {
                let kept = frames.as_ref().map(|frames| (&*opened.dataset, frames.as_slice()));
                write_check(path, &check_rows(&opened.report, kept))
            }
            Self::Names(dataset, names) => write_classification(path, names, dataset, dataset),
            Self::Classes(names) => write_classes(path, names),
            Self::Clusters(dataset, clusters) => write_clusters(path, dataset, &clusters.labels),
            Self::Concordance(clusters) => write_concordance(path, clusters),
            Self::Places(dataset, projection) => write_projection(path, dataset, &projection.points),
            Self::Map(coloured) => write_figure(path, &coloured.figure(), PIXELS),
            Self::Confusion(names, counts, about) => {
                write_figure(path, &confusion("Who is taken for whom", about, names, counts), PIXELS)
            }
            Self::Lengths(lengths) => {
                write_figure(path, &histogram("Lengths of barcodes", "bases", lengths, BINS), PIXELS)
            }
            Self::Selected(chosen) => chosen.write(path),
            Self::Embeddings(dataset, embedded, provenance) => {
                write_embeddings(path, dataset, embedded.vectors.whole().view(), provenance, observer)
            }
            Self::Text(text) => write_text(path, text),
            Self::Lab(result) => result.write(path),
            Self::Discovery(found) => found.write(path),
            Self::Review(review) => review.write(path),
        }
    }
}

impl ColouredMap {
    fn figure(&self) -> Figure {
        let shade = Shade::Light;
        let Some((title, labels)) = &self.colouring else {
            let colours = vec![shade.unlabelled(); self.dataset.len()];
            return self.draw("", &colours, &[]);
        };
        let above = Field::RANKS.into_iter().filter(|&field| self.rank.is_some_and(|rank| field < rank));
        let broader: Vec<&LabelColumn> = above.map(|field| self.dataset.labels(field)).collect();
        let colours = palette(labels, &broader, shade);
        let by_row: Vec<Rgb> = (0..labels.len())
            .map(|row| labels.code(row).map_or(shade.unlabelled(), |code| colours[code as usize]))
            .collect();
        self.draw(title, &by_row, &legend(labels, &colours, IN_LEGEND, shade))
    }

    fn draw(&self, legend_title: &str, colours: &[Rgb], entries: &[crate::pipeline::colour::LegendEntry]) -> Figure {
        let provenance = &self.projection.provenance;
        let how = match self.projection.method {
            ProjectMethod::Umap => "UMAP",
            ProjectMethod::Pca => "principal components",
        };
        let of = match self.projection.source {
            Source::Kmers => "6-mer counts",
            Source::Model => "the model's embeddings",
        };
        map(&MapFigure {
            title: &format!("{}: {how} of {of}", self.dataset.name()),
            subtitle: &provenance.caption(),
            details: &provenance.settings_line(),
            points: &self.projection.points,
            colours,
            legend_title,
            legend: entries,
        })
    }
}

impl Chosen {
    fn write(&self, path: &Path) -> Result<(), PipelineError> {
        let name = path.to_string_lossy().to_ascii_lowercase();
        let is_table = [".csv", ".tsv"].iter().any(|ending| name.trim_end_matches(".gz").ends_with(ending));
        if !is_table {
            return write_fasta(path, &self.dataset, &self.rows);
        }
        let value = |values: &[String], row: usize| {
            let at = self.rows.binary_search(&row).ok();
            at.and_then(|at| values.get(at)).cloned().unwrap_or_default()
        };
        let cells: Vec<Box<dyn Fn(usize) -> String + '_>> = self
            .extra
            .iter()
            .map(|(_, values)| Box::new(move |row| value(values, row)) as Box<dyn Fn(usize) -> String>)
            .collect();
        let extra: Vec<(&str, &dyn Fn(usize) -> String)> =
            self.extra.iter().zip(&cells).map(|((name, _), cell)| (*name, &**cell)).collect();
        write_records(path, &self.dataset, &self.rows, &extra)
    }
}

fn write_classes(path: &Path, names: &Classification) -> Result<(), PipelineError> {
    let classes = names.scores.iter().flat_map(|scores| &scores.per_class);
    let rows = classes.map(|class| {
        let numbers = [class.recall, class.precision, class.f1].map(|value| format!("{value:.6}"));
        let counts = [class.n, class.predicted, class.correct].map(|count| count.to_string());
        std::iter::once(class.name.clone()).chain(counts).chain(numbers).collect()
    });
    write_rows(path, &["class", "n", "predicted", "correct", "recall", "precision", "f1"], rows)
}

fn write_concordance(path: &Path, clusters: &Clustering) -> Result<(), PipelineError> {
    let rows = clusters.concordance.iter().flat_map(|concordance| &concordance.rows).map(|row| {
        let numbers = row.clusters.iter().map(|share| share.cluster.to_string()).collect::<Vec<_>>();
        vec![
            row.name.clone(),
            row.correspondence.key().to_owned(),
            row.specimens.to_string(),
            numbers.join(" "),
            row.conflict.map_or_else(String::new, |field| field.key().to_owned()),
            row.in_conflict.to_string(),
            row.shared_with.join("; "),
        ]
    });
    let header = ["label", "correspondence", "specimens", "clusters", "conflict", "in_conflict", "shared_with"];
    write_rows(path, &header, rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dataset::{DatasetBuilder, Record};
    use crate::progress::Silent;

    fn chosen() -> Chosen {
        let mut builder = DatasetBuilder::new("test", vec!["note".into()]);
        for (id, sequence) in [("a", "ACGT"), ("b", "ACGA"), ("c", "ACGC")] {
            builder.push(Record {
                id: id.into(),
                sequence: sequence.into(),
                other: vec![format!("{id}!")],
                ..Record::default()
            });
        }
        let extra = vec![("predicted", vec!["Apis".to_owned(), "Bombus".to_owned()])];
        Chosen { dataset: Arc::new(builder.finish()), rows: vec![0, 2], extra }
    }

    #[test]
    fn selected_specimens_are_written_as_the_name_of_the_file_says() {
        let folder = tempfile::tempdir().unwrap();
        let fasta = folder.path().join("some.fasta");
        Export::Selected(chosen()).write(&fasta, &Silent).unwrap();
        assert_eq!(std::fs::read_to_string(&fasta).unwrap(), ">a\nACGT\n>c\nACGC\n");
        let table = folder.path().join("some.tsv");
        Export::Selected(chosen()).write(&table, &Silent).unwrap();
        let text = std::fs::read_to_string(&table).unwrap();
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split('\t').collect()).collect();
        let column = |name: &str| lines[0].iter().position(|title| *title == name).unwrap();
        assert_eq!(lines.len(), 3);
        assert_eq!([lines[1][column("id")], lines[2][column("id")]], ["a", "c"]);
        assert_eq!([lines[1][column("predicted")], lines[2][column("predicted")]], ["Apis", "Bombus"]);
        assert_eq!([lines[1][column("note")], lines[2][column("sequence")]], ["a!", "ACGC"]);
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error_that_names_the_file() {
        let error = Export::Text("x".into()).write(Path::new("no-such-folder/x.txt"), &Silent).unwrap_err();
        assert!(error.to_string().contains("no-such-folder"), "{error}");
    }
}
