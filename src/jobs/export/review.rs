//! Reviews on their way into files.

use crate::data::dataset::Dataset;
use crate::pipeline::PipelineError;
use crate::pipeline::audit::{Audit, write_concordance, write_grades, write_report, write_suspects};
use crate::pipeline::dossier::{Dossier, write_dossier};
use crate::pipeline::gap::{Gap, write_species};
use crate::pipeline::project::Projection;
use crate::pipeline::review::{Curated, write_changes, write_corrected_fasta, write_corrected_table};
use crate::pipeline::scope::{Decision, Entry};
use crate::pipeline::tree::SpecimenTree;
use std::path::Path;
use std::sync::Arc;

/// A file of a review.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReviewFile {
    /// A page for any browser.
    Page,
    /// Every specimen with what is probably wrong.
    Suspects,
    /// BINs and the names in them.
    Bins,
    /// Grades of the species.
    Grades,
    /// The specimens with the labels in force, as FASTA.
    CorrectedFasta,
    /// The same with all columns.
    CorrectedTable,
    /// Every decision.
    Changes,
    /// Everything about the specimen that is looked at, as a page for any browser.
    Dossier,
    /// Distances within species and between them.
    Gap,
    /// The tree of selected specimens.
    Newick,
}

impl ReviewFile {
    /// Every file, in the order of menus.
    pub const ALL: [Self; 10] = [
        Self::Dossier,
        Self::CorrectedFasta,
        Self::CorrectedTable,
        Self::Changes,
        Self::Page,
        Self::Suspects,
        Self::Bins,
        Self::Grades,
        Self::Gap,
        Self::Newick,
    ];

    /// Its name in menus, and the file name that is proposed.
    pub fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Page => ("Report for any browser…", "report"),
            Self::Suspects => ("What is wrong with each specimen, table…", "suspects"),
            Self::Bins => ("BINs and names, table…", "concordance"),
            Self::Grades => ("Grades of species, table…", "grades"),
            Self::CorrectedFasta => ("Corrected specimens, FASTA…", "corrected"),
            Self::CorrectedTable => ("Corrected specimens, table…", "corrected"),
            Self::Changes => ("Change log, table…", "changes"),
            Self::Gap => ("Distances of species, table…", "gap"),
            Self::Newick => ("Tree of selected specimens, Newick…", "tree"),
            Self::Dossier => ("Dossier of this specimen, for any browser…", "dossier"),
        }
    }

    /// Endings of its formats.
    pub fn endings(self) -> &'static [&'static str] {
        match self {
            Self::Page | Self::Dossier => &["html"],
            Self::Newick => &["nwk", "tree", "txt"],
            Self::CorrectedFasta => &["fasta", "fas", "fa", "gz"],
            Self::CorrectedTable => &["tsv", "csv"],
            _ => &["csv", "tsv"],
        }
    }

    /// Whether it needs labels to have been judged.
    pub fn needs_audit(self) -> bool {
        matches!(self, Self::Page | Self::Suspects | Self::Bins | Self::Grades)
    }
}

/// A file of a review with what goes into it.
#[derive(Debug, Clone)]
pub struct ReviewExport {
    /// Which file.
    pub file: ReviewFile,
    /// The specimens as they were read.
    pub dataset: Arc<Dataset>,
    /// How their labels were judged.
    pub audit: Option<Arc<Audit>>,
    /// What was decided.
    pub entries: Arc<Vec<Entry<Decision>>>,
    /// The specimen that is looked at, with what each method says of it.
    pub dossier: Option<(Arc<Dossier>, Vec<[String; 3]>)>,
    /// Where the specimens lie on the map.
    pub map: Option<Arc<Projection>>,
    /// Distances within species and between them.
    pub gap: Option<Arc<Gap>>,
    /// The tree of selected specimens.
    pub tree: Option<Arc<SpecimenTree>>,
}

impl ReviewExport {
    /// Writes it.
    ///
    /// # Errors
    /// As [`super::Export::write`], and [`PipelineError::Setting`] while labels were not judged.
    pub(super) fn write(&self, path: &Path) -> Result<(), PipelineError> {
        let audit = || {
            let audit = self.audit.as_deref();
            audit.ok_or_else(|| PipelineError::Setting("the labels were not judged yet".to_owned()))
        };
        let curated = || Curated::new(&self.dataset, &self.entries);
        match self.file {
            ReviewFile::Page => write_report(path, audit()?, &self.dataset),
            ReviewFile::Suspects => write_suspects(path, audit()?, &self.dataset),
            ReviewFile::Bins => write_concordance(path, audit()?),
            ReviewFile::Grades => write_grades(path, audit()?),
            ReviewFile::CorrectedFasta => write_corrected_fasta(path, &curated()),
            ReviewFile::CorrectedTable => write_corrected_table(path, &curated()),
            ReviewFile::Changes => write_changes(path, &self.entries),
            ReviewFile::Gap => match &self.gap {
                Some(gap) => write_species(path, gap),
                None => Err(PipelineError::Setting("distances were not measured yet".to_owned())),
            },
            ReviewFile::Newick => match &self.tree {
                Some(tree) => tree.write_newick(path, &curated()),
                None => Err(PipelineError::Setting("no tree was joined yet".to_owned())),
            },
            ReviewFile::Dossier => match &self.dossier {
                Some((dossier, opinions)) => write_dossier(path, dossier, &curated(), opinions, self.map.as_deref()),
                None => Err(PipelineError::Setting("no specimen is looked at".to_owned())),
            },
        }
    }
}
