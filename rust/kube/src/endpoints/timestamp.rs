//! Times of the API: RFC 3339 texts.

use std::fmt;

const NANOS: i128 = 1_000_000_000;

/// A moment: nanoseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i128);

impl Timestamp {
    /// Reads `2024-01-01T00:00:00.5Z` or an offset in place of `Z`. `None` for anything else.
    pub fn parse(text: &str) -> Option<Timestamp> {
        let (date, rest) = (text.get(..10)?, text.get(10..)?.strip_prefix(['T', 't'])?);
        let [year, month, day] = numbers::<3>(date, '-')?;
        let clock = rest.get(..8)?;
        let [hour, minute, second] = numbers::<3>(clock, ':')?;
        if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let (nanos, zone) = fraction(&rest[8..])?;
        let seconds = days_since_epoch(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
        Some(Timestamp(i128::from(seconds - offset(zone)?) * NANOS + i128::from(nanos)))
    }
}

/// Exactly `N` numbers without signs.
fn numbers<const N: usize>(text: &str, between: char) -> Option<[i64; N]> {
    let mut out = [0; N];
    let mut parts = text.split(between);
    for number in &mut out {
        *number = digits(parts.next()?)?;
    }
    parts.next().is_none().then_some(out)
}

fn digits(text: &str) -> Option<i64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

/// Nanoseconds after the seconds, and what follows them.
fn fraction(text: &str) -> Option<(i64, &str)> {
    let Some(after) = text.strip_prefix('.') else { return Some((0, text)) };
    let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
    let nanos: String = after[..end].chars().chain("000000000".chars()).take(9).collect();
    Some((digits(&nanos).filter(|_| end > 0)?, &after[end..]))
}

/// Seconds east of UTC.
fn offset(zone: &str) -> Option<i64> {
    if matches!(zone, "Z" | "z") {
        return Some(0);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let [hours, minutes] = numbers::<2>(zone.strip_prefix(['+', '-'])?, ':')?;
    Some(sign * (hours * 3_600 + minutes * 60))
}

/// Days from 1970-01-01 to a date of the Gregorian calendar, counted in years that begin in March.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leaps + (153 * month + 2) / 5 + day - 719_469
}

fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let in_era = days.rem_euclid(146_097);
    let year = (in_era - in_era / 1_460 + in_era / 36_524 - in_era / 146_096) / 365;
    let in_year = in_era - (365 * year + year / 4 - year / 100);
    let month = (5 * in_year + 2) / 153;
    let day = in_year - (153 * month + 2) / 5 + 1;
    let late = month >= 10;
    (era * 400 + year + i64::from(late), if late { month - 9 } else { month + 3 }, day)
}

impl fmt::Display for Timestamp {
    /// As Go's RFC3339Nano in UTC: a fraction only if there is one, without trailing zeros.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = i64::try_from(self.0.div_euclid(NANOS)).map_err(|_| fmt::Error)?;
        let (year, month, day) = date_of(seconds.div_euclid(86_400));
        let second = seconds.rem_euclid(86_400);
        let (hour, minute) = (second / 3_600, second / 60 % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}", second % 60)?;
        let nanos = self.0.rem_euclid(NANOS);
        if nanos != 0 {
            write!(f, ".{}", format!("{nanos:09}").trim_end_matches('0'))?;
        }
        f.write_str("Z")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_and_numbers() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2024-02-29T12:00:01Z", 1_709_208_001),
            ("2000-03-01T00:00:00Z", 951_868_800),
            ("2023-12-31T23:00:00Z", 1_704_063_600),
        ] {
            assert_eq!(Timestamp::parse(text), Some(Timestamp(seconds * NANOS)));
            assert_eq!(Timestamp(seconds * NANOS).to_string(), text);
        }
        let offset = Timestamp::parse("2024-01-01T01:00:00.250+01:00").unwrap();
        assert_eq!(offset.to_string(), "2024-01-01T00:00:00.25Z");
        for bad in ["", "2024-01-01", "2024-13-01T00:00:00Z", "2024-01-01T00:00:00", "2024-01-01T00:00:00.Z"]
        {
            assert_eq!(Timestamp::parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn printing_and_reading_return(nanos in -60_000_000_000_000_000_000i128..200_000_000_000_000_000_000) {
            prop_assert_eq!(Timestamp::parse(&Timestamp(nanos).to_string()), Some(Timestamp(nanos)));
        }
    }
}
