//! A neighbour-joining tree of the selected specimens.

use super::ask;
use crate::analysis::gap::Distance;
use crate::pipeline::tree::{MOST_TIPS, SpecimenTree};
use crate::session::Command;
use crate::session::export::{Exported, ReviewFile};
use crate::session::review::ReviewCommand;
use crate::ui::files::Purpose;
use crate::ui::scope::Scope;
use crate::ui::widgets::state;
use crate::ui::{theme, words};
use egui::{
    Align2, Button, Color32, FontId, Pos2, Rect, RichText, Role, ScrollArea, Sense, Stroke, Ui, WidgetInfo, pos2, vec2,
};
use std::sync::Arc;

/// Height of a tip, in points.
const TIP: f32 = 16.0;
/// Radius of the mark of a tip.
const MARK: f32 = 3.5;

/// What the page remembers from frame to frame.
#[derive(Default)]
pub(super) struct TreeTab {
    by: Distance,
    placed: Option<Placed>,
}

/// Where the nodes of a tree lie: from 0 to 1 from left to right, in tips from top to bottom.
struct Placed {
    of: Arc<SpecimenTree>,
    at: Vec<[f32; 2]>,
}

impl TreeTab {
    pub(super) fn show(&mut self, ui: &mut Ui, scope: &mut Scope<'_>) {
        self.begin(ui, scope);
        let Some(tree) = scope.session.reviewing.tree.shown().cloned() else { return };
        if !self.placed.as_ref().is_some_and(|placed| Arc::ptr_eq(&placed.of, &tree)) {
            self.placed = Some(Placed { at: places(&tree), of: tree });
        }
        let Some(placed) = &self.placed else { return };
        ScrollArea::vertical().id_salt("tree").auto_shrink(false).show_viewport(ui, |ui, view| {
            draw(ui, scope, placed, view);
        });
    }

    fn begin(&mut self, ui: &mut Ui, scope: &mut Scope<'_>) {
        let selected = scope.session.selection.rows().len();
        ui.horizontal_wrapped(|ui| {
            for by in Distance::ALL {
                ui.selectable_value(&mut self.by, by, by.title());
            }
            let stage = &scope.session.reviewing.tree;
            if let Some(job) = stage.job() {
                if ui.button("Stop").clicked() {
                    scope.ask(Command::Stop(job));
                }
            } else {
                let name = format!("Join {}", words::counted(selected, "selected specimen", "selected specimens"));
                let can = (2..=MOST_TIPS).contains(&selected) && scope.session.results.frames.ready().is_some();
                let hint =
                    format!("Select 2 to {} specimens: in a list, by a taxon, or on the map", words::count(MOST_TIPS));
                let button = ui.add_enabled(can, Button::new(RichText::new(name).strong()));
                if button.on_hover_text(&hint).on_disabled_hover_text(hint).clicked() {
                    ask(scope, ReviewCommand::DrawTree(self.by));
                }
            }
            let can = scope.session.reviewing.tree.shown().is_some();
            if ui.add_enabled(can, Button::new("Save Newick…")).clicked() {
                scope.choose(Purpose::Save(Exported::Review(ReviewFile::Newick)));
            }
            if let Some(tree) = scope.session.reviewing.tree.shown() {
                let mut about =
                    format!("{}, {}", words::counted(tree.rows.len(), "specimen", "specimens"), tree.distance.title());
                if tree.outside > 0 {
                    about = format!("{about}; {} not in the COI-5P frame", words::count(tree.outside));
                }
                ui.label(RichText::new(about).color(theme::tokens(ui).quiet));
            }
        });
        let stage = &scope.session.reviewing.tree;
        if let Some(problem) = stage.problem() {
            state::problem_box(ui, problem, None);
        } else if stage.shown().is_none() && stage.job().is_none() {
            let text = "Select some specimens, then join them by the distances of their barcodes. Colours tell names apart; red marks are \
                        specimens whose label is contradicted.";
            ui.label(RichText::new(text).color(theme::tokens(ui).quiet));
        }
    }
}

fn places(tree: &SpecimenTree) -> Vec<[f32; 2]> {
    let tree = &tree.tree;
    let children = tree.children();
    let mut at = vec![[0.0, 0.0]; tree.nodes.len()];
    let Some(root) = tree.root() else { return at };
    for (place, tip) in tree.drawn_tips().into_iter().enumerate() {
        at[tip][1] = place as f32 + 0.5;
    }
    // From the root down for depths, back up for heights.
    let mut down = vec![root];
    let mut seen = 0;
    while seen < down.len() {
        let node = down[seen];
        seen += 1;
        for &child in &children[node] {
            at[child][0] = at[node][0] + tree.nodes[child].length;
            down.push(child);
        }
    }
    for &node in down.iter().rev() {
        if let (Some(&first), Some(&last)) = (children[node].first(), children[node].last()) {
            at[node][1] = (at[first][1] + at[last][1]) / 2.0;
        }
    }
    let deepest = at.iter().map(|place| place[0]).fold(f32::MIN_POSITIVE, f32::max);
    at.iter_mut().for_each(|place| place[0] /= deepest);
    at
}

fn draw(ui: &mut Ui, scope: &mut Scope<'_>, placed: &Placed, view: Rect) {
    let Some(curated) = scope.session.curated() else { return };
    let tree = &placed.of.tree;
    let tokens = theme::tokens(ui);
    let size = vec2(ui.available_width(), tree.tips as f32 * TIP + theme::GAP);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    let names = 3.2 * theme::NAME_COLUMN;
    let room = (rect.width() - names - theme::GAP).max(theme::NAME_COLUMN);
    let at = |node: usize| -> Pos2 {
        let [depth, height] = placed.at[node];
        pos2(rect.left() + depth * room, rect.top() + height * TIP)
    };
    let is_shown = |y: f32| (view.top() - TIP..=view.bottom() + TIP).contains(&(y - rect.top()));
    let stroke = Stroke::new(theme::HAIRLINE, tokens.quiet);
    let painter = ui.painter();
    for (node, below) in tree.nodes.iter().enumerate() {
        let Some(parent) = below.parent else { continue };
        let (here, above) = (at(node), at(parent));
        let (top, bottom) = (here.y.min(above.y), here.y.max(above.y));
        if bottom - rect.top() < view.top() - TIP || top - rect.top() > view.bottom() + TIP {
            continue;
        }
        painter.line_segment([pos2(above.x, above.y), pos2(above.x, here.y)], stroke);
        painter.line_segment([pos2(above.x, here.y), here], stroke);
    }
    for (tip, &row) in placed.of.rows.iter().enumerate() {
        let place = at(tip);
        if !is_shown(place.y) {
            continue;
        }
        let name = curated.name(row).unwrap_or("no name");
        let suspect = scope.session.reviewing.suspect(row).filter(|suspect| suspect.cause.is_suspicious());
        let colour = if suspect.is_some() { tokens.wrong } else { tokens.text };
        painter.circle_filled(place + vec2(MARK, 0.0), MARK, name_colour(name, tokens));
        let cause = suspect.map_or_else(String::new, |suspect| format!(" – {}", suspect.cause.title()));
        let text = format!("{}  {name}{cause}", curated.dataset().id(row));
        let font = FontId::proportional(theme::SMALL);
        painter.text(place + vec2(3.0 * MARK, 0.0), Align2::LEFT_CENTER, text, font, colour);
    }
    let about = format!("tree of {}", words::counted(tree.tips, "specimen", "specimens"));
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &about));
    if let Some(pointer) = response.interact_pointer_pos().filter(|_| response.clicked()) {
        let height = (pointer.y - rect.top()) / TIP;
        let nearest = (0..placed.of.rows.len())
            .min_by(|&a, &b| (placed.at[a][1] - height).abs().total_cmp(&(placed.at[b][1] - height).abs()));
        if let Some(tip) = nearest {
            scope.ask(Command::FocusOn(placed.of.rows[tip]));
        }
    }
}

/// The same colour for the same name; names that meet in a tree are told apart by their letters, too.
fn name_colour(name: &str, tokens: &theme::Tokens) -> Color32 {
    let sum: usize = name.bytes().fold(7, |sum, letter| sum.wrapping_mul(31).wrapping_add(usize::from(letter)));
    tokens.series[sum % tokens.series.len()]
}
