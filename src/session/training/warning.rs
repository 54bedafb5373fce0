//! What somebody should know about the course of a run.

use crate::pipeline::train::GenusAccuracy;
use crate::train::{Report, Validation};

/// Reports whose mean is taken, so that one odd batch is no warning.
const RECENT: usize = 3;
/// A loss that is so many times the lowest one is on its way up.
const DIVERGING: f64 = 1.5;
/// Validations without improvement after which somebody should look.
const STALLED: usize = 5;
/// A loss on barcodes that are set aside rises when it is so many times the best one.
const RISING: f64 = 1.01;
/// Reports of a run without validations that are compared with as many before them.
const LONG: usize = 20;

/// A course that somebody should look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Warning {
    /// The loss rises far above its lowest.
    Diverging,
    /// The loss on barcodes that are set aside rises while that on the others falls.
    LearnsByHeart,
    /// The loss has not fallen for long.
    NoImprovement,
    /// Fewer specimens of the sample find their genus nearest than with random weights, by more than the intervals.
    WorseThanUntrained,
}

impl Warning {
    /// The warnings that a course gives, from its reports and validations, the earliest first, the best validation, and how many of
    /// the sample found their genus nearest, by steps, the untrained model first.
    pub(super) fn of(
        reports: &[Report],
        validations: &[Validation],
        best: Option<Validation>,
        genus: &[(u64, GenusAccuracy)],
    ) -> Vec<Self> {
        let is_diverging = is_diverging(reports).then_some(Self::Diverging);
        let is_stalled = match best {
            Some(best) => stalled(reports, validations, best),
            None => has_not_fallen(reports).then_some(Self::NoImprovement),
        };
        let is_worse = is_worse_than_untrained(genus).then_some(Self::WorseThanUntrained);
        is_diverging.into_iter().chain(is_stalled).chain(is_worse).collect()
    }

    /// What is wrong, and what may help.
    pub fn text(self) -> &'static str {
        match self {
            Self::Diverging => "The loss is rising: the learning rate may be too high.",
            Self::LearnsByHeart => {
                "The loss on barcodes set aside rises while that on the others falls: the model learns them by heart. Its best \
                 state is kept; more barcodes, a smaller model or dropout help."
            }
            Self::NoImprovement => "No improvement for some time: the model may have learned what it can.",
            Self::WorseThanUntrained => {
                "Fewer specimens find their genus nearest than with random weights. Guessing hidden k-mers alone often does that, above \
                 all at first: train longer, on more barcodes, or with a contrast (see \"Two views of a barcode\")."
            }
        }
    }
}

fn is_diverging(reports: &[Report]) -> bool {
    let lowest = reports.iter().map(|report| report.loss).fold(f64::INFINITY, f64::min);
    let recent = mean(last(reports, RECENT).iter().map(|report| report.loss));
    recent.is_some_and(|recent| recent.is_nan() || recent > DIVERGING * lowest)
}

fn is_worse_than_untrained(genus: &[(u64, GenusAccuracy)]) -> bool {
    let [(_, untrained), .., (_, now)] = genus else { return false };
    now.ci95[1] < untrained.ci95[0]
}

/// What it means that validation has not improved for long.
fn stalled(reports: &[Report], validations: &[Validation], best: Validation) -> Option<Warning> {
    let since_best = validations.len() - validations.iter().take_while(|known| known.step <= best.step).count();
    if since_best < STALLED {
        return None;
    }
    let set_aside = mean(last(validations, STALLED).iter().map(|known| known.loss));
    let until_best = reports.iter().take_while(|report| report.step <= best.step).count();
    let then = mean(last(&reports[..until_best], RECENT).iter().map(|report| report.loss));
    let now = mean(last(reports, RECENT).iter().map(|report| report.loss));
    let rises = set_aside.is_some_and(|loss| loss > RISING * best.loss);
    let falls = then.zip(now).is_some_and(|(then, now)| now < then);
    Some(if rises && falls { Warning::LearnsByHeart } else { Warning::NoImprovement })
}

fn has_not_fallen(reports: &[Report]) -> bool {
    let loss = |reports: &[Report]| mean(reports.iter().map(|report| report.loss));
    let Some(earlier) = reports.len().checked_sub(2 * LONG) else { return false };
    let (before, now) = reports[earlier..].split_at(LONG);
    loss(before).zip(loss(now)).is_some_and(|(before, now)| now >= before)
}

fn last<T>(items: &[T], count: usize) -> &[T] {
    &items[items.len().saturating_sub(count)..]
}

/// The mean; `None` of nothing.
fn mean(values: impl ExactSizeIterator<Item = f64>) -> Option<f64> {
    let count = values.len();
    (count > 0).then(|| values.sum::<f64>() / count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reports(losses: &[f64]) -> Vec<Report> {
        let report = |(index, &loss): (usize, &f64)| Report {
            step: 10 * (index as u64 + 1),
            epoch: 0.0,
            loss,
            accuracy: 0.0,
            contrast_loss: None,
            partners_found: None,
            learning_rate: 0.0,
            gradient_norm: 0.0,
            sequences_per_second: 0.0,
            encoder_tokens_per_second: 0.0,
            decoder_tokens_per_second: 0.0,
            seconds: 0.0,
        };
        losses.iter().enumerate().map(report).collect()
    }

    /// Warnings of losses, with a validation after each report.
    fn warnings(losses: &[f64], set_aside: &[f64]) -> Vec<Warning> {
        let validation =
            |(index, &loss): (usize, &f64)| Validation { step: 10 * (index as u64 + 1), loss, accuracy: 0.0 };
        let validations: Vec<Validation> = set_aside.iter().enumerate().map(validation).collect();
        let best = validations.iter().copied().min_by(|a, b| a.loss.total_cmp(&b.loss));
        Warning::of(&reports(losses), &validations, best, &[])
    }

    #[test]
    fn a_run_that_learns_is_not_warned_of() {
        assert!(warnings(&[], &[]).is_empty());
        let falling: Vec<f64> = (0..100).map(|step| 8.0 - 0.05 * step as f64).collect();
        assert!(warnings(&falling, &falling).is_empty());
        assert!(warnings(&falling, &[]).is_empty());
        assert!(warnings(&[8.0, 6.0, 4.0, 4.1, 4.0, 7.0], &[]).is_empty(), "one odd batch");
    }

    #[test]
    fn a_loss_that_rises_or_is_no_number_is_warned_of() {
        assert_eq!(warnings(&[8.0, 4.0, 6.0, 7.0, 7.0], &[]), [Warning::Diverging]);
        assert_eq!(warnings(&[8.0, 4.0, f64::NAN], &[]), [Warning::Diverging]);
    }

    #[test]
    fn a_loss_that_rises_on_barcodes_set_aside_alone_is_learning_by_heart() {
        let falling = [8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0];
        assert_eq!(warnings(&falling, &[8.0, 7.0, 7.2, 7.3, 7.4, 7.5, 7.6]), [Warning::LearnsByHeart]);
        assert!(warnings(&falling[..6], &[8.0, 7.0, 7.2, 7.3, 7.4, 7.5]).is_empty(), "four validations are no trend");
        let still = [8.0, 7.0, 7.0, 7.0, 7.0, 7.0, 7.0];
        assert_eq!(warnings(&falling, &still), [Warning::NoImprovement], "it does not rise");
    }

    #[test]
    fn a_loss_that_stays_is_no_improvement() {
        let still = [8.0, 7.0, 7.1, 7.0, 7.1, 7.0, 7.1];
        assert_eq!(warnings(&still, &still), [Warning::NoImprovement]);
        let stays = [5.0; 2 * LONG];
        assert_eq!(warnings(&stays, &[]), [Warning::NoImprovement], "without validations, by its own course");
        assert!(warnings(&stays[1..], &[]).is_empty());
    }

    #[test]
    fn a_model_that_knows_less_than_an_untrained_one_is_warned_of() {
        let of = |shares: &[f64]| {
            let reading = |(index, &accuracy): (usize, &f64)| {
                (index as u64, GenusAccuracy { accuracy, ci95: [accuracy - 0.05, accuracy + 0.05], n: 100 })
            };
            Warning::of(&[], &[], None, &shares.iter().enumerate().map(reading).collect::<Vec<_>>())
        };
        assert_eq!(of(&[0.8, 0.6]), [Warning::WorseThanUntrained]);
        assert_eq!(of(&[0.8, 0.9, 0.6]), [Warning::WorseThanUntrained]);
        assert!(of(&[0.8, 0.6, 0.75]).is_empty(), "the intervals meet again");
        assert!(of(&[0.2]).is_empty() && of(&[]).is_empty(), "nothing to compare with");
    }
}
