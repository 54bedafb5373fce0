//! One point of a curve from the numbers of all mask draws.

use super::MaskingRow;
use crate::data::masking::MaskMode;
use crate::model::Objective;

/// The mean over the mask draws.
#[derive(Debug, Clone, PartialEq)]
pub struct MaskingPoint {
    /// Name of the model.
    pub model: String,
    /// What the model was trained to do; `None` for what was not trained.
    pub objective: Option<Objective>,
    /// The way of reading.
    pub mode: MaskMode,
    /// Share of the maskable tokens that were masked.
    pub ratio: f64,
    /// The task.
    pub task: &'static str,
    /// What was measured.
    pub metric: &'static str,
    /// Mean of the values.
    pub mean: f64,
    /// Smallest and largest value of a draw.
    pub range: [f64; 2],
    /// Means of the ends of the 95 % intervals, where there are intervals.
    pub ci95: Option<[f64; 2]>,
    /// Number of queries.
    pub n: usize,
    /// Number of draws.
    pub draws: usize,
}

/// One point for each model, mode, ratio, task and metric, in the order in which they first appear.
pub fn summary(rows: &[MaskingRow]) -> Vec<MaskingPoint> {
    let mut points: Vec<(MaskingPoint, Vec<&MaskingRow>)> = Vec::new();
    for row in rows {
        let fits = |(point, _): &&mut (MaskingPoint, Vec<&MaskingRow>)| {
            (&point.model, point.mode, point.ratio) == (&row.model, row.mode, row.ratio)
                && (point.task, point.metric) == (row.task, row.metric)
        };
        match points.iter_mut().find(fits) {
            Some((_, draws)) => draws.push(row),
            None => points.push((point_of(row), vec![row])),
        }
    }
    points.into_iter().map(|(point, draws)| with_draws(point, &draws)).collect()
}

fn point_of(row: &MaskingRow) -> MaskingPoint {
    MaskingPoint {
        model: row.model.clone(),
        objective: row.objective,
        mode: row.mode,
        ratio: row.ratio,
        task: row.task,
        metric: row.metric,
        mean: row.value,
        range: [row.value; 2],
        ci95: row.ci95,
        n: row.n,
        draws: 1,
    }
}

fn with_draws(point: MaskingPoint, draws: &[&MaskingRow]) -> MaskingPoint {
    let mean =
        |value: &dyn Fn(&MaskingRow) -> f64| draws.iter().map(|row| value(row)).sum::<f64>() / draws.len() as f64;
    let ends: Option<Vec<[f64; 2]>> = draws.iter().map(|row| row.ci95).collect();
    let end = |ends: &[[f64; 2]], which: usize| ends.iter().map(|ends| ends[which]).sum::<f64>() / ends.len() as f64;
    MaskingPoint {
        mean: mean(&|row| row.value),
        range: draws.iter().fold([f64::MAX, f64::MIN], |[low, high], row| [low.min(row.value), high.max(row.value)]),
        ci95: ends.map(|ends| [end(&ends, 0), end(&ends, 1)]),
        draws: draws.len(),
        ..point
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(ratio: f64, seed: u64, value: f64, ci95: Option<[f64; 2]>) -> MaskingRow {
        MaskingRow {
            model: "a".into(),
            objective: Some(Objective::Mae),
            mode: MaskMode::Drop,
            ratio,
            seed,
            task: "open_world",
            metric: "accuracy",
            value,
            ci95,
            n: 9,
        }
    }

    #[test]
    fn draws_become_one_point_with_mean_range_and_mean_interval() {
        let rows =
            [row(0.5, 1, 0.25, Some([0.125, 0.5])), row(0.25, 1, 0.75, None), row(0.5, 2, 0.75, Some([0.375, 1.0]))];
        let points = summary(&rows);
        assert_eq!(points.iter().map(|point| (point.ratio, point.draws)).collect::<Vec<_>>(), [(0.5, 2), (0.25, 1)]);
        assert_eq!((points[0].mean, points[0].range, points[0].ci95), (0.5, [0.25, 0.75], Some([0.25, 0.75])));
        assert_eq!((points[1].mean, points[1].ci95), (0.75, None));
        assert!(summary(&[]).is_empty());
    }
}
