//! Panels that lie over a view.

use crate::ui::theme;
use egui::{Align, Frame, Layout, Margin, Rect, Sense, Ui, UiBuilder, vec2};

/// Draws a panel at the top of `room`, as wide as it and as tall as its contents need. What is below does not feel the pointer
/// there.
pub fn over<R>(ui: &mut Ui, name: &'static str, room: Rect, contents: impl FnOnce(&mut Ui) -> R) -> R {
    let tokens = theme::tokens(ui);
    let frame = Frame::new()
        .fill(tokens.panel)
        .stroke((theme::HAIRLINE, tokens.line))
        .corner_radius(theme::RADIUS)
        .inner_margin(Margin::same(theme::BAR_MARGIN));
    // How tall the panel was is known from the frame before.
    let id = ui.scope_id().with(name);
    let height = ui.data(|data| data.get_temp(id)).unwrap_or(room.height());
    ui.interact(Rect::from_min_size(room.min, vec2(room.width(), height)), id, Sense::click_and_drag());
    let builder = UiBuilder::new().max_rect(room).layout(Layout::top_down(Align::Min));
    let shown = ui.scope_builder(builder, |ui| {
        frame.show(ui, |ui| {
            ui.set_width(room.width() - 2.0 * (f32::from(theme::BAR_MARGIN) + theme::HAIRLINE));
            contents(ui)
        })
    });
    ui.data_mut(|data| data.insert_temp(id, shown.inner.response.rect.height()));
    shown.inner.inner
}
