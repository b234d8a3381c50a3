//! What the ways of steady connections depend on, beside the connections themselves.

use crate::Sysctls;
use crate::host::Host;

/// The versions of a box's rules, devices and routes, and its sysctls, at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    rules: u64,
    devices: u64,
    routes: u64,
    sysctls: Sysctls,
    holds: bool,
}

impl Standing {
    pub(crate) fn of(host: &Host, rules: u64) -> Standing {
        Standing {
            rules,
            devices: host.devices.version(),
            routes: host.routes.version(),
            sysctls: host.sysctls,
            holds: host.holds,
        }
    }
}
