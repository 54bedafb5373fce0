//! Numbers, times and files as people read them.

use std::path::Path;

/// Between groups of three digits.
const THIN_SPACE: char = '\u{2009}';

/// A whole number with a thin space between groups of three digits: `12 000`.
pub fn count(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(THIN_SPACE);
        }
        text.push(digit);
    }
    text
}

/// A count with its noun: `1 specimen`, `12 000 specimens`.
pub fn counted(number: usize, singular: &str, plural: &str) -> String {
    format!("{} {}", count(number), if number == 1 { singular } else { plural })
}

/// A share as a percentage, with one decimal: `99.4 %`. Only all is 100 %, and only nothing is 0 %.
pub fn percent(share: f64) -> String {
    let text = format!("{:.1}", share * 100.0);
    match text.as_str() {
        "100.0" if share < 1.0 => "99.9 %".to_owned(),
        "0.0" if share > 0.0 => "0.1 %".to_owned(),
        _ => format!("{} %", text.strip_suffix(".0").filter(|_| share == 0.0 || share == 1.0).unwrap_or(&text)),
    }
}

/// A 95 % interval of a share: `72.1 to 77.3 %`.
pub fn interval(ends: [f64; 2]) -> String {
    format!("{:.1} to {:.1} %", ends[0] * 100.0, ends[1] * 100.0)
}

/// How long something takes: `41 s`, `3 min`, `1 h 5 min`.
pub fn duration(seconds: f32) -> String {
    let seconds = seconds.max(0.0).ceil() as u64;
    match seconds {
        0..=90 => format!("{seconds} s"),
        91..=5400 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// How large something is on disk or in memory: `640 kB`, `17.6 MB`, `1.2 GB`.
pub fn bytes(number: u64) -> String {
    let of = |unit: f64| number as f64 / unit;
    match number {
        0..1_000_000 => format!("{:.0} kB", of(1e3)),
        1_000_000..100_000_000 => format!("{:.1} MB", of(1e6)),
        100_000_000..1_000_000_000 => format!("{:.0} MB", of(1e6)),
        _ => format!("{:.1} GB", of(1e9)),
    }
}

/// A file with its folder, where there is one: `run-1/best.safetensors`.
pub fn file_in_folder(path: &Path) -> String {
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let names = [path.parent().and_then(name), name(path)];
    names.into_iter().flatten().collect::<Vec<_>>().join("/")
}

/// A sentence begins with a capital letter.
pub fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_separated() {
        let spaced = |number| count(number).replace(THIN_SPACE, "_");
        assert_eq!(
            [0, 12, 999, 1000, 12_345, 1_234_567].map(spaced),
            ["0", "12", "999", "1_000", "12_345", "1_234_567"]
        );
        assert_eq!(
            (counted(1, "specimen", "specimens"), counted(2, "fly", "flies")),
            ("1 specimen".into(), "2 flies".into())
        );
    }

    #[test]
    fn almost_all_is_not_all() {
        assert_eq!(
            [0.0, 1.0, 0.994, 0.99999, 0.00001, 0.5].map(percent),
            ["0 %", "100 %", "99.4 %", "99.9 %", "0.1 %", "50.0 %"]
        );
        assert_eq!(interval([0.721, 0.7734]), "72.1 to 77.3 %");
    }

    #[test]
    fn a_file_is_named_with_its_folder_alone() {
        let of = |path: &str| file_in_folder(Path::new(path));
        assert_eq!(
            [of("models/run-1/best.safetensors"), of("best.safetensors"), of("")],
            ["run-1/best.safetensors", "best.safetensors", ""]
        );
    }

    #[test]
    fn sizes_have_the_unit_that_suits_them() {
        assert_eq!(
            [999, 640_300, 17_640_000, 640_000_000, 1_234_000_000].map(bytes),
            ["1 kB", "640 kB", "17.6 MB", "640 MB", "1.2 GB"]
        );
    }

    #[test]
    fn times_have_no_more_digits_than_they_need() {
        assert_eq!(
            [0.2, 41.0, 90.0, 91.0, 600.0, 3900.0, 7500.0].map(duration),
            ["1 s", "41 s", "90 s", "2 min", "10 min", "65 min", "2 h 5 min"]
        );
    }
}
