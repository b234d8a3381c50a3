//! What differs between releases of kube-proxy, as named switches.

use std::fmt;
use std::str::FromStr;

use crate::Error;

/// A release of kube-proxy: the switches that its rules depend on.
///
/// Source: rule sets that kube-proxy 1.30.5, 1.31.14, 1.32.13, 1.33.13, 1.34.9, 1.35.6 and 1.36.3 left in a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // independent switches
pub struct Profile {
    /// The minor release: 36 for 1.36.
    pub minor: u8,
    /// nfacct counters are matched where they could be made (1.31 on).
    pub nfacct: bool,
    /// Topology hints count only where the Service has the topology annotation (up to 1.30); later by presence.
    pub hints_need_annotation: bool,
    /// Endpoint addresses are parsed and printed canonically before chain names are hashed (1.31 on).
    pub canonical_endpoint_text: bool,
    /// `--nodeport-addresses` takes the word `primary` (1.31 on).
    pub primary_node_port_address: bool,
    /// Hints that name nodes are honoured (gate `PreferSameTrafficDistribution`, on from 1.34).
    pub same_node_hints: bool,
    /// A zero CIDR among `loadBalancerSourceRanges` opens the family (1.34 on); before, it is a range like any other.
    pub zero_source_range_opens: bool,
    /// Which labels hide an object from the proxy.
    pub watch: Watch,
    /// Which of several copies of one endpoint counts.
    pub copies: Copies,
    /// How syncs are spaced.
    pub pacing: Pacing,
    /// Which entries of connection tracking a sync deletes.
    pub cleanup: Cleanup,
    /// Decimals of `--probability`.
    pub probability_decimals: u8,
    /// What nftables mode writes.
    pub nft: NftProfile,
}

/// The switches of nftables mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // independent switches
pub struct NftProfile {
    /// Source ranges before DNAT at -110 and the rest at priority 0 (1.33 on); before, nearly all at -110.
    pub checks_after_dnat: bool,
    /// The rule that masquerades cluster-IP traffic of a Service names its port too (up to 1.33).
    pub masquerade_names_port: bool,
    /// Devices are matched by name; before 1.33 by index, so they must exist when the rules are loaded.
    pub devices_by_name: bool,
    /// ServiceCIDR objects are read, and packets to unallocated cluster IPs dropped (1.33 on).
    pub service_cidrs: bool,
    /// One rule translates to all endpoints of a Service without affinity, and one set holds the hairpins (1.36 on).
    pub one_rule: bool,
    /// Elements of `firewall-ips` carry a comment (1.30).
    pub firewall_comments: bool,
    /// Without `--nodeport-addresses` of a family, its primary address alone takes node ports (1.30); later, all.
    pub primary_by_default: bool,
}

impl NftProfile {
    const fn of(minor: u8) -> NftProfile {
        NftProfile {
            checks_after_dnat: minor >= 33,
            masquerade_names_port: minor <= 33,
            devices_by_name: minor >= 33,
            service_cidrs: minor >= 33,
            one_rule: minor >= 36,
            firewall_comments: minor <= 30,
            primary_by_default: minor <= 30,
        }
    }
}

/// The label selectors of the proxy's watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// Services and slices alike: neither labelled `service-proxy-name` nor `headless` (up to 1.35).
    BothLabels,
    /// Services by `service-proxy-name` and slices by `headless` (1.36 on).
    LabelByKind,
}

/// Which of several copies of one IP and port counts; equal copies: the first by slice name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copies {
    /// A copy on this node wins (up to 1.35).
    LocalWins,
    /// A copy that is not terminating wins (1.36 on).
    NotTerminatingWins,
}

/// How syncs are spaced: `minSyncPeriod`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pacing {
    /// That long from start to start, but two may follow each other (up to 1.33).
    Burst,
    /// That long from the end of one to the start of the next (1.34 on).
    AfterEnd,
}

/// How stale UDP entries are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cleanup {
    /// By what each change was (up to 1.31).
    Events,
    /// By comparing all entries with the Services, less those without serving endpoints (1.32 to 1.36).
    Reconciler,
    /// By comparing all entries with all Services: later than 1.36, and an option here.
    Fixed,
}

impl Profile {
    /// The first release with a profile.
    pub const FIRST: u8 = 30;
    /// The last release with a profile, which is the default.
    pub const LAST: u8 = 36;

    /// The profile of `1.minor`, if there is one.
    pub const fn of(minor: u8) -> Option<Profile> {
        if minor < Profile::FIRST || minor > Profile::LAST {
            return None;
        }
        Some(Profile {
            minor,
            nfacct: minor >= 31,
            hints_need_annotation: minor <= 30,
            canonical_endpoint_text: minor >= 31,
            primary_node_port_address: minor >= 31,
            same_node_hints: minor >= 34,
            zero_source_range_opens: minor >= 34,
            watch: if minor >= 36 { Watch::LabelByKind } else { Watch::BothLabels },
            copies: if minor >= 36 { Copies::NotTerminatingWins } else { Copies::LocalWins },
            pacing: if minor >= 34 { Pacing::AfterEnd } else { Pacing::Burst },
            cleanup: if minor >= 32 { Cleanup::Reconciler } else { Cleanup::Events },
            probability_decimals: 10,
            nft: NftProfile::of(minor),
        })
    }
}

impl Default for Profile {
    fn default() -> Profile {
        Profile::of(Profile::LAST).expect("the last release has a profile")
    }
}

impl FromStr for Profile {
    type Err = Error;

    /// Reads `1.33`; a leading `v` and a patch release (`v1.33.2`) are taken too.
    fn from_str(text: &str) -> Result<Profile, Error> {
        let mut parts = text.strip_prefix('v').unwrap_or(text).splitn(3, '.');
        let minor = match (parts.next(), parts.next(), parts.next()) {
            (Some("1"), Some(minor), None) => minor.parse().ok(),
            (Some("1"), Some(minor), Some(patch)) if patch.parse::<u16>().is_ok() => minor.parse().ok(),
            _ => None,
        };
        minor.and_then(Profile::of).ok_or_else(|| Error::UnknownRelease { found: text.to_owned() })
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1.{}", self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_release_reads_back() {
        for minor in Profile::FIRST..=Profile::LAST {
            let profile: Profile = format!("1.{minor}").parse().unwrap();
            assert_eq!((profile.minor, profile.to_string()), (minor, format!("1.{minor}")));
        }
        assert_eq!("v1.33.2".parse::<Profile>().unwrap().minor, 33);
        assert_eq!(Profile::default().to_string(), "1.36");
    }

    #[test]
    fn unknown_releases_are_named() {
        for bad in ["1.29", "1.37", "2.30", "1", "", "1.33.x", "1.300"] {
            assert_eq!(bad.parse::<Profile>().unwrap_err().code(), "proxy-unknown-release", "{bad}");
        }
    }
}
