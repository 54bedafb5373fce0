//! Filters: which values of which columns are shown.

use crate::session::Command;
use crate::session::columns::{Filter, Values};
use crate::ui::scope::Scope;
use crate::ui::{theme, words};
use egui::{PopupCloseBehavior, RichText, Role, ScrollArea, TextEdit, Ui, WidgetInfo};
use std::collections::BTreeSet;

/// Width of the menu.
const WIDTH: f32 = 300.0;
/// Height of the list of values.
const LIST: f32 = 260.0;
/// What stands for a missing value.
const MISSING: &str = "(no value)";

/// The menu while it is open.
#[derive(Debug, Default)]
pub(super) struct FilterMenu {
    /// The column whose values are listed.
    values: Option<Values>,
    search: String,
}

impl FilterMenu {
    /// The button and its menu. `ghosts` says whether filtered-out specimens are drawn faintly.
    pub(super) fn show(&mut self, ui: &mut Ui, scope: &mut Scope<'_>, ghosts: &mut bool) {
        let count = scope.session.look.filters.len();
        let title = if count == 0 { "Filter".to_owned() } else { format!("Filter ({count})") };
        let config = egui::containers::menu::MenuConfig::new().close_behavior(PopupCloseBehavior::CloseOnClickOutside);
        let button = egui::containers::menu::MenuButton::new(title).config(config);
        let (response, open) = button.ui(ui, |ui| {
            ui.set_width(WIDTH);
            self.filters_in_use(ui, scope);
            if self.values.is_none() {
                self.choose_column(ui, scope);
            } else {
                self.choose_values(ui, scope);
            }
            ui.separator();
            ui.checkbox(ghosts, "Show filtered-out specimens faintly");
        });
        if open.is_none() {
            *self = Self::default();
        }
        response.on_hover_text("Show only the specimens that have certain values");
    }

    fn filters_in_use(&mut self, ui: &mut Ui, scope: &mut Scope<'_>) {
        let Some(dataset) = scope.dataset() else { return };
        for filter in &scope.session.look.filters {
            let column = filter.values.column;
            ui.horizontal(|ui| {
                let name = words::capitalised(&column.title(dataset));
                let remove = ui.small_button("×");
                remove.widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("Remove the filter on {name}")));
                if remove.clicked() {
                    scope.ask(Command::Filter(column, None));
                }
                let text = format!("{name}: {}", kept(filter));
                if ui.link(text).on_hover_text("Change this filter").clicked() {
                    self.values = Some(filter.values.clone());
                }
            });
        }
        if scope.session.look.filters.len() > 1 && ui.button("Remove all filters").clicked() {
            scope.ask(Command::ClearFilters);
        }
    }

    fn choose_column(&mut self, ui: &mut Ui, scope: &Scope<'_>) {
        let Some(dataset) = scope.dataset() else { return };
        ui.label(RichText::new("Filter by").color(theme::tokens(ui).quiet));
        let columns = scope.session.columns();
        let row_height = ui.spacing().interact_size.y;
        ScrollArea::vertical().max_height(LIST).show_rows(ui, row_height, columns.len(), |ui, range| {
            for &column in &columns[range] {
                if ui.selectable_label(false, words::capitalised(&column.title(dataset))).clicked() {
                    self.values = scope.session.values(column);
                    self.search.clear();
                }
            }
        });
    }

    fn choose_values(&mut self, ui: &mut Ui, scope: &mut Scope<'_>) {
        let (Some(dataset), Some(values)) = (scope.dataset(), &self.values) else { return };
        let title = words::capitalised(&values.column.title(dataset));
        let back = ui.button(format!("‹ {title}")).on_hover_text("Choose another column");
        back.widget_info(|| WidgetInfo::labeled(Role::Button, true, "Choose another column"));
        let field =
            ui.add(TextEdit::singleline(&mut self.search).hint_text("Find a value").desired_width(f32::INFINITY));
        field.widget_info(|| WidgetInfo::labeled(Role::TextInput, true, "Find a value"));
        let filter = scope.session.look.filters.iter().find(|filter| filter.values.column == values.column);
        let keep = filter.map(|filter| &filter.keep);
        let listed = listed(values, &self.search);
        let mut changed: Option<Option<BTreeSet<String>>> = None;
        ui.horizontal(|ui| {
            if ui.button("All").on_hover_text("Remove this filter").clicked() {
                changed = Some(None);
            }
            if ui.button("None").on_hover_text("Tick only what you want to see").clicked() {
                changed = Some(Some(BTreeSet::new()));
            }
            ui.label(RichText::new(words::counted(listed.len(), "value", "values")).weak());
        });
        let row_height = ui.spacing().interact_size.y;
        ScrollArea::vertical().max_height(LIST).show_rows(ui, row_height, listed.len(), |ui, range| {
            for name in &listed[range] {
                let mut ticked = keep.is_none_or(|keep| keep.contains(*name));
                let text = if name.is_empty() { MISSING } else { name };
                if ui.checkbox(&mut ticked, text).changed() {
                    changed = Some(ticking(values, keep, name, ticked));
                }
            }
        });
        if let Some(keep) = changed {
            scope.ask(Command::Filter(values.column, keep));
        }
        if back.clicked() {
            self.values = None;
        }
    }
}

/// The values whose name holds `search`; the empty name stands for a missing value.
fn listed<'a>(values: &'a Values, search: &str) -> Vec<&'a str> {
    let wanted = search.trim().to_lowercase();
    let labels = &values.labels;
    let has_missing = (0..labels.len()).any(|row| labels.code(row).is_none());
    let mut names: Vec<&str> = labels.names().iter().map(String::as_str).collect();
    names.sort_by(|a, b| crate::session::columns::compare_text(a, b));
    names.extend(has_missing.then_some(""));
    names.retain(|name| wanted.is_empty() || name.to_lowercase().contains(&wanted));
    names
}

/// The filter after one value was ticked or not; `None` when all are ticked again.
fn ticking(values: &Values, keep: Option<&BTreeSet<String>>, name: &str, ticked: bool) -> Option<BTreeSet<String>> {
    let every = || listed(values, "").into_iter().map(str::to_owned).collect::<BTreeSet<String>>();
    let mut keep = keep.cloned().unwrap_or_else(every);
    if ticked {
        keep.insert(name.to_owned());
    } else {
        keep.remove(name);
    }
    (keep != every()).then_some(keep)
}

/// The values that a filter keeps, in a few words.
fn kept(filter: &Filter) -> String {
    let named = |name: &String| if name.is_empty() { MISSING.to_owned() } else { name.clone() };
    match filter.keep.len() {
        0 => "nothing".to_owned(),
        1..=2 => filter.keep.iter().map(named).collect::<Vec<_>>().join(", "),
        count => format!("{} values", words::count(count)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::taxonomy::{Field, LabelColumn};
    use crate::session::columns::ColumnKey;
    use std::sync::Arc;

    fn values() -> Values {
        let labels = LabelColumn::from_labels([Some("Osmia"), None, Some("Apis"), Some("Bombus")]);
        Values { column: ColumnKey::Field(Field::Genus), labels: Arc::new(labels) }
    }

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn values_are_listed_by_name_with_the_missing_one_last() {
        assert_eq!(listed(&values(), ""), ["Apis", "Bombus", "Osmia", ""]);
        assert_eq!(listed(&values(), " O"), ["Bombus", "Osmia"]);
    }

    #[test]
    fn ticking_makes_and_unmakes_a_filter() {
        let values = values();
        let without = ticking(&values, None, "Apis", false);
        assert_eq!(without, Some(set(&["", "Bombus", "Osmia"])));
        assert_eq!(ticking(&values, without.as_ref(), "Apis", true), None, "all ticked is no filter");
        assert_eq!(ticking(&values, Some(&set(&[])), "", true), Some(set(&[""])));
        let filter = |keep: &[&str]| Filter { values: values.clone(), keep: set(keep) };
        assert_eq!(kept(&filter(&["", "Apis"])), "(no value), Apis");
        assert_eq!((kept(&filter(&[])), kept(&filter(&["a", "b", "c"]))), ("nothing".into(), "3 values".into()));
    }
}
