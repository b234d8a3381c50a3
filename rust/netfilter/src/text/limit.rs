//! `-m limit`, `-m quota` and `-m rpfilter`.

use super::Problem;
use super::arguments::{Arguments, Opt};
use super::matches::{Module, missing, once, positive};
use super::values::number;
use crate::{Limit, Match, ReversePath, Test};

/// Periods by their names. Source: iptables 1.8.9, `rates` in extensions/libxt_limit.c.
const PERIODS: [(&str, u32); 4] = [("second", 1), ("minute", 60), ("hour", 3_600), ("day", 86_400)];
/// Packets that pass at once, unless `--limit-burst` says otherwise.
const BURST: u32 = 5;
/// Parts of a second in which the kernel counts.
const SCALE: u32 = 10_000;

/// `-m limit`.
#[derive(Default)]
pub(super) struct Limits {
    rate: Option<(u32, u32)>,
    burst: Option<u32>,
}

impl Module for Limits {
    fn take(&mut self, option: &Opt<'_>, arguments: &mut Arguments<'_>) -> Result<bool, Problem> {
        match option.name {
            "--limit" => {
                option.plain()?;
                let rate = rate(arguments.value(option.name)?)?;
                once(&mut self.rate, option, rate)
            }
            "--limit-burst" => {
                option.plain()?;
                let burst = positive(option, arguments)?;
                once(&mut self.burst, option, burst)
            }
            _ => Ok(false),
        }
    }

    /// Without `--limit` it is three in an hour.
    fn finish(self: Box<Self>) -> Result<Match, Problem> {
        let (rate, period) = self.rate.unwrap_or((3, 3_600));
        Ok(Match::Limit(Limit { rate, period, burst: self.burst.unwrap_or(BURST) }))
    }
}

/// `RATE[/PERIOD]`, where a period's name may be cut short.
fn rate(text: &str) -> Result<(u32, u32), Problem> {
    let bad = || Problem::syntax(format!("--limit: {text:?} is not RATE/second, /minute, /hour or /day"));
    let (rate, period) = text.split_once('/').unwrap_or((text, "second"));
    let named = PERIODS.iter().find(|(name, _)| !period.is_empty() && name.starts_with(period));
    let (rate, (_, period)) =
        (number(rate).filter(|rate| *rate > 0).ok_or_else(bad)?, named.ok_or_else(bad)?);
    if u64::from(rate) > u64::from(*period) * u64::from(SCALE) {
        return Err(Problem::syntax(format!("--limit: {text} is too fast; at most {SCALE}/second")));
    }
    Ok((rate, *period))
}

/// The rate as it is printed: in the longest period that shows it.
/// Source: iptables 1.8.9, `print_rate` in extensions/libxt_limit.c.
fn print_rate(limit: Limit) -> String {
    let names = [("day", 86_400u32), ("hour", 3_600), ("min", 60), ("sec", 1)];
    let average = SCALE * limit.period / limit.rate;
    let units = |period: u32| period * SCALE;
    let shows = |(_, period): &(&str, u32)| {
        average <= units(*period) && units(*period) / average >= units(*period) % average
    };
    let known = names.iter().skip(1).take_while(|name| shows(name)).count();
    let (name, period) = names[known];
    format!("{}/{name}", units(period) / average)
}

/// `-m limit` as iptables-save prints it.
pub(super) fn print_limit(limit: Limit) -> String {
    let burst = if limit.burst == BURST { String::new() } else { format!(" --limit-burst {}", limit.burst) };
    format!(" -m limit --limit {}{burst}", print_rate(limit))
}

/// `-m limit` as `iptables -L` lists it.
pub(super) fn list_limit(limit: Limit) -> String {
    format!(" limit: avg {} burst {}", print_rate(limit), limit.burst)
}

/// `-m quota`.
#[derive(Default)]
pub(super) struct Quotas(Option<Test<u64>>);

impl Module for Quotas {
    fn take(&mut self, option: &Opt<'_>, arguments: &mut Arguments<'_>) -> Result<bool, Problem> {
        if option.name != "--quota" {
            return Ok(false);
        }
        let text = arguments.value(option.name)?;
        let value = text
            .parse()
            .map_err(|_| Problem::syntax(format!("--quota: {text:?} is not a number of bytes below 2^64")))?;
        once(&mut self.0, option, Test { invert: option.invert, value })
    }

    fn finish(self: Box<Self>) -> Result<Match, Problem> {
        self.0.map(Match::Quota).ok_or_else(|| missing("quota", "--quota"))
    }
}

/// `-m rpfilter`.
#[derive(Default)]
pub(super) struct ReversePaths(ReversePath);

impl Module for ReversePaths {
    fn take(&mut self, option: &Opt<'_>, _: &mut Arguments<'_>) -> Result<bool, Problem> {
        let flag = match option.name {
            "--loose" => &mut self.0.loose,
            "--validmark" => &mut self.0.validmark,
            "--accept-local" => &mut self.0.accept_local,
            "--invert" => &mut self.0.invert,
            _ => return Ok(false),
        };
        option.plain()?;
        *flag = true;
        Ok(true)
    }

    fn finish(self: Box<Self>) -> Result<Match, Problem> {
        Ok(Match::ReversePath(self.0))
    }
}

/// The options of `-m rpfilter`, each with `dashes` before it.
pub(super) fn print_reverse_path(dashes: &str, test: ReversePath) -> String {
    let flags = [
        (test.loose, "loose"),
        (test.validmark, "validmark"),
        (test.accept_local, "accept-local"),
        (test.invert, "invert"),
    ];
    let set = flags.iter().filter(|(is, _)| *is).map(|(_, name)| format!(" {dashes}{name}"));
    set.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_printed_in_the_longest_period_that_shows_them() {
        let print = |text: &str| {
            let (rate, period) = rate(text).unwrap();
            print_rate(Limit { rate, period, burst: 5 })
        };
        let read = ["1/day", "24/day", "60/hour", "60/min", "7/min", "100/sec", "3/h", "5", "2/d"].map(print);
        assert_eq!(
            read,
            ["1/day", "1/hour", "1/min", "1/sec", "7/min", "100/sec", "3/hour", "5/sec", "2/day"]
        );
        assert!(rate("0/sec").is_err() && rate("1/week").is_err() && rate("10001/sec").is_err());
    }
}
