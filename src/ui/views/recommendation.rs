//! Which method names this reference best when the species is new to it: the evidence, and the offer to take it.

use crate::pipeline::recommend::{Evidence, Recommendation};
use crate::session::{Command, Step};
use crate::ui::scope::Scope;
use crate::ui::{theme, words};
use egui::{CollapsingHeader, Label, RichText, Ui};

/// Height in points from which the ground is open at once, so that the tables below keep room.
const ROOMY: f32 = 520.0;

/// Draws the evidence, or how far it has come.
pub(super) fn show(ui: &mut Ui, scope: &mut Scope<'_>) {
    let tokens = theme::tokens(ui);
    let stage = &scope.session.results.recommendation;
    if let Some(found) = stage.shown().cloned() {
        return shown(ui, scope, &found);
    }
    ui.horizontal(|ui| {
        ui.label(RichText::new("If the species were new:").color(tokens.quiet));
        if let Some(problem) = stage.problem() {
            let state = if problem.cancelled { "the comparison was stopped" } else { "the comparison failed" };
            ui.label(state).on_hover_text(&problem.message);
            if ui.small_button("Try again").clicked() {
                scope.ask(Command::Retry(Step::Recommendation));
            }
        } else if stage.job().is_some() {
            ui.label("comparing the methods on a sample…");
        } else {
            ui.label("the methods are compared when the names are there");
        }
    });
}

fn shown(ui: &mut Ui, scope: &mut Scope<'_>, found: &Recommendation) {
    let tokens = theme::tokens(ui);
    let rank = found.rank.title();
    let Some(best) = found.best.and_then(|best| found.of(best)) else {
        let kin = if found.without_species { "species" } else { "different barcodes" };
        let text = format!("No {rank} of this file has two {kin}, so it cannot say which method names the group best.");
        ui.label(RichText::new(text).color(tokens.quiet));
        return;
    };
    ui.horizontal_wrapped(|ui| {
        if scope.session.results.recommendation.job().is_some() {
            ui.label(RichText::new("Of what was read before; comparing anew:").color(tokens.quiet));
        }
        ui.label(RichText::new(advice(found, best)).strong());
        if scope.session.results.naming() != best.method && ui.small_button("Show its names").clicked() {
            scope.ask(Command::NameBy(best.method));
        }
    });
    CollapsingHeader::new("The ground for it").default_open(ui.available_height() > ROOMY).show(ui, |ui| {
        ui.label(RichText::new(asked(found)).color(tokens.quiet));
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = theme::GROUP_GAP;
            found.evidence.iter().for_each(|evidence| share(ui, evidence, evidence.method == best.method));
        });
    });
}

/// `If the species were new: genus of 143 specimens (62 species), each named without its own species`
fn asked(found: &Recommendation) -> String {
    let (what, without) = if found.without_species {
        ("If the species were new", "its own species")
    } else {
        ("If the barcode were new", "its own barcode")
    };
    format!(
        "{what}: {} of {} ({} species), each named without {without}",
        found.rank.title(),
        words::counted(found.n, "specimen", "specimens"),
        words::count(found.n_species),
    )
}

fn share(ui: &mut Ui, evidence: &Evidence, best: bool) {
    let name = words::capitalised(evidence.method.title());
    let text = format!("{name} {} ({})", words::percent(evidence.accuracy), words::interval(evidence.interval));
    let hint = format!(
        "{} named right; in brackets the 95 % interval by bootstrap over species. {:.1} s for 1\u{2009}000 barcodes, without embedding",
        words::count(evidence.right),
        evidence.seconds_per_1000
    );
    let text = if best { RichText::new(text).strong() } else { RichText::new(text) };
    ui.add(Label::new(text).extend()).on_hover_text(hint);
}

fn advice(found: &Recommendation, best: &Evidence) -> String {
    let name = best.method.title();
    match best.above_model {
        None => format!("Recommended for this group: {name}."),
        Some((above, [low, high])) => {
            let [above, low, high] = [above, low, high].map(|share| 100.0 * share);
            let lead = format!("{above:+.1} points over the model, {low:+.1} to {high:+.1}");
            let doubt = if found.is_clear() { "" } else { "; this may be chance" };
            format!("Recommended for this group: {name} ({lead}{doubt}).")
        }
    }
}
