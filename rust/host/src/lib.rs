//! One Linux box: devices, addresses, routes, and a packet's walk through the hooks.
//!
//! A packet comes in by a device or from the box itself, passes the hooks in the kernel's order, and leaves by a device, is
//! delivered, dropped or answered. The host knows no Service and no Pod: it has rules, routes and a conntrack table.

mod batch;
mod device;
mod error;
mod exchange;
mod fate;
mod fragments;
mod host;
mod ip_tool;
mod options;
mod packet;
mod packets;
mod route;
mod route_errors;
mod standing;
mod sysctl;
mod topology;
mod trace;
mod walk;

pub use batch::{Batch, RowVerdict};
pub use device::{Device, DeviceId, Devices, LOOPBACK};
pub use error::{CODES, Error};
pub use exchange::Exchange;
pub use fate::{AnswerReason, DropReason, Fate, SendError, Walk};
pub use host::{Evaluator, Host};
pub use packet::Packet;
pub use packets::STATE_UNSEEN;
pub use route::{MarkRule, RouteKind, Routes};
pub use sysctl::Sysctls;
pub use trace::{Note, Record, Silent, Step, Steps};
pub use walk::Held;
