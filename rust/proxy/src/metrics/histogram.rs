//! Counts by upper bound.

use std::fmt::Write as _;
use std::time::Duration;

/// A histogram as Prometheus has them: cumulative, with a last bucket for everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    bounds: Vec<Duration>,
    counts: Vec<u64>,
    count: u64,
    sum: Duration,
}

impl Histogram {
    fn new(bounds: Vec<Duration>) -> Histogram {
        Histogram { counts: vec![0; bounds.len()], bounds, count: 0, sum: Duration::ZERO }
    }

    /// Bounds that double. Source: kube-proxy, `metrics.ExponentialBuckets(0.001, 2, 15)`.
    pub fn doubling(first: Duration, len: u32) -> Histogram {
        Histogram::new((0..len).map(|i| first * (1 << i)).collect())
    }

    /// The bounds of `network_programming_duration_seconds`.
    /// Source: kube-proxy, pkg/proxy/metrics/metrics.go: 0.25, 0.5, 1 to 59, 60 to 115 by 5, 120 to 300 by 30.
    pub fn programming() -> Histogram {
        let seconds = (1..60).chain((60..120).step_by(5)).chain((120..=300).step_by(30));
        let fractions = [250, 500].into_iter().map(Duration::from_millis);
        Histogram::new(fractions.chain(seconds.map(Duration::from_secs)).collect())
    }

    /// Counts one.
    pub fn observe(&mut self, value: Duration) {
        self.count += 1;
        self.sum += value;
        let from = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get_mut(from) {
            *count += 1;
        }
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Counts what another one with the same bounds has counted too.
    pub(super) fn add(&mut self, other: &Histogram) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(own, count)| *own += count);
        self.count += other.count;
        self.sum += other.sum;
    }

    /// Writes its lines; `labels` without braces, may be empty.
    pub(super) fn print(&self, name: &str, labels: &str, text: &mut String) {
        let comma = if labels.is_empty() { "" } else { "," };
        let mut sum = 0;
        for (bound, count) in self.bounds.iter().zip(&self.counts) {
            sum += count;
            let _ = writeln!(text, "{name}_bucket{{{labels}{comma}le=\"{}\"}} {sum}", bound.as_secs_f64());
        }
        let _ = writeln!(text, "{name}_bucket{{{labels}{comma}le=\"+Inf\"}} {}", self.count);
        let braced = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        let _ = writeln!(text, "{name}_sum{braced} {}", self.sum.as_secs_f64());
        let _ = writeln!(text, "{name}_count{braced} {}", self.count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_cumulative_and_bounds_are_within() {
        let mut histogram = Histogram::doubling(Duration::from_millis(1), 3);
        for millis in [0, 1, 2, 3, 9] {
            histogram.observe(Duration::from_millis(millis));
        }
        let mut text = String::new();
        histogram.print("x", "a=\"b\"", &mut text);
        let expected = "x_bucket{a=\"b\",le=\"0.001\"} 2\nx_bucket{a=\"b\",le=\"0.002\"} 3\nx_bucket{a=\"b\",le=\"0.004\"} 4\n\
            x_bucket{a=\"b\",le=\"+Inf\"} 5\nx_sum{a=\"b\"} 0.015\nx_count{a=\"b\"} 5\n";
        assert_eq!(text, expected);
        assert_eq!(Histogram::programming().bounds.len(), 2 + 59 + 12 + 7);
    }
}
