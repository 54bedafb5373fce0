//! A plain map of the world with one place on it; nothing is fetched for it.

use crate::data::world::coast_lines;
use crate::ui::theme;
use egui::{Pos2, Role, Sense, Shape, Stroke, Ui, WidgetInfo, pos2, vec2};

/// Draws a place of a latitude and longitude in degrees, as wide as there is room up to `width`.
pub fn show(ui: &mut Ui, [latitude, longitude]: [f32; 2], width: f32) {
    let width = width.min(ui.available_width());
    let (rect, response) = ui.allocate_exact_size(vec2(width, width / 2.0), Sense::hover());
    let tokens = theme::tokens(ui);
    let at = |[longitude, latitude]: [f32; 2]| -> Pos2 {
        let (x, y) = ((longitude + 180.0) / 360.0, (90.0 - latitude) / 180.0);
        pos2(rect.left() + x * rect.width(), rect.top() + y * rect.height())
    };
    let painter = ui.painter_at(rect);
    painter.rect_filled(rect, theme::RADIUS, tokens.field);
    for line in coast_lines() {
        let points = line.iter().map(|&point| at(point)).collect();
        painter.add(Shape::line(points, Stroke::new(theme::HAIRLINE, tokens.line)));
    }
    painter.circle_filled(at([longitude, latitude]), theme::GRID, tokens.wrong);
    let text = format!("{latitude:.4}°, {longitude:.4}°");
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, format!("collected at {text}")));
    response.on_hover_text(text);
}
