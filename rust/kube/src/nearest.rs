//! The nearest names to one that does not exist.

/// Edits that turn `from` into `to`: a character put in, taken out, replaced, or two neighbours exchanged.
pub fn distance(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.chars().collect();
    let to: Vec<char> = to.chars().collect();
    let mut before = vec![0; to.len() + 1];
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for i in 1..=from.len() {
        let mut row = vec![i; to.len() + 1];
        for j in 1..=to.len() {
            let replaced = last[j - 1] + usize::from(from[i - 1] != to[j - 1]);
            row[j] = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            let exchanged = i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1];
            if exchanged {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[to.len()]
}

/// Up to `count` of the names, the nearest first, equal ones in alphabetical order.
///
/// A name counts as near if a third of the longer name's characters differ, or if one is the other's beginning.
pub fn nearest<'n>(wanted: &str, names: impl IntoIterator<Item = &'n str>, count: usize) -> Vec<&'n str> {
    let mut near: Vec<(usize, &str)> = names.into_iter().filter_map(|name| near(wanted, name)).collect();
    near.sort_unstable();
    near.dedup();
    near.into_iter().take(count).map(|(_, name)| name).collect()
}

fn near<'n>(wanted: &str, name: &'n str) -> Option<(usize, &'n str)> {
    let (short, long) = (wanted.len().min(name.len()), wanted.len().max(name.len()));
    let begins = short > 0 && (name.starts_with(wanted) || wanted.starts_with(name));
    let limit = (long / 3).max(1);
    if !begins && long - short > limit {
        return None;
    }
    let distance = distance(wanted, name);
    (begins || distance <= limit).then_some((distance, name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn edits_are_counted() {
        for (from, to, edits) in [
            ("", "", 0),
            ("a", "", 1),
            ("mysql", "mysq", 1),
            ("mysql", "mysqk", 1),
            ("ab", "ba", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(from, to), edits, "{from} {to}");
        }
    }

    #[test]
    fn the_nearest_come_first() {
        let names = ["mysql-service", "mysql", "web", "mysql-servic", "redis"];
        assert_eq!(nearest("mysql-servce", names, 3), ["mysql-service", "mysql-servic", "mysql"]);
        assert!(nearest("zzz", names, 3).is_empty());
    }

    proptest! {
        #[test]
        fn distance_is_symmetric_and_zero_only_for_equals(a in "[abé]{0,6}", b in "[abé]{0,6}") {
            prop_assert_eq!(distance(&a, &b), distance(&b, &a));
            prop_assert_eq!(distance(&a, &b) == 0, a == b);
        }
    }
}
