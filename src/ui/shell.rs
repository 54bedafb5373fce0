//! The frame of the window: bars, navigation, the specimen panel, and the view in the middle.

use super::keys;
use super::panels::columns::ColumnForm;
use super::panels::{log, shortcuts, specimen};
use super::scope::{Overlay, Scope};
use super::topbar::TopBar;
use super::views::{Views, welcome};
use super::widgets::{export, state};
use super::{statusbar, theme};
use crate::session::discover::DiscoverTab;
use crate::session::export::Exported;
use crate::session::masking::LabTab;
use crate::session::review::ReviewTab;
use crate::session::{Command, Page, Session};
use egui::{
    Align, Align2, CentralPanel, Frame, Label, Layout, Margin, Panel, Rect, RichText, Role, Sense, TextStyle, Ui,
    WidgetInfo, vec2,
};

/// Rows of a file that is being opened, above the views of the one before.
const ROWS_ABOVE: usize = 5;

/// The parts of the window that remember something from frame to frame.
pub struct Parts<'a> {
    /// The bar at the top.
    pub top_bar: &'a mut TopBar,
    /// The views.
    pub views: &'a mut Views,
    /// The form for the columns of an unknown table.
    pub columns: &'a mut ColumnForm,
    /// What is shown above the views.
    pub overlay: &'a mut Option<Overlay>,
    /// Whether a path is being typed.
    pub prompting: bool,
}

/// Draws the window.
pub fn show(ui: &mut Ui, scope: &mut Scope<'_>, parts: &mut Parts<'_>) {
    let dialog_open = parts.overlay.is_some() || parts.prompting || scope.session.question.is_some();
    keys::answer(&ui.ctx().clone(), scope, dialog_open);
    let bar = Frame::NONE
        .fill(theme::tokens(ui).panel)
        .inner_margin(Margin::symmetric(theme::PANEL_MARGIN, theme::BAR_MARGIN));
    Panel::top("top bar").frame(bar).show(ui, |ui| parts.top_bar.show(ui, scope));
    Panel::bottom("status bar").frame(bar).show(ui, |ui| statusbar::show(ui, scope));
    let side = Frame::NONE.fill(theme::tokens(ui).panel);
    let inside = side.inner_margin(Margin::same(theme::PANEL_MARGIN));
    if scope.session.dataset().is_some() {
        let navigation = side.inner_margin(Margin::symmetric(0, theme::PANEL_MARGIN));
        Panel::left("navigation")
            .frame(navigation)
            .resizable(false)
            .exact_size(theme::NAVIGATION)
            .show(ui, |ui| navigate(ui, scope));
        if is_about_specimens(scope.session) {
            let [first, least, most] = theme::SPECIMEN;
            Panel::right("specimen")
                .frame(inside)
                .resizable(true)
                .default_size(first)
                .size_range(least..=most)
                .show(ui, |ui| specimen::show(ui, scope));
        }
    }
    let view = Frame::NONE.fill(theme::tokens(ui).background).inner_margin(Margin::same(theme::PANEL_MARGIN));
    CentralPanel::default().frame(view).show(ui, |ui| {
        if scope.session.dataset().is_some() {
            welcome::opening(ui, scope);
            welcome::first_rows(ui, scope, ROWS_ABOVE);
            notice(ui, scope);
            parts.views.show(ui, scope);
        } else {
            parts.views.welcome.show(ui, scope);
        }
    });
    above(ui, scope, parts);
    dropped_files(ui, scope);
}

/// A model in training is about no specimen, nor are readings of thousands of them, and their curves need the room.
fn is_about_specimens(session: &Session) -> bool {
    match session.page {
        Page::Train => false,
        Page::Masking => matches!(session.lab.tab, LabTab::Reconstruct | LabTab::Maps),
        Page::Discover => session.discovering.tab != DiscoverTab::Trust,
        // The dossier is the panel, grown.
        Page::Review => matches!(session.reviewing.tab, ReviewTab::Bins | ReviewTab::Grades),
        Page::Dataset | Page::Atlas | Page::Classify | Page::Clusters => true,
    }
}

fn above(ui: &Ui, scope: &mut Scope<'_>, parts: &mut Parts<'_>) {
    let closed = match parts.overlay {
        Some(Overlay::Shortcuts) => shortcuts::show(ui.ctx()),
        Some(Overlay::Log) => log::show(ui.ctx(), scope.session),
        None => false,
    };
    if closed {
        *parts.overlay = None;
    }
    parts.columns.show(ui.ctx(), scope);
}

/// What the last export came to.
fn notice(ui: &mut Ui, scope: &mut Scope<'_>) {
    let put_away = match &scope.session.notice {
        None => false,
        Some(Err(problem)) => state::problem_box(ui, problem, Some("Put away")),
        Some(Ok(path)) => {
            let mut put_away = false;
            ui.horizontal(|ui| {
                ui.label(RichText::new(format!("Saved {}", path.display())).color(theme::tokens(ui).right));
                put_away = ui.small_button("Put away").clicked();
            });
            put_away
        }
    };
    if put_away {
        scope.ask(Command::PutNoticeAway);
    }
}

fn navigate(ui: &mut Ui, scope: &mut Scope<'_>) {
    ui.spacing_mut().item_spacing.y = 0.0;
    for (index, page) in Page::ALL.into_iter().enumerate() {
        let chosen = scope.session.page == page;
        let (rect, response) =
            ui.allocate_exact_size(vec2(ui.available_width(), theme::CONTROL + theme::GAP), Sense::click());
        response.widget_info(|| WidgetInfo::selected(Role::Button, true, chosen, page.title()));
        draw_entry(ui, rect, page.title(), chosen, response.hovered() || response.has_focus());
        if response.on_hover_text(format!("{} ({})", page.title(), index + 1)).clicked() {
            scope.ask(Command::Show(page));
        }
    }
}

fn draw_entry(ui: &Ui, rect: Rect, title: &str, chosen: bool, hovered: bool) {
    let tokens = theme::tokens(ui);
    if chosen || hovered {
        ui.painter().rect_filled(rect, 0.0, tokens.control[usize::from(chosen)]);
    }
    if chosen {
        ui.painter().rect_filled(Rect::from_min_size(rect.min, vec2(theme::GRID, rect.height())), 0.0, tokens.accent);
    }
    let at = rect.left_center() + vec2(f32::from(theme::PANEL_MARGIN), 0.0);
    ui.painter().text(at, Align2::LEFT_CENTER, title, TextStyle::Body.resolve(ui.style()), tokens.text);
}

/// Files can be dropped anywhere.
fn dropped_files(ui: &Ui, scope: &mut Scope<'_>) {
    let (hovering, dropped) = ui.input(|input| {
        let dropped: Vec<_> = input.raw.dropped_files.iter().map(|file| file.path().to_owned()).collect();
        (!input.raw.hovered_files.is_empty(), dropped)
    });
    let dropped: Vec<_> = dropped.into_iter().filter(|path| !path.as_os_str().is_empty()).collect();
    if !dropped.is_empty() {
        scope.ask(Command::Open(dropped));
    }
    if hovering {
        let painter =
            ui.ctx().layer_painter(egui::LayerId::new(egui::Order::Foreground, egui::Id::unique("drop here")));
        let rect = ui.ctx().content_rect();
        let tokens = theme::tokens(ui);
        painter.rect_filled(rect, 0.0, tokens.selected.gamma_multiply(0.9));
        let font = TextStyle::Heading.resolve(ui.style());
        painter.text(rect.center(), Align2::CENTER_CENTER, "Drop to open", font, tokens.text);
    }
}

/// The title of a view, with a line that says what it shows and a menu of what can be exported.
pub fn view_title(ui: &mut Ui, scope: &mut Scope<'_>, title: &str, about: &str, offered: &[Exported]) {
    ui.horizontal(|ui| {
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            export::menu(ui, scope, offered);
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                ui.heading(title);
                ui.add(Label::new(RichText::new(about).color(theme::tokens(ui).quiet)).truncate());
            });
        });
    });
}
