//! Change tracking as stories of state, and the view against its rebuild.

use std::collections::BTreeMap;

use kdp_packet::Family;
use proptest::prelude::*;

use super::*;
use crate::generate::{Event, endpoint, events, port, service, slice, slice_port};

fn view() -> View {
    View::new(Profile::default())
}

fn names(changed: &[ServiceName]) -> Vec<String> {
    changed.iter().map(ToString::to_string).collect()
}

#[test]
fn a_service_that_changes_and_changes_back_is_no_change() {
    let mut view = view();
    view.apply_service(&service("a")).unwrap();
    assert_eq!(names(&view.drain().v4), ["ns/a"]);
    let mut other = service("a");
    other.spec.ports[0].port = 81;
    view.apply_service(&other).unwrap();
    assert!(view.has_pending(Family::V4));
    view.apply_service(&service("a")).unwrap();
    assert!(!view.has_pending(Family::V4));
    assert_eq!(view.drain(), Changed::default());
}

#[test]
fn what_rules_do_not_read_is_no_change() {
    let mut view = view();
    view.apply_service(&service("a")).unwrap();
    view.drain();
    let mut other = service("a");
    other.meta.labels.insert("team".into(), "x".into());
    other.spec.selector = Some(BTreeMap::new());
    other.spec.traffic_distribution = Some("PreferClose".into());
    view.apply_service(&other).unwrap();
    assert!(!view.has_pending(Family::V4));
}

#[test]
fn an_endpoint_that_moves_between_slices_leaves_the_map_but_counts_as_updated() {
    let mut view = view();
    view.apply_service(&service("a")).unwrap();
    view.apply_slice(&slice("s1", "a", vec![endpoint("10.1.0.1", "n1")])).unwrap();
    view.drain();
    let before = view.family(Family::V4).endpoints_of(&ServiceName::new("ns", "a")).cloned();
    view.apply_slice(&slice("s1", "a", vec![])).unwrap();
    view.apply_slice(&slice("s2", "a", vec![endpoint("10.1.0.1", "n1")])).unwrap();
    assert_eq!(names(&view.drain().v4), ["ns/a"]);
    assert_eq!(view.family(Family::V4).endpoints_of(&ServiceName::new("ns", "a")).cloned(), before);
}

#[test]
fn a_new_empty_slice_is_a_change_and_the_removal_of_an_unknown_one_is_not() {
    let mut view = view();
    view.delete_slice("ns", "s1");
    assert!(!view.has_pending(Family::V4));
    view.apply_slice(&slice("s1", "a", vec![])).unwrap();
    assert!(view.has_pending(Family::V4));
    assert!(!view.has_pending(Family::V6), "an IPv4 slice is no event of IPv6");
}

#[test]
fn the_order_inside_a_slice_is_no_change() {
    let mut view = view();
    let (one, two) = (endpoint("10.1.0.1", "n1"), endpoint("10.1.0.2", "n1"));
    view.apply_slice(&slice("s1", "a", vec![one.clone(), two.clone()])).unwrap();
    view.drain();
    view.apply_slice(&slice("s1", "a", vec![two, one])).unwrap();
    assert!(!view.has_pending(Family::V4));
}

#[test]
fn endpoints_are_ordered_by_text() {
    let mut view = view();
    let addresses = ["10.1.1.1", "10.1.1.11", "10.1.1.2"];
    let endpoints = addresses.iter().map(|address| endpoint(address, "n1")).collect();
    let mut own = slice("s1", "a", endpoints);
    own.ports = vec![slice_port("p", "TCP", 11)];
    view.apply_slice(&own).unwrap();
    view.drain();
    let p = PortName { name: "p".into(), protocol: kdp_packet::Proto::TCP };
    let endpoints = view.family(Family::V4).endpoints(&ServiceName::new("ns", "a"), &p).unwrap();
    let texts: Vec<&str> = endpoints.endpoints.iter().map(|endpoint| &*endpoint.text).collect();
    assert_eq!(texts, ["10.1.1.11:11", "10.1.1.1:11", "10.1.1.2:11"]);
}

#[test]
fn one_number_with_two_protocols_is_two_service_ports() {
    let mut own = service("a");
    own.spec.ports = vec![port("dns", "TCP", 53, None), port("dns", "UDP", 53, None)];
    assert_eq!(service_ports(&own, Family::V4, &Profile::default()).unwrap().len(), 2);
}

#[test]
fn texts_of_addresses_follow_the_release() {
    let own = slice("s1", "a", vec![endpoint("10.1.0.01", "n1")]);
    let facts = slice_facts(&own, Family::V4, &Profile::default()).unwrap().unwrap();
    assert_eq!(&*facts.endpoints[0].text, "10.1.0.1");
    let old = Profile::of(30).unwrap();
    assert_eq!(slice_facts(&own, Family::V4, &old).unwrap_err().code(), "proxy-endpoint-text-refused");
}

#[test]
fn source_ranges_are_of_one_family_and_a_zero_one_opens_it() {
    let mut own = service("a");
    own.spec.load_balancer_source_ranges = vec![" 10.0.0.0/8 ".into(), "fd00::/8".into(), "0.0.0.0/0".into()];
    let ranges = |minor, family| {
        let ports = service_ports(&own, family, &Profile::of(minor).unwrap()).unwrap();
        ports.into_values().next().unwrap().source_ranges.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(ranges(33, Family::V4), ["10.0.0.0/8", "0.0.0.0/0"]);
    assert_eq!(ranges(34, Family::V4), [""; 0]);
    assert_eq!(ranges(34, Family::V6), ["fd00::/8"]);
}

#[test]
fn labels_hide_by_release() {
    let mut own = service("a");
    own.meta.labels.insert("service.kubernetes.io/headless".into(), String::new());
    let served = |minor| !service_ports(&own, Family::V4, &Profile::of(minor).unwrap()).unwrap().is_empty();
    assert_eq!((served(35), served(36)), (false, true));
}

#[test]
fn a_reader_sees_each_changed_service_once() {
    let mut view = view();
    view.apply_service(&service("a")).unwrap();
    view.drain();
    let cursor = view.family(Family::V4).cursor();
    for port in [81, 82, 83] {
        let mut own = service("b");
        own.spec.ports[0].port = port;
        view.apply_service(&own).unwrap();
        view.drain();
    }
    let seen: Vec<_> = view.family(Family::V4).changed_since(cursor).map(ToString::to_string).collect();
    assert_eq!(seen, ["ns/b"]);
    let all: Vec<_> =
        view.family(Family::V4).changed_since(Cursor::default()).map(ToString::to_string).collect();
    assert_eq!(all, ["ns/a", "ns/b"]);
}

/// The objects that are left after events: the slow twin of a view.
#[derive(Default)]
pub(crate) struct World {
    services: BTreeMap<String, Service>,
    slices: BTreeMap<String, EndpointSlice>,
}

impl World {
    /// Takes an event into this world and the view.
    pub(crate) fn apply(&mut self, event: &Event, view: &mut View) {
        match event.clone() {
            Event::SetService(service) => {
                view.apply_service(&service).unwrap();
                self.services.insert(service.meta.name.clone(), service);
            }
            Event::DeleteService(name) => {
                view.delete_service("ns", &name);
                self.services.remove(&name);
            }
            Event::SetSlice(slice) => {
                view.apply_slice(&slice).unwrap();
                self.slices.insert(slice.meta.name.clone(), slice);
            }
            Event::DeleteSlice(name) => {
                view.delete_slice("ns", &name);
                self.slices.remove(&name);
            }
            Event::Sync => drop(view.drain()),
        }
    }

    /// The view of what is left, made anew.
    pub(crate) fn rebuild(&self, profile: Profile) -> View {
        View::rebuild(profile, self.services.values(), self.slices.values()).unwrap()
    }
}

/// Service ports, endpoints, and how many endpoints are known.
type Shown = (Vec<(ServiceName, Arc<ServicePorts>)>, BTreeMap<ServiceName, EndpointsMap>, usize);

/// What a family's view shows, in full.
fn shown(view: &View, family: Family) -> Shown {
    let family = view.family(family);
    let services = family.services().map(|(name, ports)| (name.clone(), ports.clone())).collect();
    let names = ["a", "b", "c", "d"].map(|name| ServiceName::new("ns", name));
    let endpoints = names.into_iter().filter_map(|name| {
        let map = family.endpoints_of(&name).filter(|map| !map.is_empty())?;
        Some((name, (**map).clone()))
    });
    (services, endpoints.collect(), family.endpoints_known())
}

proptest! {
    #[test]
    fn changes_lead_to_the_view_of_a_rebuild(events in events(), minor in 30..=36u8) {
        let profile = Profile::of(minor).unwrap();
        let (mut view, mut world) = (View::new(profile), World::default());
        for event in &events {
            world.apply(event, &mut view);
        }
        view.drain();
        let rebuilt = world.rebuild(profile);
        for family in [Family::V4, Family::V6] {
            prop_assert_eq!(shown(&view, family), shown(&rebuilt, family));
        }
    }
}
