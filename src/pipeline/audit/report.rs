//! The folder of an audit: tables, and a page that shows the most suspicious specimens in any browser.

use super::{Audit, Cause, Suspect, name_of};
use crate::analysis::discordance::{Accord, BinRow};
use crate::analysis::grades::{Grade, summary};
use crate::data::dataset::Dataset;
use crate::data::taxonomy::Field;
use crate::pipeline::PipelineError;
use crate::pipeline::export::{write_error, write_rows, write_text};
use crate::pipeline::figure::{Bar, horizontal_bars};
use crate::pipeline::methods::methods_paragraph;
use crate::pipeline::page::Page;
use std::path::{Path, PathBuf};

/// Specimens and BINs that the page lists; the tables have all.
const LISTED: usize = 100;
/// Names that the page tells of a BIN.
const TAXA: usize = 6;

/// Writes `suspects.csv`, `grades.csv`, `concordance.csv`, `changes.csv` and `report.html` into a folder, which is made where it does not
/// exist; answers the page.
///
/// # Errors
/// [`PipelineError::Write`].
pub fn write_audit(folder: &Path, audit: &Audit, dataset: &Dataset) -> Result<PathBuf, PipelineError> {
    std::fs::create_dir_all(folder).map_err(|source| write_error(folder, source))?;
    write_suspects(&folder.join("suspects.csv"), audit, dataset)?;
    write_grades(&folder.join("grades.csv"), audit)?;
    write_concordance(&folder.join("concordance.csv"), audit)?;
    write_changes(&folder.join("changes.csv"), audit, dataset)?;
    let page = folder.join("report.html");
    write_report(&page, audit, dataset)?;
    Ok(page)
}

/// A page that shows the most suspicious specimens in any browser.
///
/// # Errors
/// [`PipelineError::Write`].
pub fn write_report(path: &Path, audit: &Audit, dataset: &Dataset) -> Result<(), PipelineError> {
    write_text(path, &report_page(audit, dataset))
}

/// `id,label,proposed,cause,score,evidence`, the most suspicious first.
///
/// # Errors
/// [`PipelineError::Write`].
pub fn write_suspects(path: &Path, audit: &Audit, dataset: &Dataset) -> Result<(), PipelineError> {
    let cells = |suspect: &Suspect| {
        vec![
            dataset.id(suspect.row).to_owned(),
            name_of(dataset, suspect.row).unwrap_or_default().to_owned(),
            suspect.proposed.clone().unwrap_or_default(),
            suspect.cause.key().to_owned(),
            format!("{:.4}", suspect.score),
            suspect.because.clone(),
        ]
    };
    write_rows(path, &["id", "label", "proposed", "cause", "score", "evidence"], audit.suspects.iter().map(cells))
}

/// `species,grade,specimens,with_bin,bins,shared_with`, the worst grade first; BINs as `NAME:SPECIMENS`.
///
/// # Errors
/// [`PipelineError::Write`].
pub fn write_grades(path: &Path, audit: &Audit) -> Result<(), PipelineError> {
    let rows = audit.grades.iter().map(|row| {
        vec![
            row.name.clone(),
            row.grade.map_or_else(String::new, |grade| grade.key().to_owned()),
            row.specimens.to_string(),
            row.with_bin().to_string(),
            counted(&row.bins),
            row.shared_with.join(";"),
        ]
    });
    write_rows(path, &["species", "grade", "specimens", "with_bin", "bins", "shared_with"], rows)
}

/// `bin,accord,conflict,specimens,taxa`, conflicts at the broadest rank first; taxa as `NAME:SPECIMENS`.
///
/// # Errors
/// [`PipelineError::Write`].
pub fn write_concordance(path: &Path, audit: &Audit) -> Result<(), PipelineError> {
    let rows = audit.bins.iter().map(|row| {
        vec![
            row.name.clone(),
            row.accord.key().to_owned(),
            row.conflict.map_or_else(String::new, |rank| rank.key().to_owned()),
            row.specimens.to_string(),
            counted(&row.taxa),
        ]
    });
    write_rows(path, &["bin", "accord", "conflict", "specimens", "taxa"], rows)
}

fn counted(names: &[(String, usize)]) -> String {
    names.iter().map(|(name, count)| format!("{name}:{count}")).collect::<Vec<_>>().join(";")
}

/// `id,field,old,new,reason`: what would change if every proposal were accepted.
fn write_changes(path: &Path, audit: &Audit, dataset: &Dataset) -> Result<(), PipelineError> {
    let rows = audit.suspects.iter().filter_map(|suspect| {
        let [field, old, new] = change(dataset, suspect)?;
        Some(vec![dataset.id(suspect.row).to_owned(), field, old, new, suspect.because.clone()])
    });
    write_rows(path, &["id", "field", "old", "new", "reason"], rows)
}

fn change(dataset: &Dataset, suspect: &Suspect) -> Option<[String; 3]> {
    let own = |text: &str| text.to_owned();
    if let Some(proposed) = &suspect.proposed {
        let field = if dataset.label(suspect.row, Field::Species).is_some() { Field::Species } else { Field::Genus };
        return Some([own(field.key()), own(name_of(dataset, suspect.row)?), proposed.clone()]);
    }
    match suspect.cause {
        Cause::ReverseComplement => Some([own("strand"), own("reverse"), own("forward")]),
        cause if cause.is_unusable() => Some([own("use"), own("yes"), own("no")]),
        _ => None,
    }
}

fn report_page(audit: &Audit, dataset: &Dataset) -> String {
    let mut page = Page::new(&format!("Barcodescope: labels and barcodes of {}", dataset.name()));
    causes(&mut page, audit, dataset);
    suspects(&mut page, audit, dataset);
    bins(&mut page, audit);
    grades(&mut page, audit);
    page.methods(&methods_paragraph(&[&audit.provenance]));
    page.finish()
}

fn causes(page: &mut Page, audit: &Audit, dataset: &Dataset) {
    page.heading("What is probably wrong");
    let suspicious = audit.suspicious();
    page.paragraph(&format!(
        "Each of {} named specimens was compared with all others. Something speaks against {suspicious}. {} without a species or a genus \
         were not judged. These are proposals: the file was not changed.",
        audit.suspects.len(),
        audit.unnamed,
    ));
    let counts = Cause::ALL.map(|cause| (cause, audit.count(cause)));
    let most = counts.iter().map(|(_, count)| *count).max().unwrap_or(0) as f64;
    let bars = counts.map(|(cause, count)| Bar {
        name: cause.title().to_owned(),
        value: count as f64,
        interval: None,
        note: count.to_string(),
    });
    page.figure(&horizontal_bars("Specimens by proposed cause", dataset.name(), &bars, most));
}

fn suspects(page: &mut Page, audit: &Audit, dataset: &Dataset) {
    let listed: Vec<&Suspect> = audit.suspects.iter().filter(|suspect| suspect.cause.is_suspicious()).collect();
    page.heading("The most suspicious first");
    if listed.is_empty() {
        page.paragraph("None.");
        return;
    }
    let row = |suspect: &&Suspect| {
        vec![
            dataset.id(suspect.row).to_owned(),
            name_of(dataset, suspect.row).unwrap_or_default().to_owned(),
            suspect.proposed.clone().unwrap_or_default(),
            suspect.cause.title().to_owned(),
            format!("{:.2}", suspect.score),
            suspect.because.clone(),
        ]
    };
    let header = ["specimen", "label", "proposed", "cause", "score", "evidence"];
    page.table(&header, listed.iter().take(LISTED).map(row));
    more(page, listed.len(), "suspects.csv");
}

fn bins(page: &mut Page, audit: &Audit) {
    page.heading("BINs and names");
    let count = |accord: Accord| audit.bins.iter().filter(|row| row.accord == accord).count();
    let [discordant, concordant, singleton] = Accord::ALL.map(count);
    page.paragraph(&format!(
        "{discordant} BINs hold specimens of different names, {concordant} do not, {singleton} have one specimen. The conflict at the \
         broadest rank comes first."
    ));
    let listed: Vec<&BinRow> = audit.bins.iter().filter(|row| row.accord == Accord::Discordant).collect();
    if listed.is_empty() {
        return;
    }
    let row = |row: &&BinRow| {
        let mut taxa: Vec<String> =
            row.taxa.iter().take(TAXA).map(|(name, count)| format!("{name} ({count})")).collect();
        if row.taxa.len() > TAXA {
            taxa.push(format!("{} more", row.taxa.len() - TAXA));
        }
        let rank = row.conflict.map_or("", Field::title);
        vec![row.name.clone(), rank.to_owned(), row.specimens.to_string(), taxa.join(", ")]
    };
    page.table(&["BIN", "differ in", "specimens", "names"], listed.iter().take(LISTED).map(row));
    more(page, listed.len(), "concordance.csv");
}

fn grades(page: &mut Page, audit: &Audit) {
    page.heading("Grades of the species (BAGS)");
    let ungraded = audit.grades.iter().filter(|row| row.grade.is_none()).count();
    page.paragraph(&format!(
        "Specimens with both a species and a BIN count. {ungraded} species without a BIN have no grade."
    ));
    let row = |(grade, species, specimens): (Grade, usize, usize)| {
        vec![grade.key().to_owned(), species.to_string(), specimens.to_string(), grade.title().to_owned()]
    };
    page.table(&["grade", "species", "specimens", "meaning"], summary(&audit.grades).map(row));
}

fn more(page: &mut Page, all: usize, table: &str) {
    if all > LISTED {
        page.paragraph(&format!("{} more are in {table}.", all - LISTED));
    }
}
