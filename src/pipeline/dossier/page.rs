//! A dossier as one page of HTML for a colleague: nothing outside of it is needed to read it.

use super::{DifferingColumn, Dossier, Neighbour, Stack, label_as_read};
use crate::data::dataset::Dataset;
use crate::data::taxonomy::Field;
use crate::data::world::coast_lines;
use crate::pipeline::PipelineError;
use crate::pipeline::colour::{LegendEntry, Rgb};
use crate::pipeline::export::write_text;
use crate::pipeline::figure::{MapFigure, map};
use crate::pipeline::methods::methods_paragraph;
use crate::pipeline::page::{Page, escaped};
use crate::pipeline::project::Projection;
use crate::pipeline::review::Curated;
use std::fmt::Write;
use std::path::Path;

const GREY: Rgb = [200, 205, 210];
const OWN: Rgb = [213, 94, 0];
const NEAR: Rgb = [0, 114, 178];

/// Writes the page. `opinions` are what each method says: its name, the name that it gives, and how sure it is, in words.
///
/// # Errors
/// [`PipelineError::Write`].
pub fn write_dossier(
    path: &Path,
    dossier: &Dossier,
    curated: &Curated<'_>,
    opinions: &[[String; 3]],
    projection: Option<&Projection>,
) -> Result<(), PipelineError> {
    let dataset = curated.dataset();
    let mut page = Page::new(&format!("{}: {}", dataset.id(dossier.row), label_as_read(dataset, dossier.row)));
    page.paragraph(&format!("A specimen of {}.", dataset.name()));
    cause(&mut page, dossier, curated);
    names(&mut page, dossier, curated, opinions);
    neighbours(&mut page, dossier, curated);
    page.heading("Where the bases differ");
    page.html.push_str(&stack_table(&dossier.stack, dataset, dossier.row));
    diagnostic(&mut page, dossier);
    bin(&mut page, dossier);
    frame(&mut page, dossier);
    if let Some(projection) = projection {
        page.heading("On the map");
        page.figure(&place_on_map(dossier, dataset, projection));
    }
    if let Some(site) = dataset.coordinates(dossier.row) {
        page.heading("Where it was collected");
        page.paragraph(&format!("{:.4}°, {:.4}°", site[0], site[1]));
        page.html.push_str(&site_svg(site));
    }
    record(&mut page, dataset, dossier.row);
    page.methods(&methods_paragraph(&[&dossier.provenance]));
    write_text(path, &page.finish())
}

fn cause(page: &mut Page, dossier: &Dossier, curated: &Curated<'_>) {
    page.heading("What is probably wrong");
    match &dossier.suspect {
        Some(suspect) => {
            page.note(&format!("{}: {}.", suspect.cause.title(), suspect.because));
            if let Some(proposed) = &suspect.proposed {
                page.paragraph(&format!("The name that fits the barcode better: {proposed}."));
            }
        }
        None => page.paragraph("Its label was not judged."),
    }
    let decided = curated.decisions(dossier.row);
    if !decided.is_empty() {
        let row = |decision: &crate::pipeline::scope::Decision| {
            vec![
                decision.kind.title().to_owned(),
                decision.field.map_or("", Field::title).to_owned(),
                decision.old.clone().unwrap_or_default(),
                decision.new.clone().unwrap_or_default(),
                decision.who.clone(),
                decision.reason.clone(),
            ]
        };
        page.table(&["decision", "rank", "from", "to", "who", "why"], decided.iter().map(row));
    }
}

fn names(page: &mut Page, dossier: &Dossier, curated: &Curated<'_>, opinions: &[[String; 3]]) {
    page.heading("Names");
    let dataset = curated.dataset();
    let ranks = Field::RANKS.into_iter().chain([Field::Bin]);
    let rows = ranks.filter_map(|field| {
        let [read, now] = [dataset.label(dossier.row, field), curated.label(dossier.row, field)];
        (read.is_some() || now.is_some())
            .then(|| vec![field.title().to_owned(), read.unwrap_or("–").to_owned(), now.unwrap_or("–").to_owned()])
    });
    page.table(&["rank", "as read", "in force"], rows);
    if !opinions.is_empty() {
        page.table(&["method", "says", "how sure"], opinions.iter().map(|opinion| opinion.to_vec()));
    }
}

fn neighbours(page: &mut Page, dossier: &Dossier, curated: &Curated<'_>) {
    page.heading("Nearest specimens");
    page.paragraph(&agreement(dossier));
    let dataset = curated.dataset();
    for (title, list) in [("By the model's embedding", &dossier.by_embedding), ("By identity", &dossier.by_identity)] {
        page.paragraph(title);
        let row = |near: &Neighbour| {
            vec![
                dataset.id(near.row).to_owned(),
                curated.name(near.row).unwrap_or("–").to_owned(),
                dataset.label(near.row, Field::Bin).unwrap_or("–").to_owned(),
                format!("{:.1} %", 100.0 * near.identity),
                near.cosine.map_or_else(String::new, |cosine| format!("{cosine:.3}")),
            ]
        };
        page.table(&["specimen", "name", "BIN", "identity", "cosine"], list.iter().map(row));
    }
}

/// Whether the two lists of neighbours agree.
fn agreement(dossier: &Dossier) -> String {
    format!(
        "{} of the {} nearest by embedding are among the {} most identical.",
        dossier.in_both,
        dossier.by_embedding.len(),
        dossier.by_identity.len()
    )
}

/// The differing columns as a table in which only differing letters are written.
fn stack_table(stack: &Stack, dataset: &Dataset, row: usize) -> String {
    if stack.columns.is_empty() {
        return "<p>The nearest specimens have the same bases.</p>\n".to_owned();
    }
    let mut html = String::from("<div style=\"overflow-x:auto\"><table style=\"font:12px monospace\">");
    let line = |html: &mut String, title: &str, cells: &mut dyn Iterator<Item = String>| {
        let _ = write!(html, "<tr><th style=\"white-space:nowrap\">{}</th>", escaped(title));
        cells.for_each(|cell| {
            let _ = write!(html, "<td style=\"padding:0 2px;min-width:0\">{}</td>", escaped(&cell));
        });
        html.push_str("</tr>\n");
    };
    let letter = |letter: u8| char::from(letter).to_string();
    let of_columns = |told: fn(&DifferingColumn) -> String| stack.columns.iter().map(told);
    line(&mut html, "position", &mut of_columns(position));
    line(
        &mut html,
        "base of its codon",
        &mut of_columns(|column| column.in_codon.map_or_else(String::new, |at| at.to_string())),
    );
    line(&mut html, dataset.id(row), &mut stack.columns.iter().map(|column| letter(column.base)));
    line(
        &mut html,
        "amino acid",
        &mut of_columns(|column| column.amino_acid.map_or_else(String::new, |acid| char::from(acid).to_string())),
    );
    for neighbour in &stack.lines {
        let title = format!("{} ({:.1} %)", dataset.id(neighbour.row), 100.0 * neighbour.identity);
        let cells = neighbour.letters.iter().zip(&stack.columns).zip(&neighbour.amino_acids).map(
            |((&theirs, column), acid)| {
                let shown = if theirs == column.base { ".".to_owned() } else { letter(theirs) };
                acid.map_or_else(|| shown.clone(), |acid| format!("{shown} ({})", char::from(acid)))
            },
        );
        line(&mut html, &title, &mut { cells });
    }
    html.push_str(
        "</table></div>\n<p>A dot is the specimen's base; an amino acid in brackets differs from the specimen's.</p>\n",
    );
    html
}

fn position(column: &DifferingColumn) -> String {
    column.position.map_or_else(|| format!("+{}", column.offset + 1), |position| position.to_string())
}

fn diagnostic(page: &mut Page, dossier: &Dossier) {
    let Some(telling) = &dossier.telling else { return };
    page.heading("Bases that tell the names apart");
    page.paragraph(&telling.told());
    for (name, bases) in [&telling.labelled, &telling.other].into_iter().zip(telling.bases()) {
        if !bases.is_empty() {
            page.paragraph(&format!("It has, of {name}: {bases}."));
        }
    }
}

fn bin(page: &mut Page, dossier: &Dossier) {
    let Some(bin) = &dossier.bin else { return };
    page.heading("Its BIN");
    page.paragraph(&format!("{}: {} other specimens.", bin.bin, bin.others));
    page.table(&["name", "specimens"], bin.names.iter().map(|(name, count)| vec![name.clone(), count.to_string()]));
}

fn frame(page: &mut Page, dossier: &Dossier) {
    page.heading("The barcode");
    dossier.frame.told().iter().for_each(|line| page.paragraph(line));
}

fn record(page: &mut Page, dataset: &Dataset, row: usize) {
    page.heading("The record");
    let fields = Field::ALL
        .into_iter()
        .filter_map(|field| Some(vec![field.title().to_owned(), dataset.label(row, field)?.to_owned()]));
    let others = dataset
        .other_columns()
        .iter()
        .enumerate()
        .map(|(column, name)| vec![name.clone(), dataset.other(row, column).to_owned()]);
    page.table(&["field", "value"], fields.chain(others.filter(|cells| !cells[1].is_empty())));
    let bases = String::from_utf8_lossy(dataset.sequence(row)).into_owned();
    let _ = writeln!(page.html, "<pre style=\"white-space:pre-wrap;word-break:break-all\">{}</pre>", escaped(&bases));
}

fn place_on_map(dossier: &Dossier, dataset: &Dataset, projection: &Projection) -> crate::pipeline::figure::Figure {
    let mut colours = vec![GREY; dataset.len()];
    dossier.by_embedding.iter().for_each(|near| colours[near.row] = NEAR);
    colours[dossier.row] = OWN;
    let entry = |name: &str, colour, count| LegendEntry { name: name.to_owned(), colour, count };
    map(&MapFigure {
        title: dataset.id(dossier.row),
        subtitle: &projection.provenance.caption(),
        details: &projection.provenance.settings_line(),
        points: &projection.points,
        colours: &colours,
        legend_title: "",
        legend: &[
            entry("this specimen", OWN, 1),
            entry("nearest by embedding", NEAR, dossier.by_embedding.len()),
            entry("others", GREY, dataset.len() - 1 - dossier.by_embedding.len()),
        ],
    })
}

/// A plain map of the world with one point on it.
fn site_svg([latitude, longitude]: [f32; 2]) -> String {
    let mut svg = String::from(
        "<svg viewBox=\"-180 -90 360 180\" style=\"width:100%;background:#f4f7f9\" role=\"img\" aria-label=\"collecting site\">",
    );
    for line in coast_lines() {
        let points: Vec<String> = line.iter().map(|[x, y]| format!("{x},{}", -y)).collect();
        let _ = write!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"#8a9299\" stroke-width=\"0.5\"/>",
            points.join(" ")
        );
    }
    let _ = writeln!(svg, "<circle cx=\"{longitude}\" cy=\"{}\" r=\"2.5\" fill=\"#d55e00\"/></svg>", -latitude);
    svg
}
