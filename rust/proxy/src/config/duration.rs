//! Durations as Go writes them: `30s`, `1m30s`, `250ms`, `0`.

use std::time::Duration;

/// The units of Go's durations in nanoseconds. Longer names first: `ms` is no `m`.
const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Reads a duration that is not negative. Source: Go, `time.ParseDuration`.
pub(super) fn parse(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    let mut nanos = 0_u64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, behind) = rest.split_at(digits);
        let (unit, scale) = UNITS.into_iter().find(|(unit, _)| behind.starts_with(unit))?;
        nanos = nanos.checked_add(scaled(number, scale)?)?;
        rest = &behind[unit.len()..];
    }
    (!text.is_empty() && text != "+").then(|| Duration::from_nanos(nanos))
}

/// A decimal number of units in nanoseconds; what is below a nanosecond is cut off.
fn scaled(number: &str, scale: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let mut nanos = whole.checked_mul(scale)?;
    let mut place = scale;
    for digit in fraction.bytes() {
        place /= 10;
        nanos = nanos.checked_add(u64::from(digit.checked_sub(b'0').filter(|digit| *digit < 10)?) * place)?;
    }
    Some(nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        let nanos = |text| parse(text).map(|duration| u64::try_from(duration.as_nanos()).unwrap());
        assert_eq!(nanos("30s"), Some(30_000_000_000));
        assert_eq!(nanos("1h1m1.5s"), Some(3_661_500_000_000));
        assert_eq!(nanos("250ms"), Some(250_000_000));
        assert_eq!(nanos("1us"), Some(1_000));
        assert_eq!((nanos("0"), nanos("0s"), nanos(".5s")), (Some(0), Some(0), Some(500_000_000)));
        for bad in ["", "+", "30", "-1s", "s", ".s", "1.2.3s", "1x", "99999999999h"] {
            assert_eq!(nanos(bad), None, "{bad}");
        }
    }
}
