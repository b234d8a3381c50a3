//! One set: its elements, and whether a packet is one of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use kdp_packet::{Cidr, Family, Proto};
use kdp_sim::Time;

use super::element::{Key, Part, part, port};
use super::kind::{Dim, Kind};
use crate::SetSides;
use crate::vm::{Count, Frame};

/// A set.
#[derive(Clone, Debug)]
pub(super) struct Set {
    pub(super) kind: Kind,
    /// The family of its addresses.
    pub(super) family: Family,
    pub(super) hashsize: u32,
    /// The most elements: `maxelem` of a hash, `size` of a list.
    pub(super) elements_max: u32,
    pub(super) netmask: Option<u8>,
    /// The timeout of elements that name none, in seconds, 0 for none; `None` if elements have no timeouts.
    pub(super) timeout: Option<u32>,
    pub(super) counters: bool,
    pub(super) comment: bool,
    pub(super) bucketsize: u32,
    pub(super) initval: Option<Box<str>>,
    pub(super) elements: BTreeMap<Key, Element>,
    /// How many elements have a prefix of this length.
    lengths: BTreeMap<u8, usize>,
    /// The number of the next element.
    pub(super) next: u64,
}

/// What a set knows of an element.
#[derive(Clone, Debug, Default)]
pub(super) struct Element {
    /// The last moment at which it is there.
    pub(super) until: Option<Time>,
    pub(super) count: Count,
    pub(super) comment: Option<Arc<str>>,
    pub(super) nomatch: bool,
    /// Later elements have greater numbers.
    pub(super) number: u64,
}

impl Element {
    /// Source: net/netfilter/ipset/ip_set_core.c `ip_set_timeout_expired`, v6.12.
    pub(super) fn lives(&self, now: Time) -> bool {
        self.until.is_none_or(|until| now <= until)
    }
}

impl Set {
    /// An empty set with ipset's defaults.
    pub(super) fn new(kind: Kind) -> Set {
        let elements_max = if kind.is_list() { 8 } else { 65_536 };
        Set {
            kind,
            family: Family::V4,
            hashsize: 1024,
            elements_max,
            netmask: None,
            timeout: None,
            counters: false,
            comment: false,
            bucketsize: 12,
            initval: None,
            elements: BTreeMap::new(),
            lengths: BTreeMap::new(),
            next: 0,
        }
    }

    /// The live elements of a list of sets, in order; `None` for other types.
    pub(super) fn members(&self, now: Time) -> Option<Vec<Key>> {
        if !self.kind.is_list() {
            return None;
        }
        let mut members: Vec<_> = self.elements.iter().filter(|(_, element)| element.lives(now)).collect();
        members.sort_by_key(|(_, element)| element.number);
        Some(members.into_iter().map(|(key, _)| key.clone()).collect())
    }

    pub(super) fn insert(&mut self, key: Key, element: Element) {
        if let Some(len) = self.net(&key).map(Cidr::prefix_len)
            && !self.elements.contains_key(&key)
        {
            *self.lengths.entry(len).or_default() += 1;
        }
        self.elements.insert(key, element);
    }

    /// Takes an element out; `false` if it was not there.
    pub(super) fn remove(&mut self, key: &Key) -> bool {
        let found = self.elements.remove(key).is_some();
        if let Some(len) = self.net(key).map(Cidr::prefix_len)
            && found
        {
            let count = self.lengths.get_mut(&len).expect("the length of each prefix is counted");
            *count -= 1;
            if *count == 0 {
                self.lengths.remove(&len);
            }
        }
        found
    }

    pub(super) fn clear(&mut self) {
        self.elements.clear();
        self.lengths.clear();
    }

    fn net_place(&self) -> Option<usize> {
        self.kind.dims().iter().position(|dim| *dim == Dim::Net)
    }

    fn net(&self, key: &Key) -> Option<Cidr> {
        match key[self.net_place()?] {
            Part::Net(net) => Some(net),
            _ => panic!("the part of a network is a network"),
        }
    }

    /// The element that the packet is in.
    ///
    /// Source: net/netfilter/ipset/ip_set_core.c `ip_set_test` (a rule must give a side for each part), and
    /// ip_set_hash_gen.h `mtype_test_cidrs`, v6.12: the longest prefix first.
    pub(super) fn find(&self, sides: &SetSides, frame: &Frame<'_>) -> Option<Key> {
        let key = self.key_of(sides, frame)?;
        let lives = |key: &Key| self.elements.get(key).is_some_and(|element| element.lives(frame.now));
        let Some(place) = self.net_place() else { return lives(&key).then_some(key) };
        let Part::Net(host) = key[place] else { panic!("the part of a network is a network") };
        for len in self.lengths.keys().rev() {
            let mut key = key.clone();
            let net = Cidr::new(host.addr(), *len).expect("prefixes of a set are of its family");
            key[place] = Part::Net(net);
            if lives(&key) {
                return Some(key);
            }
            if self.ends_at(net, frame.now) {
                return None;
            }
        }
        None
    }

    /// A network that is there with any device is the last that is looked at.
    /// Source: net/netfilter/ipset/ip_set_hash_netiface.c `hash_netiface4_data_equal`, v6.12: `multi`.
    fn ends_at(&self, net: Cidr, now: Time) -> bool {
        let first: Key = std::iter::once(Part::Net(net)).collect();
        let mut same = self.elements.range(first..).take_while(|(key, _)| key[0] == Part::Net(net));
        self.kind.dims().contains(&Dim::Device) && same.any(|(_, element)| element.lives(now))
    }

    fn key_of(&self, sides: &SetSides, frame: &Frame<'_>) -> Option<Key> {
        let dims = self.kind.dims();
        if let Kind::BitmapPort(..) = self.kind {
            let (proto, port) = port(*sides.first()?, frame)?;
            let has = matches!(proto, Proto::TCP | Proto::UDP);
            return has.then(|| std::iter::once(Part::Bare(port)).collect());
        }
        if sides.len() < dims.len() || Family::of(frame.headers.src) != self.family {
            return None;
        }
        let parts = dims.iter().zip(sides.iter());
        parts.map(|(dim, source)| Some(self.masked(part(*dim, *source, frame)?))).collect()
    }

    /// A part as it is kept: addresses lose the bits behind the set's netmask.
    pub(super) fn masked(&self, part: Part) -> Part {
        match (part, self.netmask) {
            (Part::Net(net), Some(len)) => {
                let net = Cidr::new(net.addr(), len).expect("the netmask was checked");
                Part::Net(Cidr::host(net.addr()))
            }
            (part, _) => part,
        }
    }

    /// The packet of `length` bytes was met by the element.
    pub(super) fn count(&mut self, key: &Key, length: u16) {
        self.elements.get_mut(key).expect("the element was just found").count.add(length);
    }

    pub(super) fn is_nomatch(&self, key: &Key) -> bool {
        self.elements[key].nomatch
    }
}
