//! Every colour and every size of the window, light and dark. Drawing code names tokens, never numbers.

use egui::{
    Color32, CornerRadius, FontFamily, FontId, Margin, Stroke, Style, TextStyle, Theme as Shade, Vec2, Visuals,
};

/// The grid that distances are multiples of, in points.
pub const GRID: f32 = 4.0;
/// Between things that belong together.
pub const GAP: f32 = 2.0 * GRID;
/// Between groups.
pub const GROUP_GAP: f32 = 4.0 * GRID;
/// Around the contents of a panel.
pub const PANEL_MARGIN: i8 = 12;
/// Around the contents of a bar.
pub const BAR_MARGIN: i8 = 6;
/// Of buttons and fields.
pub const RADIUS: u8 = 4;
/// A hairline.
pub const HAIRLINE: f32 = 1.0;
/// Text of notes and captions.
pub const SMALL: f32 = 12.0;
/// Ordinary text.
pub const BODY: f32 = 14.0;
/// Text of headings.
pub const HEADING: f32 = 20.0;
/// Height of a table row.
pub const ROW: f32 = 22.0;
/// Width that a table's column keeps.
pub const LEAST_COLUMN: f32 = 40.0;
/// Width of a view below which it is laid out more closely.
pub const WIDE_VIEW: f32 = 720.0;
/// Height of what can be clicked.
pub const CONTROL: f32 = 26.0;
/// Width of the navigation.
pub const NAVIGATION: f32 = 112.0;
/// Width of the specimen panel: at first, at least, at most.
pub const SPECIMEN: [f32; 3] = [320.0, 260.0, 560.0];
/// Height of a chart.
pub const CHART: f32 = 150.0;
/// Height of a bar in a bar chart.
pub const BAR: f32 = 16.0;
/// Width of the column of names beside a bar chart or a property list.
pub const NAME_COLUMN: f32 = 120.0;
/// Width of the search box.
pub const SEARCH: f32 = 220.0;
/// Side of a cell of the confusion matrix: at most.
pub const CELL: f32 = 26.0;
/// Width of the text of a page that is read rather than worked in.
pub const READING: f32 = 640.0;
/// Width of a dialog.
pub const DIALOG: f32 = 560.0;
/// Smallest window, in points.
pub const MIN_WINDOW: [f32; 2] = [1024.0, 640.0];
/// First window, in points.
pub const FIRST_WINDOW: [f32; 2] = [1360.0, 860.0];

/// Colours of one shade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tokens {
    /// Behind views.
    pub background: Color32,
    /// Behind bars, navigation and panels.
    pub panel: Color32,
    /// Behind fields and plots.
    pub field: Color32,
    /// Behind every second table row.
    pub stripe: Color32,
    /// Behind controls that can be clicked, and when the pointer is over them or holds them.
    pub control: [Color32; 3],
    /// Hairlines.
    pub line: Color32,
    /// Ordinary text.
    pub text: Color32,
    /// Captions and notes.
    pub quiet: Color32,
    /// The one accent: links, the current view, marks on charts.
    pub accent: Color32,
    /// Behind what is selected.
    pub selected: Color32,
    /// Wrong: errors, disagreement. Never a taxon.
    pub wrong: Color32,
    /// Worth a look.
    pub warning: Color32,
    /// As it should be.
    pub right: Color32,
    /// Behind a banner.
    pub banner: Color32,
    /// Bars of charts, and the parts of them that are missing.
    pub bars: [Color32; 2],
    /// Points that are not meant: filtered out, and outside of what is lit.
    pub ghosts: [Color32; 2],
    /// Letters A, C, G, T and any other.
    pub bases: [Color32; 5],
    /// Behind letters A, C, G, T and any other.
    pub base_backgrounds: [Color32; 5],
    /// From nothing to much in the confusion matrix: correct cells.
    pub correct_ramp: [Color32; 2],
    /// From nothing to much in the confusion matrix: wrong cells.
    pub wrong_ramp: [Color32; 2],
}

const fn rgb(hex: u32) -> Color32 {
    Color32::from_rgb((hex >> 16) as u8, (hex >> 8) as u8, hex as u8)
}

/// By day.
pub const LIGHT: Tokens = Tokens {
    background: rgb(0xff_ff_ff),
    panel: rgb(0xf6_f7_f8),
    field: rgb(0xff_ff_ff),
    stripe: rgb(0xf8_f9_fa),
    control: [rgb(0xea_ed_ef), rgb(0xdf_e4_e8), rgb(0xd0_d8_de)],
    line: rgb(0xd5_da_df),
    text: rgb(0x1b_1f_24),
    quiet: rgb(0x57_60_6a),
    accent: rgb(0x0a_64_8c),
    selected: rgb(0xcf_e6_f2),
    wrong: rgb(0xb3_26_1e),
    warning: rgb(0x84_54_00),
    right: rgb(0x17_6c_43),
    banner: rgb(0xff_f4_dc),
    bars: [rgb(0x4b_8f_b3), rgb(0xe3_e7_ea)],
    ghosts: [rgb(0xe4_e7_ea), rgb(0xc9_cf_d4)],
    bases: [rgb(0x17_6c_3a), rgb(0x1f_57_a8), rgb(0x7f_54_00), rgb(0xb3_26_1e), rgb(0x57_60_6a)],
    base_backgrounds: [rgb(0xd8_f0_df), rgb(0xd9_e6_fa), rgb(0xfc_ec_c7), rgb(0xfb_dd_da), rgb(0xe9_ec_ee)],
    correct_ramp: [rgb(0xf1_f6_f9), rgb(0x0a_64_8c)],
    wrong_ramp: [rgb(0xfb_ee_ed), rgb(0xb3_26_1e)],
};

/// By night.
pub const DARK: Tokens = Tokens {
    background: rgb(0x15_18_1c),
    panel: rgb(0x1c_20_25),
    field: rgb(0x11_14_17),
    stripe: rgb(0x1a_1d_22),
    control: [rgb(0x2b_31_38), rgb(0x37_3f_48), rgb(0x45_4f_5a)],
    line: rgb(0x34_3b_43),
    text: rgb(0xe6_e9_ec),
    quiet: rgb(0xa3_ac_b5),
    accent: rgb(0x6c_be_e3),
    selected: rgb(0x1f_49_60),
    wrong: rgb(0xff_8f_84),
    warning: rgb(0xf0_b9_4d),
    right: rgb(0x74_d6_a4),
    banner: rgb(0x3a_2f_14),
    bars: [rgb(0x4f_9c_c2), rgb(0x2b_31_38)],
    ghosts: [rgb(0x25_2a_30), rgb(0x43_4b_54)],
    bases: [rgb(0x7f_dc_a0), rgb(0x8f_bb_ff), rgb(0xf0_c0_60), rgb(0xff_9d_94), rgb(0xa3_ac_b5)],
    base_backgrounds: [rgb(0x1d_3a_29), rgb(0x1e_30_4d), rgb(0x42_34_12), rgb(0x4a_22_20), rgb(0x2b_31_38)],
    correct_ramp: [rgb(0x1b_24_2b), rgb(0x6c_be_e3)],
    wrong_ramp: [rgb(0x2a_1d_1d), rgb(0xff_8f_84)],
};

/// The colours of the shade that `ui` is drawn in.
pub fn tokens(ui: &egui::Ui) -> &'static Tokens {
    of(ui.visuals().dark_mode)
}

/// The colours by night (`dark`) or by day.
pub fn of(dark: bool) -> &'static Tokens {
    if dark { &DARK } else { &LIGHT }
}

/// The colour of a base, and the one behind it.
pub fn base(tokens: &Tokens, letter: u8) -> (Color32, Color32) {
    let index = b"ACGT".iter().position(|&base| base == letter).unwrap_or(4);
    (tokens.bases[index], tokens.base_backgrounds[index])
}

/// A colour between two, `share` of the way.
pub fn blend(ramp: [Color32; 2], share: f32) -> Color32 {
    ramp[0].lerp_to_gamma(ramp[1], share.clamp(0.0, 1.0))
}

/// Black or white, whichever is read better on `behind`: on any colour one of them has a contrast above 4.5.
pub fn text_on(behind: Color32) -> Color32 {
    let darker = contrast(Color32::BLACK, behind) >= contrast(Color32::WHITE, behind);
    if darker { Color32::BLACK } else { Color32::WHITE }
}

/// Contrast of two colours, 1 to 21, as WCAG 2.1 defines it (success criterion 1.4.3).
pub fn contrast(a: Color32, b: Color32) -> f32 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

fn luminance(colour: Color32) -> f32 {
    let linear = |value: u8| {
        let value = f32::from(value) / 255.0;
        if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(colour.r()) + 0.7152 * linear(colour.g()) + 0.0722 * linear(colour.b())
}

/// Gives both shades their colours and sizes.
pub fn install(ctx: &egui::Context) {
    for (shade, tokens) in [(Shade::Light, &LIGHT), (Shade::Dark, &DARK)] {
        ctx.style_mut_of(shade, |style| {
            sizes(style);
            style.visuals = visuals(shade, tokens);
        });
    }
}

fn sizes(style: &mut Style) {
    let font = |size, family| FontId::new(size, family);
    style.text_styles = [
        (TextStyle::Small, font(SMALL, FontFamily::Proportional)),
        (TextStyle::Body, font(BODY, FontFamily::Proportional)),
        (TextStyle::Button, font(BODY, FontFamily::Proportional)),
        (TextStyle::Heading, font(HEADING, FontFamily::Proportional)),
        (TextStyle::Monospace, font(SMALL, FontFamily::Monospace)),
    ]
    .into();
    style.spacing.item_spacing = Vec2::splat(GAP);
    style.spacing.button_padding = Vec2::new(2.0 * GRID, GRID);
    style.spacing.interact_size = Vec2::new(CONTROL, CONTROL);
    style.spacing.menu_margin = Margin::same(BAR_MARGIN);
    style.spacing.window_margin = Margin::same(PANEL_MARGIN);
    style.spacing.scroll.floating = false;
    style.spacing.scroll.foreground_color = false;
    style.animation_time = 0.0;
}

fn visuals(shade: Shade, tokens: &Tokens) -> Visuals {
    let mut visuals = shade.default_visuals();
    let line = Stroke::new(HAIRLINE, tokens.line);
    let radius = CornerRadius::same(RADIUS);
    visuals.panel_fill = tokens.background;
    visuals.window_fill = tokens.panel;
    visuals.window_stroke = line;
    visuals.extreme_bg_color = tokens.field;
    visuals.text_edit_bg_color = Some(tokens.field);
    visuals.code_bg_color = tokens.control[0];
    visuals.faint_bg_color = tokens.stripe;
    visuals.hyperlink_color = tokens.accent;
    visuals.warn_fg_color = tokens.warning;
    visuals.error_fg_color = tokens.wrong;
    visuals.weak_text_color = Some(tokens.quiet);
    // A blinking cursor would draw the whole window twice a second.
    visuals.text_cursor.blink = false;
    visuals.selection.bg_fill = tokens.selected;
    visuals.selection.stroke = Stroke::new(HAIRLINE, tokens.text);
    let widgets = &mut visuals.widgets;
    for (widget, fill) in [
        (&mut widgets.noninteractive, tokens.panel),
        (&mut widgets.inactive, tokens.control[0]),
        (&mut widgets.hovered, tokens.control[1]),
        (&mut widgets.active, tokens.control[2]),
        (&mut widgets.open, tokens.control[1]),
    ] {
        widget.bg_fill = fill;
        widget.weak_bg_fill = fill;
        widget.bg_stroke = line;
        widget.fg_stroke = Stroke::new(HAIRLINE, tokens.text);
        widget.corner_radius = radius;
        widget.expansion = 0.0;
    }
    // Where the keyboard is must be seen.
    visuals.widgets.active.bg_stroke = Stroke::new(2.0 * HAIRLINE, tokens.accent);
    visuals
}

#[cfg(test)]
mod tests {
    use super::*;

    /// WCAG 2.1, success criterion 1.4.3, level AA.
    const READABLE: f32 = 4.5;

    #[test]
    fn text_is_readable_on_everything_that_is_behind_it() {
        for (name, tokens) in [("light", LIGHT), ("dark", DARK)] {
            let surfaces = [tokens.background, tokens.panel, tokens.field, tokens.stripe, tokens.banner];
            for (what, colour) in [
                ("text", tokens.text),
                ("quiet", tokens.quiet),
                ("accent", tokens.accent),
                ("wrong", tokens.wrong),
                ("warning", tokens.warning),
                ("right", tokens.right),
            ] {
                for behind in surfaces {
                    let contrast = contrast(colour, behind);
                    assert!(contrast >= READABLE, "{name}: {what} on {behind:?} has only {contrast:.2}");
                }
            }
            for behind in tokens.control.into_iter().chain([tokens.selected]) {
                assert!(contrast(tokens.text, behind) >= READABLE, "{name}: text on {behind:?}");
            }
            for (base, behind) in tokens.bases.into_iter().zip(tokens.base_backgrounds) {
                assert!(contrast(base, behind) >= READABLE, "{name}: a base on {behind:?}: {}", contrast(base, behind));
            }
            for ramp in [tokens.correct_ramp, tokens.wrong_ramp] {
                for step in 0..=10 {
                    let behind = blend(ramp, step as f32 / 10.0);
                    let seen = contrast(text_on(behind), behind);
                    assert!(seen >= READABLE, "{name}: a number on {behind:?} has only {seen:.2}");
                }
            }
        }
    }

    #[test]
    fn contrast_is_that_of_wcag() {
        assert!((contrast(Color32::BLACK, Color32::WHITE) - 21.0).abs() < 1e-3);
        assert!((contrast(Color32::from_gray(0x77), Color32::WHITE) - 4.478).abs() < 1e-2);
        assert_eq!(contrast(Color32::RED, Color32::RED), 1.0);
    }
}
