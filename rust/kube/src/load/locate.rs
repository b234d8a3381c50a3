//! Where in a YAML text a field is: walked only when there is an error to place.

use granit_parser::Event;

use super::yaml::{parser, place};
use crate::error::Place;

/// One step of the way into a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Into a field.
    Key(String),
    /// Into an item.
    Index(usize),
}

/// The steps of a tracked path.
pub(super) fn steps(path: &serde_path_to_error::Path) -> Vec<Step> {
    use serde_path_to_error::Segment;
    let step = |segment: &Segment| match segment {
        Segment::Seq { index } => Some(Step::Index(*index)),
        Segment::Map { key } => Some(Step::Key(key.clone())),
        Segment::Enum { .. } | Segment::Unknown => None,
    };
    path.iter().filter_map(step).collect()
}

/// As `.spec.ports[0].port`.
pub(super) fn display(steps: &[Step]) -> String {
    let text: String = steps
        .iter()
        .map(|step| match step {
            Step::Key(key) => format!(".{key}"),
            Step::Index(index) => format!("[{index}]"),
        })
        .collect();
    if text.is_empty() { ".".to_owned() } else { text }
}

/// The place in a document (counted from 0) where those steps lead, or the nearest above: an alias or a merge key may
/// stand in the way.
pub(super) fn in_yaml(name: &str, text: &str, document: usize, steps: &[Step]) -> Place {
    let mut walk = Walk { steps, open: Vec::new(), matched: 0 };
    let mut best = Place { source: name.to_owned(), line: 0, column: 0 };
    let mut at_document = 0;
    for (event, span) in parser(text).map_while(Result::ok) {
        if matches!(event, Event::DocumentEnd) {
            at_document += 1;
        }
        if at_document < document {
            continue;
        }
        if at_document > document || walk.matched > steps.len() {
            break;
        }
        if walk.node(&event) {
            best = place(name, span.start);
        }
    }
    best
}

struct Walk<'s> {
    steps: &'s [Step],
    /// Each open collection: how many of its nodes are done, its last key, whether it is a mapping.
    open: Vec<(usize, Option<String>, bool)>,
    /// Nodes of the way that were met, the root included.
    matched: usize,
}

impl Walk<'_> {
    /// Takes an event; true if a node of the way, deeper than any before, begins here.
    fn node(&mut self, event: &Event<'_>) -> bool {
        match event {
            Event::Scalar(text, ..) => self.value(Some(text)),
            Event::Alias(_) => self.value(None),
            Event::SequenceStart(..) | Event::MappingStart(..) => {
                let hit = self.value(None);
                self.open.push((0, None, matches!(event, Event::MappingStart(..))));
                hit
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.open.pop();
                false
            }
            _ => false,
        }
    }

    fn value(&mut self, text: Option<&str>) -> bool {
        let depth = self.open.len();
        let Some((done, key, is_mapping)) = self.open.last_mut() else {
            self.matched = 1;
            return true;
        };
        *done += 1;
        if *is_mapping && *done % 2 == 1 {
            *key = text.map(str::to_owned);
            return false;
        }
        let leads = match self.steps.get(depth - 1) {
            Some(Step::Key(wanted)) => key.as_ref() == Some(wanted),
            Some(Step::Index(wanted)) => !*is_mapping && *done - 1 == *wanted,
            None => false,
        };
        let hit = leads && self.matched == depth;
        if hit {
            self.matched += 1;
        }
        hit
    }
}
