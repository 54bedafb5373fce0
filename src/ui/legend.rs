//! The legend of the map: the largest groups of a column with their colours, and a search that lights up any of them.

use super::widgets::float;
use super::{theme, words};
use crate::data::taxonomy::LabelColumn;
use crate::pipeline::colour::ramp;
use egui::{Align, Color32, Label, Layout, Rect, Response, RichText, ScrollArea, Sense, TextEdit, Ui, vec2};

/// Groups that the legend lists before it sums up the others.
pub const LISTED: usize = 20;
/// Side of a colour patch, in points.
const PATCH: f32 = 10.0;
/// Height of a line, in points.
const LINE: f32 = 22.0;

/// The specimens that share a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The value's code in its column.
    pub code: u32,
    /// The value.
    pub name: String,
    /// Specimens that have it and are not filtered out.
    pub count: usize,
    /// Its colour on the map.
    pub colour: Color32,
}

/// The groups of a column, the largest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Groups {
    /// Those that hold any specimen.
    pub list: Vec<Group>,
    /// Specimens without a value.
    pub unlabelled: usize,
}

impl Groups {
    /// The groups among the rows that are `shown`. `palette` gives each code its colour.
    pub fn of(labels: &LabelColumn, palette: &[Color32], shown: impl Fn(usize) -> bool) -> Self {
        let mut counts = vec![0; labels.distinct()];
        let mut unlabelled = 0;
        for row in (0..labels.len()).filter(|&row| shown(row)) {
            match labels.code(row) {
                Some(code) => counts[code as usize] += 1,
                None => unlabelled += 1,
            }
        }
        let groups = labels.names().iter().zip(&counts).zip(0..).filter(|((_, count), _)| **count > 0);
        let mut list: Vec<Group> = groups
            .map(|((name, &count), code)| Group {
                code,
                name: name.clone(),
                count,
                colour: palette.get(code as usize).copied().unwrap_or(Color32::GRAY),
            })
            .collect();
        list.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
        Self { list, unlabelled }
    }

    /// Places in the list of the groups whose name holds `text`, whatever the case; all for an empty text.
    pub fn matching(&self, text: &str) -> Vec<usize> {
        let wanted = text.trim().to_lowercase();
        let holds = |place: &usize| wanted.is_empty() || self.list[*place].name.to_lowercase().contains(&wanted);
        (0..self.list.len()).filter(holds).collect()
    }
}

/// What was asked of the legend; groups are meant by the code of their value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Light up a group; the one that is lit goes out.
    Light(u32),
    /// Select its specimens.
    Select(u32),
    /// Filter all others out.
    Only(u32),
}

/// What the legend keeps from frame to frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Legend {
    /// What stands in the search field.
    pub search: String,
    /// Whether the list is unfolded.
    pub open: bool,
}

impl Default for Legend {
    fn default() -> Self {
        Self { search: String::new(), open: true }
    }
}

impl Legend {
    /// Draws the legend of `groups` within `room`. `range` holds the ends of a column of numbers, `lit` is the code of the group
    /// that is lit, `header` draws what stands above the search.
    pub fn show(
        &mut self,
        ui: &mut Ui,
        room: Rect,
        groups: &Groups,
        range: Option<[f64; 2]>,
        lit: Option<u32>,
        header: impl FnOnce(&mut Ui),
    ) -> Option<Asked> {
        float::over(ui, "legend", room, |ui| {
            ui.horizontal(|ui| {
                header(ui);
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| self.fold(ui));
            });
            if !self.open {
                return None;
            }
            range.iter().for_each(|range| paint_ramp(ui, *range));
            self.list(ui, groups, lit)
        })
    }

    fn fold(&mut self, ui: &mut Ui) {
        let (sign, hint) = if self.open { ("−", "Fold the legend") } else { ("+", "Unfold the legend") };
        let button = ui.small_button(sign).on_hover_text(hint);
        button.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, hint));
        if button.clicked() {
            self.open = !self.open;
        }
    }

    fn list(&mut self, ui: &mut Ui, groups: &Groups, lit: Option<u32>) -> Option<Asked> {
        let field = TextEdit::singleline(&mut self.search).hint_text("Light up…").desired_width(f32::INFINITY);
        let field = ui.add(field);
        field.widget_info(|| egui::WidgetInfo::labeled(egui::Role::TextInput, true, "Search the legend"));
        if field.has_focus() && ui.input(|input| input.key_pressed(egui::Key::Escape)) {
            self.search.clear();
        }
        let searching = !self.search.trim().is_empty();
        let mut found = groups.matching(&self.search);
        let total = found.len();
        if !searching {
            found.truncate(LISTED);
        }
        let mut asked = None;
        ui.spacing_mut().item_spacing.y = 0.0;
        let scroll = ScrollArea::vertical().auto_shrink([false, true]).max_height(ui.available_height() - 2.0 * LINE);
        scroll.show_rows(ui, LINE, found.len(), |ui, range| {
            for &place in &found[range] {
                asked = line(ui, &groups.list[place], lit).or(asked);
            }
        });
        for note in notes(groups, &found, total, searching) {
            ui.add(Label::new(RichText::new(note).small().weak()).truncate());
        }
        asked
    }
}

/// A strip of colours from the smallest to the largest number.
fn paint_ramp(ui: &mut Ui, [low, high]: [f64; 2]) {
    const STEPS: usize = 48;
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), PATCH), Sense::hover());
    let text = format!("From {low} to {high}");
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Image, true, &text));
    let step = rect.width() / STEPS as f32;
    for place in 0..STEPS {
        let left = rect.left() + step * place as f32;
        let [red, green, blue] = ramp((place as f32 + 0.5) / STEPS as f32);
        let piece = Rect::from_min_size(egui::pos2(left, rect.top()), vec2(step + 0.5, rect.height()));
        ui.painter().rect_filled(piece, 0.0, Color32::from_rgb(red, green, blue));
    }
    ui.horizontal(|ui| {
        ui.label(RichText::new(low.to_string()).small());
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| ui.label(RichText::new(high.to_string()).small()));
    });
}

/// What the list does not show, in words.
fn notes(groups: &Groups, found: &[usize], total: usize, searching: bool) -> Vec<String> {
    let mut notes = Vec::new();
    if searching {
        notes.push(match total {
            0 => "Nothing has that name".to_owned(),
            _ => format!("{} lit up, the others grey", words::counted(total, "group", "groups")),
        });
    } else {
        let others = &groups.list[found.len()..];
        if !others.is_empty() {
            let specimens = others.iter().map(|group| group.count).sum();
            let groups = words::counted(others.len(), "other", "others");
            notes.push(format!("and {groups} with {}", words::counted(specimens, "specimen", "specimens")));
        }
        if groups.unlabelled > 0 {
            notes.push(format!("{} without a value", words::counted(groups.unlabelled, "specimen", "specimens")));
        }
    }
    notes
}

fn line(ui: &mut Ui, group: &Group, lit: Option<u32>) -> Option<Asked> {
    let is_lit = lit == Some(group.code);
    let response = paint_line(ui, group, is_lit);
    let hint = format!("{}: {}", group.name, words::counted(group.count, "specimen", "specimens"));
    response.widget_info(|| egui::WidgetInfo::selected(egui::Role::Button, true, is_lit, &hint));
    let mut asked = response.clicked().then_some(Asked::Light(group.code));
    response.context_menu(|ui| {
        let light = if is_lit { "Stop lighting it up" } else { "Light up" };
        for (text, wish) in [
            (light.to_owned(), Asked::Light(group.code)),
            (format!("Select {}", words::counted(group.count, "specimen", "specimens")), Asked::Select(group.code)),
            ("Show only these".to_owned(), Asked::Only(group.code)),
        ] {
            if ui.button(text).clicked() {
                asked = Some(wish);
                ui.close();
            }
        }
    });
    response.on_hover_text(hint);
    asked
}

fn paint_line(ui: &mut Ui, group: &Group, is_lit: bool) -> Response {
    let tokens = theme::tokens(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), LINE), Sense::click());
    let behind = match (is_lit, response.hovered()) {
        (true, _) => Some(tokens.selected),
        (false, true) => Some(tokens.control[0]),
        (false, false) => None,
    };
    let painter = ui.painter().with_clip_rect(rect.intersect(ui.clip_rect()));
    if let Some(behind) = behind {
        painter.rect_filled(rect, theme::RADIUS, behind);
    }
    if response.has_focus() {
        painter.rect_stroke(rect, theme::RADIUS, (1.5, tokens.accent), egui::StrokeKind::Inside);
    }
    let middle = rect.left_center() + vec2(4.0 + 0.5 * PATCH, 0.0);
    painter.circle_filled(middle, 0.5 * PATCH, group.colour);
    let font = egui::TextStyle::Small.resolve(ui.style());
    let count = painter.layout_no_wrap(words::count(group.count), font.clone(), tokens.quiet);
    let right = rect.right() - 4.0 - count.size().x;
    let name = painter.layout_no_wrap(group.name.clone(), font, tokens.text);
    let left = middle.x + PATCH;
    let room = Rect::from_min_max(egui::pos2(left, rect.top()), egui::pos2(right - 6.0, rect.bottom()));
    let baseline = |height: f32| rect.center().y - 0.5 * height;
    painter.with_clip_rect(room.intersect(painter.clip_rect())).galley(
        egui::pos2(left, baseline(name.size().y)),
        name,
        tokens.text,
    );
    painter.galley(egui::pos2(right, baseline(count.size().y)), count, tokens.quiet);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups() -> Groups {
        let labels = LabelColumn::from_labels([
            Some("Bombus"),
            Some("Apis"),
            None,
            Some("Apis"),
            Some("Osmia"),
            Some("Megapis"),
        ]);
        Groups::of(&labels, &[Color32::RED, Color32::GREEN, Color32::BLUE, Color32::KHAKI], |row| row != 4)
    }

    #[test]
    fn groups_are_counted_among_the_shown_and_keep_their_colours() {
        let groups = groups();
        let seen: Vec<_> = groups.list.iter().map(|group| (group.name.as_str(), group.count, group.colour)).collect();
        assert_eq!(
            seen,
            [("Apis", 2, Color32::GREEN), ("Bombus", 1, Color32::RED), ("Megapis", 1, Color32::KHAKI)],
            "Osmia is filtered out"
        );
        assert_eq!(groups.unlabelled, 1);
    }

    #[test]
    fn the_search_finds_names_whatever_the_case() {
        let groups = groups();
        assert_eq!(groups.matching(" API"), [0, 2]);
        assert_eq!(groups.matching(""), [0, 1, 2]);
        assert!(groups.matching("Lymantria").is_empty());
    }

    #[test]
    fn what_is_not_listed_is_summed_up() {
        let names: Vec<String> = (0..LISTED + 3).map(|taxon| format!("t{taxon}")).collect();
        let labels = LabelColumn::from_labels(names.iter().map(|name| Some(name.as_str())).chain([None]));
        let groups = Groups::of(&labels, &[], |_| true);
        let listed: Vec<usize> = (0..LISTED).collect();
        let text = notes(&groups, &listed, groups.list.len(), false);
        assert_eq!(text, ["and 3 others with 3 specimens", "1 specimen without a value"]);
        assert_eq!(notes(&groups, &[], 0, true), ["Nothing has that name"]);
    }
}
