//! Real time, the one thing that kdp itself never reads.

#![expect(
    clippy::disallowed_types,
    reason = "a stopwatch measures real time; nothing else here depends on it"
)]

use std::hint::black_box;
use std::time::Instant;

/// A job's name, and what one of its steps took in one round.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    /// What was done.
    pub(crate) job: &'static str,
    /// Nanoseconds a step.
    pub(crate) ns: f64,
}

/// Times `steps` steps that `work` does, and keeps the compiler from leaving its result out.
#[expect(clippy::cast_precision_loss, reason = "steps and nanoseconds are far below 2^52")]
pub(crate) fn time<R>(job: &'static str, steps: usize, work: impl FnOnce() -> R) -> Figure {
    let began = Instant::now();
    black_box(work());
    Figure { job, ns: began.elapsed().as_nanos() as f64 / steps as f64 }
}

/// The median of one job's rounds.
pub(crate) fn median_ns(figures: &[Figure]) -> f64 {
    let mut ns: Vec<f64> = figures.iter().map(|figure| figure.ns).collect();
    ns.sort_by(f64::total_cmp);
    ns[ns.len() / 2]
}
