//! The five places where the kernel calls base chains.

use crate::Table;

/// A hook of IPv4 or IPv6, in the order in which base chains are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hook {
    /// A packet came in by a device.
    Prerouting,
    /// It is for this host.
    Input,
    /// It goes on to another host.
    Forward,
    /// This host sent it.
    Output,
    /// It is about to leave.
    Postrouting,
}

impl Hook {
    /// All, in listing order.
    pub const ALL: [Hook; 5] =
        [Hook::Prerouting, Hook::Input, Hook::Forward, Hook::Output, Hook::Postrouting];

    /// The name of the base chains that it calls.
    pub const fn as_str(self) -> &'static str {
        match self {
            Hook::Prerouting => "PREROUTING",
            Hook::Input => "INPUT",
            Hook::Forward => "FORWARD",
            Hook::Output => "OUTPUT",
            Hook::Postrouting => "POSTROUTING",
        }
    }

    /// The hook that calls base chains of this name.
    pub fn of(name: &str) -> Option<Hook> {
        Hook::ALL.into_iter().find(|hook| hook.as_str() == name)
    }

    /// Whether `table` has a base chain here.
    pub fn is_in(self, table: Table) -> bool {
        table.base_chains().contains(&self.as_str())
    }
}
