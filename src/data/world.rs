//! Coast lines for plain offline maps: Natural Earth 1:110m land, as npm's `world-atlas` 2.0.2 ships it; public domain.

use std::sync::OnceLock;

const LINES: &str = include_str!("../../assets/world-110m.txt");

/// The coast lines, each from point to point as `[longitude, latitude]` in degrees.
pub fn coast_lines() -> &'static [Vec<[f32; 2]>] {
    static PARSED: OnceLock<Vec<Vec<[f32; 2]>>> = OnceLock::new();
    PARSED.get_or_init(|| LINES.lines().filter(|line| !line.starts_with('#')).map(points).collect())
}

fn points(line: &str) -> Vec<[f32; 2]> {
    let point = |pair: &str| {
        let (longitude, latitude) = pair.split_once(',')?;
        Some([longitude.parse().ok()?, latitude.parse().ok()?])
    };
    line.split(' ').filter_map(point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_of_the_file_is_on_earth() {
        let lines = coast_lines();
        let pairs: usize =
            LINES.lines().filter(|line| !line.starts_with('#')).map(|line| line.split(' ').count()).sum();
        assert_eq!(lines.iter().map(Vec::len).sum::<usize>(), pairs, "nothing in the file is passed over");
        assert!(lines.len() > 100 && lines.iter().all(|line| line.len() > 1));
        assert!(lines.iter().flatten().all(|[longitude, latitude]| longitude.abs() <= 180.1 && latitude.abs() <= 90.0));
    }
}
