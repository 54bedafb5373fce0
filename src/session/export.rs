//! What can be exported from what is there.

use super::Session;
use super::confusion::{Confusion, Slot};
use super::results::cluster_name;
use crate::jobs::{Chosen, ColouredMap, DiscoveryExport, Export, LabExport, ReviewExport};
use crate::pipeline::Method;
use crate::pipeline::methods::methods_paragraph;
use crate::pipeline::provenance::Provenance;
use crate::session::columns::ColumnKey;
use std::sync::Arc;

pub use crate::jobs::{DiscoveryFile, ReviewFile};

/// Something that can be exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Exported {
    /// What became of every record.
    Report,
    /// The names that are shown.
    Names,
    /// How well each class is found.
    Classes,
    /// The confusion matrix.
    Confusion,
    /// The groups.
    Clusters,
    /// How groups and labels correspond.
    Concordance,
    /// The places on the map.
    Places,
    /// The map.
    Map,
    /// The length histogram.
    Lengths,
    /// The selected specimens, as FASTA.
    SelectedFasta,
    /// The selected specimens, with all columns.
    SelectedTable,
    /// The embeddings.
    Embeddings,
    /// The methods paragraph.
    Methods,
    /// A result of the masking lab.
    Lab(LabExported),
    /// A file of what was discovered.
    Discovery(DiscoveryFile),
    /// A file of the review.
    Review(ReviewFile),
}

/// A result of the masking lab that can be exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LabExported {
    /// The guesses of the specimen that is looked at.
    Guesses,
    /// How often guesses are right along the barcode.
    Positions,
    /// The same as a picture.
    PositionsFigure,
    /// Readings of masked barcodes.
    Readings,
    /// Their curves.
    ReadingsFigure,
    /// Models in one table.
    Comparison,
    /// Models by their training ratio.
    ComparisonFigure,
    /// Two maps and whose neighbours changed.
    Maps,
}

impl LabExported {
    /// Its name in menus, and the file name that is proposed.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Guesses => ("Masked k-mers and guesses, table…", "guesses"),
            Self::Positions => ("Right guesses along the barcode, table…", "guesses-by-position"),
            Self::PositionsFigure => ("Right guesses along the barcode, picture…", "guesses-by-position"),
            Self::Readings => ("Readings of masked barcodes, table…", "masking"),
            Self::ReadingsFigure => ("Readings of masked barcodes, picture…", "masking"),
            Self::Comparison => ("Models compared, table…", "models"),
            Self::ComparisonFigure => ("Models by training ratio, picture…", "models"),
            Self::Maps => ("Two maps and who moved, table…", "two-maps"),
        }
    }

    fn is_picture(self) -> bool {
        matches!(self, Self::PositionsFigure | Self::ReadingsFigure | Self::ComparisonFigure)
    }
}

/// Endings of tables, the usual one first.
const TABLE: &[&str] = &["csv", "tsv"];
/// Endings of pictures.
const PICTURE: &[&str] = &["svg", "png"];

impl Exported {
    /// Its name in menus.
    pub fn title(self) -> &'static str {
        match self {
            Self::Report => "Import report, table…",
            Self::Names => "Names of all specimens, table…",
            Self::Classes => "Class by class, table…",
            Self::Confusion => "Who is taken for whom, picture…",
            Self::Clusters => "Clusters of all specimens, table…",
            Self::Concordance => "Clusters and labels, table…",
            Self::Places => "Places on the map, table…",
            Self::Map => "The map, picture…",
            Self::Lengths => "Lengths, picture…",
            Self::SelectedFasta => "Selected specimens, FASTA…",
            Self::SelectedTable => "Selected specimens, table with all columns…",
            Self::Embeddings => "Embeddings of all specimens…",
            Self::Methods => "Methods paragraph…",
            Self::Lab(what) => what.names().0,
            Self::Discovery(file) => file.names().0,
            Self::Review(file) => file.names().0,
        }
    }

    /// The file name that is proposed, without its ending.
    pub fn file_stem(self) -> &'static str {
        match self {
            Self::Report => "import-report",
            Self::Names => "names",
            Self::Classes => "classes",
            Self::Confusion => "confusion",
            Self::Clusters => "clusters",
            Self::Concordance => "concordance",
            Self::Places => "map-places",
            Self::Map => "map",
            Self::Lengths => "lengths",
            Self::SelectedFasta | Self::SelectedTable => "selected",
            Self::Embeddings => "embeddings",
            Self::Methods => "methods",
            Self::Lab(what) => what.names().1,
            Self::Discovery(file) => file.names().1,
            Self::Review(file) => file.names().1,
        }
    }

    /// Endings of the formats that it can be written in, the proposed one first.
    pub fn endings(self) -> &'static [&'static str] {
        match self {
            Self::Confusion | Self::Map | Self::Lengths => PICTURE,
            Self::SelectedFasta => &["fasta", "fas", "fa", "gz"],
            Self::SelectedTable => &["tsv", "csv"],
            Self::Embeddings => &["npy", "csv", "safetensors"],
            Self::Methods => &["txt"],
            Self::Lab(what) if what.is_picture() => PICTURE,
            Self::Discovery(file) => file.endings(),
            Self::Review(file) => file.endings(),
            _ => TABLE,
        }
    }
}

/// Classes of the exported confusion matrix.
const CLASSES: usize = 20;

impl Session {
    /// What an export would write; `None` while it is not there.
    pub fn export(&self, what: Exported) -> Option<Export> {
        let opened = self.dataset()?;
        let dataset = Arc::clone(&opened.dataset);
        let names = || self.results.named().shown().cloned();
        let clusters = || self.results.clusters.shown().cloned();
        Some(match what {
            Exported::Report => Export::Report(Arc::clone(opened), self.results.frames.shown().cloned()),
            Exported::Names => Export::Names(dataset, names()?),
            Exported::Classes => Export::Classes(names().filter(|names| names.scores.is_some())?),
            Exported::Confusion => {
                let names = names().filter(|names| names.scores.is_some())?;
                let confusion = Confusion::of(&names, CLASSES);
                let order: Vec<Slot> = confusion.order().collect();
                let title = |slot: &Slot| match slot {
                    Slot::Class(at) => names.name(confusion.classes[*at]).to_owned(),
                    Slot::Rest => "all others".to_owned(),
                };
                let row = |&truth: &Slot| order.iter().map(|&predicted| confusion.count(truth, predicted)).collect();
                let about = format!("{} of {}, by {}", names.rank.title(), dataset.name(), names.method.title());
                Export::Confusion(order.iter().map(title).collect(), order.iter().map(row).collect(), about)
            }
            Exported::Clusters => Export::Clusters(dataset, clusters()?),
            Exported::Concordance => Export::Concordance(clusters().filter(|clusters| clusters.concordance.is_some())?),
            Exported::Places => Export::Places(dataset, Arc::clone(self.results.map()?)),
            Exported::Map => {
                let values = self.look.colouring.as_ref();
                let colouring = values.map(|values| (values.column.title(&dataset), Arc::clone(&values.labels)));
                let rank = values.and_then(|values| match values.column {
                    ColumnKey::Field(field) if field.is_rank() => Some(field),
                    _ => None,
                });
                Export::Map(ColouredMap { projection: Arc::clone(self.results.map()?), dataset, colouring, rank })
            }
            Exported::Lengths => Export::Lengths(self.overview.lengths.iter().map(|&length| length as usize).collect()),
            Exported::SelectedFasta | Exported::SelectedTable => Export::Selected(self.chosen()?),
            Exported::Embeddings => {
                let embedded = Arc::clone(self.results.embedding.shown()?);
                let provenance = embedded.describe(Provenance::new(self.choices.seed, &[&*dataset]));
                Export::Embeddings(dataset, embedded, provenance)
            }
            Exported::Methods => Export::Text(self.methods()?),
            Exported::Lab(what) => Export::Lab(self.export_of_lab(what)?),
            Exported::Discovery(file) => {
                let found = Arc::clone(self.discovering.found.shown()?);
                let map = self.results.map().cloned();
                Export::Discovery(DiscoveryExport { file, dataset, found, map })
            }
            Exported::Review(file) => {
                let audit = self.reviewing.audited.shown().cloned();
                let entries = Arc::clone(self.reviewing.entries());
                let dossier = self.reviewing.dossier.shown();
                let dossier = dossier.map(|dossier| (Arc::clone(dossier), self.opinions(dossier.row)));
                let map = self.results.map().cloned();
                let gap = self.reviewing.gap.shown().cloned();
                let tree = self.reviewing.tree.shown().cloned();
                Export::Review(ReviewExport { file, dataset, audit, entries, dossier, map, gap, tree })
            }
        })
    }

    fn export_of_lab(&self, what: LabExported) -> Option<LabExport> {
        let dataset = Arc::clone(&self.dataset()?.dataset);
        let lab = &self.lab;
        Some(match what {
            LabExported::Guesses => LabExport::Guesses(dataset, Arc::clone(lab.guesses.shown()?)),
            LabExported::Positions => LabExport::Positions(Arc::clone(lab.along.shown()?)),
            LabExported::PositionsFigure => LabExport::PositionsFigure(Arc::clone(lab.along.shown()?)),
            LabExported::Readings => LabExport::Readings(Arc::clone(lab.readings.shown()?)),
            LabExported::ReadingsFigure => LabExport::ReadingsFigure(Arc::clone(lab.readings.shown()?)),
            LabExported::Comparison => LabExport::Comparison(Arc::clone(lab.comparison.shown()?)),
            LabExported::ComparisonFigure => LabExport::ComparisonFigure(Arc::clone(lab.comparison.shown()?)),
            LabExported::Maps => LabExport::Maps(dataset, Arc::clone(lab.maps.shown()?)),
        })
    }

    /// Whether what an export would write is there.
    pub fn can_export(&self, what: Exported) -> bool {
        let names = self.results.named().shown();
        let clusters = self.results.clusters.shown();
        match what {
            Exported::Report | Exported::Lengths => self.dataset().is_some(),
            Exported::Names => names.is_some(),
            Exported::Classes | Exported::Confusion => names.is_some_and(|names| names.scores.is_some()),
            Exported::Clusters => clusters.is_some(),
            Exported::Concordance => clusters.is_some_and(|clusters| clusters.concordance.is_some()),
            Exported::Places | Exported::Map | Exported::Methods => self.results.map().is_some(),
            Exported::SelectedFasta | Exported::SelectedTable => !self.selection.rows().is_empty(),
            Exported::Embeddings => self.results.embedding.shown().is_some(),
            Exported::Lab(what) => self.export_of_lab(what).is_some(),
            Exported::Review(ReviewFile::Dossier) => self.reviewing.dossier.shown().is_some(),
            Exported::Review(ReviewFile::Gap) => self.reviewing.gap.shown().is_some(),
            Exported::Review(ReviewFile::Newick) => self.reviewing.tree.shown().is_some(),
            Exported::Review(file) => {
                self.dataset().is_some() && (!file.needs_audit() || self.reviewing.audited.shown().is_some())
            }
            Exported::Discovery(file) => {
                let found = self.discovering.found.shown();
                found.is_some_and(|found| file != DiscoveryFile::Measures || found.discovery.measures.is_some())
            }
        }
    }

    /// The methods paragraph on everything that was made of the open file.
    pub fn methods(&self) -> Option<String> {
        self.dataset()?;
        let maps = self.results.map().map(|map| &map.provenance);
        let names = Method::ALL.into_iter().filter_map(|method| self.results.names(method).shown());
        let clusters = self.results.clusters.shown().map(|clusters| &clusters.provenance);
        let discovered = self.discovering.found.shown().map(|found| &found.discovery.provenance);
        let all: Vec<&Provenance> =
            maps.into_iter().chain(names.map(|names| &names.provenance)).chain(clusters).chain(discovered).collect();
        (!all.is_empty()).then(|| methods_paragraph(&all))
    }

    /// The selected specimens with what was found about them.
    fn chosen(&self) -> Option<Chosen> {
        let dataset = Arc::clone(&self.dataset()?.dataset);
        let rows: Vec<usize> = self.selection.rows().iter().collect();
        if rows.is_empty() {
            return None;
        }
        let column = |value: &dyn Fn(usize) -> String| rows.iter().map(|&row| value(row)).collect::<Vec<_>>();
        let mut extra = Vec::new();
        if self.results.named().shown().is_some() {
            let predicted = |row: usize| {
                let found =
                    self.results.call(row).and_then(|(names, call)| Some(names.name(call.predicted?).to_owned()));
                found.unwrap_or_default()
            };
            extra.push(("predicted", column(&predicted)));
        }
        if let Some(clusters) = self.results.clusters.shown() {
            extra.push(("cluster", column(&|row| cluster_name(clusters.labels[row]))));
        }
        extra.push(("flags", column(&|row| self.results.flags(&dataset, row).names().collect::<Vec<_>>().join(" "))));
        Some(Chosen { rows, extra, dataset })
    }
}
