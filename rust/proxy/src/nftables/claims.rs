//! Elements of shared sets and maps: which service ports want them, and what changes when they change their minds.

use std::collections::BTreeMap;
use std::sync::Arc;

use kdp_netfilter::nft::{Element, Op, Spans};

use super::sets::Shared;
use crate::names::ServicePortName;

/// Where an element stands: its set, and its key in it.
pub(super) type Place = (Shared, Spans);

/// Every element that some service port wants.
///
/// One key has one element, however many want it: a cluster IP is wanted by each port of its Service. Where they want
/// different ones, the last service port by name has its way.
///
/// DEVIATION(nft-shared-frontend): kube-proxy goes over Services in no order, and the last one it comes to has its way.
#[derive(Clone, Debug, Default)]
pub(super) struct Claims {
    wanted: BTreeMap<Place, BTreeMap<ServicePortName, Element>>,
}

/// Places whose elements may have changed, with what stood there before.
#[derive(Debug, Default)]
pub(super) struct Touched {
    before: BTreeMap<Place, Option<Element>>,
}

impl Claims {
    /// What stands at a place.
    fn stands(&self, place: &Place) -> Option<&Element> {
        self.wanted.get(place)?.last_key_value().map(|(_, element)| element)
    }

    fn touch(&self, place: &Place, touched: &mut Touched) {
        if !touched.before.contains_key(place) {
            touched.before.insert(place.clone(), self.stands(place).cloned());
        }
    }

    /// A service port wants an element, and no other at its place any more.
    pub(super) fn want(
        &mut self,
        key: &ServicePortName,
        place: &Place,
        element: Element,
        touched: &mut Touched,
    ) {
        self.touch(place, touched);
        self.wanted.entry(place.clone()).or_default().insert(key.clone(), element);
    }

    /// A service port wants nothing at a place any more.
    pub(super) fn release(&mut self, key: &ServicePortName, place: &Place, touched: &mut Touched) {
        self.touch(place, touched);
        if let Some(wanted) = self.wanted.get_mut(place) {
            wanted.remove(key);
            if wanted.is_empty() {
                self.wanted.remove(place);
            }
        }
    }

    /// Deletions and additions that bring the kernel from what stood to what stands; a changed element is both.
    pub(super) fn changes(&self, touched: Touched) -> (Vec<Op>, Vec<Op>) {
        let (mut gone, mut new) = (BTreeMap::new(), BTreeMap::new());
        for (place, before) in touched.before {
            let now = self.stands(&place);
            if before.as_ref() == now {
                continue;
            }
            if let Some(before) = before {
                let only_key = Element { key: before.key, timeout: None, comment: None, data: None };
                gone.entry(place.0).or_insert_with(Vec::new).push(only_key);
            }
            if let Some(now) = now {
                new.entry(place.0).or_insert_with(Vec::new).push(now.clone());
            }
        }
        let ops = |sets: BTreeMap<Shared, Vec<Element>>, op: fn(Arc<str>, Vec<Element>) -> Op| {
            sets.into_iter().map(|(set, elements)| op(set.name().into(), elements)).collect()
        };
        (ops(gone, Op::DeleteElements), ops(new, Op::AddElements))
    }
}
