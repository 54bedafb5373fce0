//! The travel of points from one projection to the next.

use rayon::prelude::*;
use std::sync::Arc;

/// Points on their way from old places.
#[derive(Debug, Clone)]
pub(super) struct Motion {
    from: Arc<Vec<[f32; 2]>>,
    /// Time of the window at the start, in seconds.
    started: f64,
    secs: f32,
}

impl Motion {
    pub(super) fn new(from: Arc<Vec<[f32; 2]>>, started: f64, secs: f32) -> Self {
        Self { from, started, secs }
    }

    /// How far the points are at time `now`: 0 to 1.
    pub(super) fn share(&self, now: f64) -> f32 {
        if self.secs > 0.0 { ((now - self.started) as f32 / self.secs).clamp(0.0, 1.0) } else { 1.0 }
    }

    /// Where the points are on their way to `to`, `[N]`. A point without an old place is at its new one at once.
    pub(super) fn positions(&self, to: &[[f32; 2]], now: f64) -> Vec<[f32; 2]> {
        let share = self.share(now);
        let eased = share * share * (3.0 - 2.0 * share);
        let between = |from: f32, to: f32| {
            let place = from + (to - from) * eased;
            if place.is_finite() { place } else { to }
        };
        let pairs = self.from.par_iter().zip(to);
        pairs.map(|(from, to)| [between(from[0], to[0]), between(from[1], to[1])]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_travel_from_their_old_to_their_new_places() {
        let motion = Motion::new(Arc::new(vec![[0.0, 0.0], [f32::NAN, 1.0]]), 10.0, 0.4);
        let to = [[2.0, -4.0], [5.0, 5.0]];
        assert_eq!(motion.positions(&to, 10.0)[0], [0.0, 0.0]);
        assert_eq!(motion.positions(&to, 10.2)[0], [1.0, -2.0]);
        assert_eq!(motion.positions(&to, 11.0), to);
        assert_eq!(motion.positions(&to, 10.1)[1][0], 5.0);
        assert_eq!(Motion::new(Arc::new(vec![[0.0; 2]]), 0.0, 0.0).share(0.0), 1.0);
    }
}
