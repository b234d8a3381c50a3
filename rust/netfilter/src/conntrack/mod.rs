//! Connection tracking: which packets belong together, and in what state their connection is.
//!
//! A packet is looked up by its tuple as it arrived ([`Conntrack::track`]). The first of a connection gives an owned,
//! unconfirmed [`Connection`] that nobody else sees; NAT decides on it; [`Conntrack::confirm`] puts it into the table at
//! the end of the packet's way. So two packets can be held between hooks and clash at confirm, as on two processors.
//! Time is an argument of every call: an entry whose timeout has run out is never seen.

mod clash;
mod connection;
mod expiry;
mod filter;
mod icmp;
mod index;
mod listing;
mod next_segment;
mod related;
pub mod sctp;
mod settings;
mod slots;
mod steady;
mod table;
mod taken;
pub mod tcp;
mod timeouts;
pub mod tool;
mod track;
mod wheel;

pub use clash::Confirmed;
pub use connection::{Connection, Counter, Direction, ProtoState, Status, Zone};
pub use filter::{Filter, NatTo};
pub use listing::{Format, list};
pub use next_segment::next_segment;
pub use settings::Settings;
pub use steady::{Action, Ahead};
pub use table::{Conntrack, EntryId, EntryView, Stats};
pub use timeouts::TimeoutPolicy;
pub use track::{PacketState, Tracked};

#[cfg(test)]
mod tests;
