//! Addresses, tuples and packet headers.
//!
//! A packet is parsed once, at the edge, into [`Headers`]; rules, connection tracking and NAT work on those alone.
//! Where bytes came in, [`wire::patch`] carries what NAT changed back into them, checksums included.

mod addr;
pub mod capture;
mod columns;
mod headers;
mod option_kinds;
mod packets;
mod proto;
mod tuple;
pub mod wire;

pub use addr::{Cidr, Family, parse_ip_lenient};
pub use columns::{FlowColumns, VerdictColumns, Verdicts};
pub use headers::{Fragment, Gre, Headers, Quoted, Sctp, SctpChunk, Tcp, TcpOptions, flags};
pub use option_kinds::OptionKinds;
pub use packets::{PacketColumns, PacketVerdicts};
pub use proto::Proto;
pub use tuple::Tuple;
