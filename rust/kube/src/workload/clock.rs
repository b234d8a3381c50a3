//! Virtual time as the API writes it.

use kdp_sim::Time;

use crate::endpoints::Timestamp;
use crate::store::Store;

const SECOND: i128 = 1_000_000_000;

/// The moment of the calendar at which virtual time is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch(Timestamp);

impl Epoch {
    /// The second behind the newest time that the objects name; the first second of 2024 if they name none.
    pub fn behind(store: &Store) -> Epoch {
        let newest = store.objects().flat_map(|object| {
            let meta = object.meta();
            [meta.creation_timestamp.as_deref(), meta.deletion_timestamp.as_deref()]
        });
        let newest = newest.flatten().filter_map(Timestamp::parse).max();
        let base = Timestamp::parse("2023-12-31T23:59:59Z").expect("a time in the source");
        Epoch(Timestamp(newest.unwrap_or(base).0.div_euclid(SECOND) * SECOND + SECOND))
    }

    /// That moment.
    pub fn at(moment: Timestamp) -> Epoch {
        Epoch(moment)
    }

    /// A moment in the API's form, in whole seconds.
    pub fn text(self, now: Time) -> String {
        let nanos = self.0.0 + i128::from(now.as_nanos());
        Timestamp(nanos.div_euclid(SECOND) * SECOND).to_string()
    }

    /// The virtual time of an API time; 0 for times before. `None` for a text that is no time.
    pub fn time(self, text: &str) -> Option<Time> {
        let at = Timestamp::parse(text)?;
        Some(Time(u64::try_from((at.0 - self.0.0).max(0)).unwrap_or(u64::MAX)))
    }

    /// The virtual time so long behind an API time; 0 if that was before the run, or there is no time.
    pub(super) fn time_behind(self, text: Option<&str>, wait: std::time::Duration) -> Time {
        let Some(at) = text.and_then(Timestamp::parse) else { return Time::ZERO };
        let nanos = at.0 - self.0.0 + i128::try_from(wait.as_nanos()).unwrap_or(i128::MAX);
        Time(u64::try_from(nanos.max(0)).unwrap_or(u64::MAX))
    }

    /// Whole seconds since an API time; 0 for a time that is not over, or no time.
    pub(super) fn age_seconds(self, text: Option<&str>, now: Time) -> u64 {
        let then = text.and_then(Timestamp::parse).map_or(self.0.0, |at| at.0);
        let age = self.0.0 + i128::from(now.as_nanos()) - then;
        u64::try_from(age.max(0) / SECOND).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_whole_and_return() {
        let epoch = Epoch::behind(&Store::new());
        assert_eq!(epoch.text(Time::ZERO), "2024-01-01T00:00:00Z");
        assert_eq!(epoch.text(Time(1_999_999_999)), "2024-01-01T00:00:01Z");
        assert_eq!(epoch.time("2024-01-01T00:00:01Z"), Some(Time::from_secs(1)));
        assert_eq!(epoch.time("2023-01-01T00:00:01Z"), Some(Time::ZERO));
        assert_eq!(epoch.age_seconds(Some("2023-12-31T23:59:50Z"), Time::from_secs(5)), 15);
    }
}
