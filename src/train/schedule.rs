//! Learning rate and first momentum over a run.

use serde::{Deserialize, Serialize};
use std::f64::consts::PI;
use std::fmt;
use std::str::FromStr;

/// How the learning rate goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScheduleKind {
    /// Up in the first 30 % of the run from a 25th of the peak, then down to a 250 000th, by cosines; the first momentum of AdamW
    /// goes the other way, 0.95 to 0.85 and back (Smith and Topin 2019, with PyTorch's defaults). As published.
    #[default]
    OneCycle,
    /// Straight up in the first 5 % of the run, then down to 0 by a cosine; the first momentum stays at 0.9.
    WarmupCosine,
}

impl fmt::Display for ScheduleKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OneCycle => "one-cycle",
            Self::WarmupCosine => "warmup-cosine",
        })
    }
}

impl FromStr for ScheduleKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "one-cycle" => Ok(Self::OneCycle),
            "warmup-cosine" => Ok(Self::WarmupCosine),
            _ => Err(format!("'{text}' is no schedule; known are one-cycle, warmup-cosine")),
        }
    }
}

/// What the optimizer is told for one step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rates {
    /// Learning rate.
    pub learning_rate: f64,
    /// Decay of AdamW's first moment.
    pub beta1: f64,
}

/// Rates over a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Schedule {
    pub(crate) kind: ScheduleKind,
    /// Largest learning rate.
    pub(crate) peak: f64,
}

impl Schedule {
    /// Rates at `step`, from 0, of a run of `total` steps. Both may be parts of a step: a run that is measured in minutes counts
    /// its share of them.
    pub(crate) fn at(&self, step: f64, total: f64) -> Rates {
        match self.kind {
            ScheduleKind::OneCycle => self.one_cycle(step, total),
            ScheduleKind::WarmupCosine => self.warmup_cosine(step, total),
        }
    }

    fn one_cycle(&self, step: f64, total: f64) -> Rates {
        const RISE: f64 = 0.3;
        const START_DIVISOR: f64 = 25.0;
        const END_DIVISOR: f64 = 1e4;
        const BETAS: (f64, f64) = (0.95, 0.85);
        let top = RISE * total - 1.0;
        let last = total - 1.0;
        let first = self.peak / START_DIVISOR;
        if step <= top {
            let at = if top > 0.0 { step / top } else { 1.0 };
            Rates { learning_rate: cosine(first, self.peak, at), beta1: cosine(BETAS.0, BETAS.1, at) }
        } else {
            let at = if last > top { ((step - top) / (last - top)).min(1.0) } else { 1.0 };
            Rates { learning_rate: cosine(self.peak, first / END_DIVISOR, at), beta1: cosine(BETAS.1, BETAS.0, at) }
        }
    }

    fn warmup_cosine(&self, step: f64, total: f64) -> Rates {
        const RISE: f64 = 0.05;
        const BETA1: f64 = 0.9;
        let top = (RISE * total).max(1.0);
        let learning_rate = if step < top {
            self.peak * (step + 1.0).min(top) / top
        } else {
            cosine(self.peak, 0.0, ((step - top) / (total - top).max(1.0)).min(1.0))
        };
        Rates { learning_rate, beta1: BETA1 }
    }
}

/// From `start` to `end` along half a cosine.
fn cosine(start: f64, end: f64, at: f64) -> f64 {
    end + (start - end) / 2.0 * (1.0 + (PI * at).cos())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(kind: ScheduleKind, total: usize) -> Vec<Rates> {
        let schedule = Schedule { kind, peak: 1e-3 };
        (0..total).map(|step| schedule.at(step as f64, total as f64)).collect()
    }

    #[test]
    fn schedules_rise_to_the_peak_and_fall_to_their_end() {
        for (kind, start, end) in [(ScheduleKind::OneCycle, 4e-5, 4e-9), (ScheduleKind::WarmupCosine, 2e-4, 0.0)] {
            let rates = rates(kind, 100);
            let largest = rates.iter().map(|rates| rates.learning_rate).fold(0.0, f64::max);
            assert!((rates[0].learning_rate - start).abs() < 1e-12, "{kind}: {:?}", rates[0]);
            assert!((largest - 1e-3).abs() < 1e-12, "{kind}: {largest}");
            assert!((rates[99].learning_rate - end).abs() < 1e-6, "{kind}: {:?}", rates[99]);
        }
        let one_cycle = rates(ScheduleKind::OneCycle, 100);
        assert_eq!((one_cycle[0].beta1, one_cycle[29].beta1), (0.95, 0.85));
        assert!((one_cycle[99].beta1 - 0.95).abs() < 1e-12);
    }

    #[test]
    fn the_shortest_runs_have_rates_too() {
        for kind in [ScheduleKind::OneCycle, ScheduleKind::WarmupCosine] {
            for total in 1..8 {
                assert!(
                    rates(kind, total).iter().all(|rates| rates.learning_rate.is_finite() && rates.beta1.is_finite())
                );
            }
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
    }
}
