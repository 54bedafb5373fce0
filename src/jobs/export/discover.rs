//! Discoveries on their way into files.

use crate::data::dataset::Dataset;
use crate::jobs::Discovered;
use crate::pipeline::PipelineError;
use crate::pipeline::discover::write_report;
use crate::pipeline::export::{
    write_candidates, write_discoveries, write_findings, write_measures, write_novelty_scores,
};
use crate::pipeline::project::Projection;
use std::path::Path;
use std::sync::Arc;

/// A file of a discovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DiscoveryFile {
    /// What each specimen is taken for.
    Findings,
    /// How strange each one is, by every score.
    Scores,
    /// Groups that may be one new species each.
    Candidates,
    /// How right everything is where names tell.
    Measures,
    /// What is new, as FASTA.
    Fasta,
    /// A page for any browser.
    Page,
}

impl DiscoveryFile {
    /// Every file, in the order of menus.
    pub const ALL: [Self; 6] =
        [Self::Page, Self::Findings, Self::Candidates, Self::Fasta, Self::Scores, Self::Measures];

    /// Its name in menus, and the file name that is proposed.
    pub fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Page => ("Report for any browser…", "report"),
            Self::Findings => ("What each specimen is taken for, table…", "queries"),
            Self::Candidates => ("Candidates, table…", "candidates"),
            Self::Fasta => ("What is new, FASTA…", "discoveries"),
            Self::Scores => ("How strange each specimen is, table…", "scores"),
            Self::Measures => ("How far to trust it, table…", "measures"),
        }
    }

    /// Endings of its formats.
    pub fn endings(self) -> &'static [&'static str] {
        match self {
            Self::Page => &["html"],
            Self::Fasta => &["fasta", "fas", "fa", "gz"],
            Self::Findings | Self::Candidates | Self::Scores | Self::Measures => &["csv", "tsv"],
        }
    }
}

/// A discovery to be written.
#[derive(Debug, Clone)]
pub struct DiscoveryExport {
    /// Which file.
    pub file: DiscoveryFile,
    /// The specimens.
    pub dataset: Arc<Dataset>,
    /// What was found among them.
    pub found: Arc<Discovered>,
    /// Where they lie on the map, for the page.
    pub map: Option<Arc<Projection>>,
}

impl DiscoveryExport {
    /// Writes it.
    ///
    /// # Errors
    /// As [`super::Export::write`], and [`PipelineError::Setting`] for measures where no name tells.
    pub(super) fn write(&self, path: &Path) -> Result<(), PipelineError> {
        let (dataset, discovery) = (&*self.dataset, &self.found.discovery);
        match self.file {
            DiscoveryFile::Page => write_report(path, discovery, dataset, dataset, self.map.as_deref()),
            DiscoveryFile::Findings => write_findings(path, discovery, dataset, dataset),
            DiscoveryFile::Candidates => write_candidates(path, discovery, dataset, dataset),
            DiscoveryFile::Fasta => write_discoveries(path, discovery, dataset),
            DiscoveryFile::Scores => write_novelty_scores(path, discovery, dataset),
            DiscoveryFile::Measures => match &discovery.measures {
                Some(measures) => write_measures(path, measures),
                None => Err(PipelineError::Setting("no specimen has a name that tells whether it is new".to_owned())),
            },
        }
    }
}
