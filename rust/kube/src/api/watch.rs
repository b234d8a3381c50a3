//! Watches: what changed, in order, from a version on.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

use serde_json::{Value, json};

use super::query::{Filter, Query};
use super::refusal::Refusal;
use super::resource::Resource;
use super::route::Objects;
use crate::object::{KindName, Object};
use crate::store::{Change, Store};

/// How many changes are remembered for watches that begin in the past.
const REMEMBERED: usize = 100_000;

/// A change, and its object's text once somebody asked for it.
#[derive(Debug)]
struct Event {
    version: u64,
    kind: KindName,
    before: Option<Arc<Object>>,
    after: Option<Arc<Object>>,
    text: OnceLock<Box<str>>,
}

/// The changes of late.
#[derive(Debug)]
pub struct History {
    events: VecDeque<Event>,
    /// Everything up to this version is forgotten.
    forgotten: u64,
    remembered: usize,
}

impl History {
    /// A history that begins behind a version.
    pub fn starting(version: u64) -> History {
        History { events: VecDeque::new(), forgotten: version, remembered: REMEMBERED }
    }

    /// Remembers a change.
    pub fn record(&mut self, change: &Change) {
        if self.events.len() == self.remembered {
            self.forgotten = self.events.pop_front().expect("it is full").version;
        }
        self.events.push_back(Event {
            version: change.version,
            kind: change.object().key().kind,
            before: change.before.clone(),
            after: change.after.clone(),
            text: OnceLock::new(),
        });
    }

    /// The version of the last change.
    pub fn version(&self) -> u64 {
        self.events.back().map_or(self.forgotten, |event| event.version)
    }

    /// Kinds and namespaces that changed behind a version, each once.
    pub fn touched(&self, since: u64) -> Vec<(KindName, String)> {
        let mut all: Vec<(KindName, String)> = self
            .since(since)
            .map(|event| (event.kind.clone(), event.object().meta().namespace.clone()))
            .collect();
        all.sort();
        all.dedup();
        all
    }

    fn since(&self, version: u64) -> impl Iterator<Item = &Event> {
        let first = self.events.partition_point(|event| event.version <= version);
        self.events.range(first..)
    }
}

impl Event {
    fn object(&self) -> &Arc<Object> {
        self.after.as_ref().or(self.before.as_ref()).expect("a change has an object on one side")
    }

    /// The object after the change, or the last state of a deleted one, at the change's version.
    fn text(&self) -> &str {
        self.text.get_or_init(|| match &self.after {
            Some(object) => object.to_json().into(),
            None => at_version(self.object(), self.version).into(),
        })
    }
}

fn at_version(object: &Object, version: u64) -> String {
    let mut value = object.to_value();
    value["metadata"]["resourceVersion"] = version.to_string().into();
    value.to_string()
}

/// A client that watches.
#[derive(Debug)]
pub struct Watch {
    resource: Resource,
    kind: KindName,
    filter: Filter,
    /// Everything up to this version was sent.
    seen: u64,
    /// What there is is sent first.
    first: First,
    bookmarks: bool,
    /// How long the client wants it, in seconds.
    pub timeout_seconds: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum First {
    /// Changes only.
    Nothing,
    /// The objects that there are.
    Objects,
    /// The objects that there are, and a bookmark that ends them.
    ObjectsAndEnd,
}

/// The annotation of the bookmark that ends the objects that there are.
/// Source: apimachinery `meta/v1` `InitialEventsAnnotationKey`.
const INITIAL_END: &str = "k8s.io/initial-events-end";

impl Watch {
    /// Reads a request to watch.
    pub fn open(at: &Objects, query: &Query<'_>, history: &History, store: &Store) -> Result<Watch, Refusal> {
        let mut filter = Filter::read(query, at.namespace.as_deref(), &at.resource)?;
        if let Some(name) = &at.name {
            let only = format!("metadata.name={name}");
            filter.fields = super::query::fields(&only, &at.resource)?;
        }
        let version = query.number("resourceVersion")?.unwrap_or(0);
        let list = query.flag("sendInitialEvents");
        if list && query.get("resourceVersionMatch") != Some("NotOlderThan") {
            let cause = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan".to_owned();
            return Err(Refusal::invalid(&at.resource, "", &[("resourceVersionMatch".to_owned(), cause)]));
        }
        let first = match (list, version) {
            (true, _) => First::ObjectsAndEnd,
            (false, 0) => First::Objects,
            (false, _) => First::Nothing,
        };
        let seen = if first == First::Nothing { version } else { store.version() };
        if first == First::Nothing && version < history.forgotten {
            let oldest = history.forgotten;
            return Err(Refusal::expired(format!("too old resource version: {version} ({oldest})")));
        }
        Ok(Watch {
            kind: at.resource.kind_name(),
            resource: at.resource.clone(),
            filter,
            seen,
            first,
            bookmarks: query.flag("allowWatchBookmarks"),
            timeout_seconds: query.number("timeoutSeconds")?,
        })
    }

    /// The kind that it is of, and the namespace if it is of one.
    pub fn place(&self) -> (&KindName, Option<&str>) {
        (&self.kind, self.filter.namespace.as_deref())
    }

    /// What there is to send: a JSON text on a line for each event. A client that fell too far behind gets an `ERROR`.
    pub fn poll(&mut self, history: &History, store: &Store) -> Vec<String> {
        let mut lines = self.initial(store);
        if self.seen < history.forgotten {
            let gone =
                Refusal::expired(format!("too old resource version: {} ({})", self.seen, history.forgotten));
            lines.push(json!({"type": "ERROR", "object": gone.to_value()}).to_string());
            self.seen = u64::MAX;
            return lines;
        }
        lines.extend(
            history
                .since(self.seen)
                .filter(|event| event.kind == self.kind)
                .filter_map(|event| self.line(event)),
        );
        self.seen = self.seen.max(history.version());
        lines
    }

    /// What there is at the start, once.
    fn initial(&mut self, store: &Store) -> Vec<String> {
        if self.first == First::Nothing {
            return Vec::new();
        }
        let found = store.list(&self.kind, self.filter.namespace.as_deref());
        let mut lines: Vec<String> = found
            .filter(|object| self.filter.matches(object))
            .map(|object| line("ADDED", &object.to_json()))
            .collect();
        if self.first == First::ObjectsAndEnd {
            lines.push(self.bookmark_line(store.version(), true));
        }
        self.seen = store.version();
        self.first = First::Nothing;
        lines
    }

    /// How an event looks through the filter: an object that begins to match is added, one that ceases is deleted.
    fn line(&self, event: &Event) -> Option<String> {
        let matches =
            |object: &Option<Arc<Object>>| object.as_ref().is_some_and(|object| self.filter.matches(object));
        match (matches(&event.before), matches(&event.after)) {
            (false, false) => None,
            (false, true) => Some(line("ADDED", event.text())),
            (true, true) => Some(line("MODIFIED", event.text())),
            (true, false) if event.after.is_none() => Some(line("DELETED", event.text())),
            (true, false) => {
                let before = event.before.as_ref().expect("it matched");
                Some(line("DELETED", &at_version(before, event.version)))
            }
        }
    }

    /// A bookmark at the present version, if the client takes them.
    pub fn bookmark(&mut self, history: &History) -> Option<String> {
        (self.bookmarks && self.seen <= history.version()).then(|| self.bookmark_line(self.seen, false))
    }

    fn bookmark_line(&self, version: u64, ends: bool) -> String {
        let mut meta = json!({"resourceVersion": version.to_string(), "creationTimestamp": null});
        if ends {
            meta["annotations"] = json!({ INITIAL_END: "true" });
        }
        let object: Value = json!({"kind": self.resource.kind, "apiVersion": self.resource.group_version(), "metadata": meta});
        line("BOOKMARK", &object.to_string())
    }
}

fn line(kind: &str, object: &str) -> String {
    format!("{{\"type\":\"{kind}\",\"object\":{object}}}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::resource::Registry;
    use crate::object::Pod;
    use crate::store::Cursor;

    struct Story {
        store: Store,
        history: History,
        cursor: Cursor,
    }

    impl Story {
        fn new() -> Story {
            Story { store: Store::new(), history: History::starting(0), cursor: Cursor::default() }
        }

        fn put(&mut self, name: &str, label: &str) {
            let mut pod = Pod::default();
            pod.meta.name = name.into();
            pod.meta.namespace = "default".into();
            pod.meta.labels.insert("app".to_owned(), label.to_owned());
            self.store.put(Object::new(pod));
            self.follow();
        }

        fn delete(&mut self, name: &str) {
            self.store.delete(&crate::object::ObjectKey::new(KindName::Pod, "default", name));
            self.follow();
        }

        fn follow(&mut self) {
            for change in self.store.changes_since(self.cursor).unwrap() {
                self.history.record(change);
            }
            self.cursor = self.store.cursor();
        }

        fn watch(&self, query: &[(&str, &str)]) -> Result<Watch, Refusal> {
            let resource = Registry::default().find("", "v1", "pods").unwrap().clone();
            let at = Objects { resource, namespace: None, name: None, subresource: None };
            let query: Vec<(String, String)> =
                query.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            Watch::open(&at, &Query(&query), &self.history, &self.store)
        }

        fn poll(&self, watch: &mut Watch) -> Vec<String> {
            let short = |line: String| {
                let value: Value = serde_json::from_str(&line).unwrap();
                let meta = &value["object"]["metadata"];
                format!(
                    "{} {} {}",
                    value["type"].as_str().unwrap(),
                    meta["name"].as_str().unwrap_or("-"),
                    meta["resourceVersion"].as_str().unwrap_or("-")
                )
            };
            watch.poll(&self.history, &self.store).into_iter().map(short).collect()
        }
    }

    #[test]
    fn an_object_that_begins_or_ceases_to_match_is_added_or_deleted() {
        let mut story = Story::new();
        story.put("x", "web");
        let mut watch = story.watch(&[("labelSelector", "app=web")]).unwrap();
        assert_eq!(story.poll(&mut watch), ["ADDED x 1"]);
        story.put("x", "db");
        story.put("y", "web");
        story.put("y", "web");
        story.delete("y");
        assert_eq!(story.poll(&mut watch), ["DELETED x 2", "ADDED y 3", "MODIFIED y 4", "DELETED y 5"]);
        assert!(story.poll(&mut watch).is_empty());
    }

    #[test]
    fn a_watch_list_ends_its_objects_with_a_bookmark_of_the_kind() {
        let mut story = Story::new();
        story.put("x", "web");
        let query = [
            ("sendInitialEvents", "true"),
            ("resourceVersionMatch", "NotOlderThan"),
            ("allowWatchBookmarks", "true"),
        ];
        let mut watch = story.watch(&query).unwrap();
        let lines = watch.poll(&story.history, &story.store);
        assert!(lines[1].contains("\"kind\":\"Pod\"") && lines[1].contains(INITIAL_END), "{}", lines[1]);
        assert_eq!(story.watch(&query[..1]).unwrap_err().code, 422);
    }

    #[test]
    fn what_is_forgotten_is_expired() {
        let mut story = Story::new();
        story.history.remembered = 2;
        for name in ["a", "b", "c", "d"] {
            story.put(name, "web");
        }
        assert_eq!(story.watch(&[("resourceVersion", "1")]).unwrap_err().code, 410);
        let mut watch = story.watch(&[("resourceVersion", "2")]).unwrap();
        assert_eq!(story.poll(&mut watch), ["ADDED c 3", "ADDED d 4"]);
        for name in ["e", "f", "g"] {
            story.put(name, "web");
        }
        assert_eq!(story.poll(&mut watch), ["ERROR - -"]);
    }
}
