//! Virtual tables: only the rows on screen are drawn, headers sort, rows are clicked or walked by arrow keys.

use crate::session::columns::Sorting;
use crate::ui::theme;
use egui::{Align, Layout, Modifiers, Pos2, Role, ScrollArea, Sense, Shape, Stroke, Ui, WidgetInfo, vec2};
use egui_extras::{Column, TableBuilder, TableRow};

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub struct TableColumn {
    /// The header.
    pub title: &'static str,
    /// What the column holds, shown over the header.
    pub hint: &'static str,
    /// First width, in points; the last column takes what is left.
    pub width: f32,
    /// Numbers stand at the right, and sort from the largest first.
    pub number: bool,
}

impl TableColumn {
    /// A column of text.
    pub const fn text(title: &'static str, width: f32, hint: &'static str) -> Self {
        Self { title, hint, width, number: false }
    }

    /// A column of numbers.
    pub const fn number(title: &'static str, width: f32, hint: &'static str) -> Self {
        Self { title, hint, width, number: true }
    }
}

/// What the user did with a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TableAnswer {
    /// Clicked a header: sort like this from now on.
    pub sorting: Option<Sorting>,
    /// Chose the row at this position of the shown order, with these keys held.
    pub chosen: Option<(usize, Modifiers)>,
}

/// Height of a table that shows all its rows, with the header.
pub fn whole_height(ui: &Ui, rows: usize) -> f32 {
    theme::CONTROL + rows as f32 * theme::ROW + (rows + 2) as f32 * ui.spacing().item_spacing.y
}

/// A table of `rows` rows.
pub struct Table<'a> {
    /// Tells the tables of a view apart.
    pub id: &'static str,
    /// What the table is about, for those who cannot see it: "specimens".
    pub name: &'static str,
    /// The columns.
    pub columns: &'a [TableColumn],
    /// Number of rows.
    pub rows: usize,
    /// What the rows are sorted by.
    pub sorting: Option<Sorting>,
    /// Height of the table in points; `None` takes what is left.
    pub height: Option<f32>,
    /// Position of the row that the arrow keys start from.
    pub current: Option<usize>,
    /// Scroll to this position.
    pub scroll_to: Option<usize>,
}

impl Table<'_> {
    /// Draws it. `selected` says whether the row at a position is selected, `cell` gives the text of position and column.
    pub fn show(
        &self,
        ui: &mut Ui,
        selected: impl Fn(usize) -> bool,
        cell: impl Fn(&mut Ui, usize, usize),
    ) -> TableAnswer {
        let mut answer = TableAnswer::default();
        let step = self.arrow_step(ui);
        let mut scroll_to = self.scroll_to;
        if let Some(position) = step {
            answer.chosen = Some((position, Modifiers::NONE));
            scroll_to = Some(position);
        }
        // Columns that do not fit are scrolled to.
        ScrollArea::horizontal().id_salt(self.id).auto_shrink(false).show(ui, |ui| {
            let mut builder = TableBuilder::new(ui).striped(true).resizable(true).sense(Sense::click());
            builder =
                builder.cell_layout(Layout::left_to_right(Align::Center)).auto_shrink([false, self.height.is_some()]);
            if let Some(height) = self.height {
                builder = builder.max_scroll_height(height).min_scrolled_height(height.min(4.0 * theme::ROW));
            } else {
                builder = builder.min_scrolled_height(6.0 * theme::ROW);
            }
            if let Some(position) = scroll_to {
                builder = builder.scroll_to_row(position, None).animate_scrolling(false);
            }
            for (index, column) in self.columns.iter().enumerate() {
                let last = index + 1 == self.columns.len();
                let width = if last {
                    Column::remainder().at_least(column.width)
                } else {
                    Column::initial(column.width).at_least(theme::LEAST_COLUMN)
                };
                builder = builder.column(width.clip(true));
            }
            let table = builder.header(theme::CONTROL, |mut header| self.headers(&mut header, &mut answer));
            table.body(|body| {
                body.rows(theme::ROW, self.rows, |mut row| self.row(&mut row, &selected, &cell, &mut answer));
            });
        });
        answer
    }

    fn headers(&self, header: &mut TableRow<'_, '_>, answer: &mut TableAnswer) {
        for (index, column) in self.columns.iter().enumerate() {
            header.col(|ui| {
                let text = egui::RichText::new(column.title).strong();
                let button = egui::Button::new(text).frame(false).truncate();
                let response = ui.add(button).on_hover_text(format!("{} (click to sort)", column.hint));
                response.widget_info(|| {
                    WidgetInfo::labeled(Role::Button, true, format!("Sort {} by {}", self.name, column.title))
                });
                if let Some(sorting) = self.sorting.filter(|sorting| sorting.column == index) {
                    sort_mark(ui, response.rect.right_center(), sorting.ascending);
                }
                if response.clicked() {
                    answer.sorting = Some(Sorting::clicked(self.sorting, index, !column.number));
                }
            });
        }
    }

    fn row(
        &self,
        row: &mut TableRow<'_, '_>,
        selected: &impl Fn(usize) -> bool,
        cell: &impl Fn(&mut Ui, usize, usize),
        answer: &mut TableAnswer,
    ) {
        let position = row.index();
        row.set_selected(selected(position));
        for (index, column) in self.columns.iter().enumerate() {
            row.col(|ui| {
                ui.style_mut().interaction.selectable_labels = false;
                if column.number {
                    ui.with_layout(Layout::right_to_left(Align::Center), |ui| cell(ui, position, index));
                } else {
                    cell(ui, position, index);
                }
            });
        }
        let response = row.response();
        let name = format!("{}, row {}", self.name, position + 1);
        response.widget_info(|| WidgetInfo::selected(Role::Button, true, selected(position), &name));
        if response.clicked() {
            answer.chosen = Some((position, response.ctx.input(|input| input.modifiers)));
        }
    }

    /// The position that an arrow key leads to, when no text field has the keyboard.
    fn arrow_step(&self, ui: &Ui) -> Option<usize> {
        let current = self.current?;
        if ui.ctx().text_edit_focused() || self.rows == 0 {
            return None;
        }
        let (up, down) =
            ui.input(|input| (input.key_pressed(egui::Key::ArrowUp), input.key_pressed(egui::Key::ArrowDown)));
        match (up, down) {
            (true, false) => current.checked_sub(1),
            (false, true) => Some(current + 1).filter(|&next| next < self.rows),
            _ => None,
        }
    }
}

/// A small triangle that points to where the values grow.
fn sort_mark(ui: &Ui, at: Pos2, ascending: bool) {
    let tokens = theme::tokens(ui);
    let half = theme::GRID;
    let (base, tip) = if ascending { (half / 2.0, -half / 2.0) } else { (-half / 2.0, half / 2.0) };
    let centre = at + vec2(half, 0.0);
    let corners = vec![centre + vec2(-half, base), centre + vec2(half, base), centre + vec2(0.0, tip)];
    ui.painter().add(Shape::convex_polygon(corners, tokens.accent, Stroke::NONE));
}
