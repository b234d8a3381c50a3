//! A packet's steps as data.
//!
//! Who walks a packet says, by a type, whether steps are kept: [`Silent`] keeps none and costs nothing, [`Steps`] keeps all.

use std::net::IpAddr;
use std::sync::Arc;

use kdp_netfilter::conntrack::Direction;
use kdp_netfilter::vm::{Event, Recorder, Step as RuleStep, Trace};
use kdp_netfilter::{CtState, Hook, Ruleset, nft};
use kdp_packet::Tuple;

pub use kdp_netfilter::vm::Silent;

/// Keeps what happens to a packet, or does not.
pub trait Record: Trace + nft::Listen {
    /// Something that happened outside of the rules. `make` runs only if somebody listens.
    fn note(&mut self, make: impl FnOnce() -> Note);
}

impl Record for Silent {
    fn note(&mut self, _: impl FnOnce() -> Note) {}
}

/// One step of a packet's way.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// In the rules.
    Rules(Event),
    /// In the rules of nftables.
    Nft(nft::Event),
    /// Outside of them.
    Note(Note),
}

/// What happens to a packet outside of the rules.
#[derive(Clone, Debug, PartialEq)]
pub enum Note {
    /// It enters a hook.
    Hook(Hook),
    /// Conntrack looked at it.
    Tracked {
        /// The state that rules see.
        state: CtState,
        /// The original tuple of its connection; `None` where there is none.
        original: Option<Tuple>,
        /// Which way the packet goes in it.
        direction: Direction,
    },
    /// It passed the chains up to and with translation of its destination, in this conntrack state.
    Passed {
        /// The state that rules see.
        state: CtState,
    },
    /// Its addresses or ports were changed.
    Translated {
        /// Before.
        from: Tuple,
        /// After.
        to: Tuple,
    },
    /// It will leave by a device.
    Routed {
        /// The device.
        device: Arc<str>,
        /// The router, if it is not on the device's own link.
        via: Option<IpAddr>,
    },
    /// It is for the box itself.
    Local,
    /// Its connection entered the conntrack table.
    Confirmed,
}

/// All steps, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Steps(pub Vec<Step>);

impl Trace for Steps {
    const ON: bool = true;

    fn step(&mut self, ruleset: &Ruleset, step: RuleStep) {
        let mut recorder = Recorder::default();
        recorder.step(ruleset, step);
        self.0.extend(recorder.events.into_iter().map(Step::Rules));
    }
}

impl nft::Listen for Steps {
    const ON: bool = true;

    fn event(&mut self, make: impl FnOnce() -> nft::Event) {
        self.0.push(Step::Nft(make()));
    }
}

impl Record for Steps {
    fn note(&mut self, make: impl FnOnce() -> Note) {
        self.0.push(Step::Note(make()));
    }
}
