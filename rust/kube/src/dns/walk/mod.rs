//! What the resolver of a C library asks for a name, and what it makes of the answers.
//!
//! Source: glibc 2.36 resolv/ and nss/; musl 1.2.3 src/network; resolv.conf(5), hosts(5), getaddrinfo(3).

mod case;
mod glibc;
mod literal;
mod musl;
mod net;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

pub use case::run_resolver;
use literal::Hosts;
pub use net::Network;

/// The C library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Libc {
    /// GNU's, 2.36.
    Glibc,
    /// musl, 1.2.3.
    Musl,
}

/// Which addresses are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CallFamily {
    /// Both.
    Unspec,
    /// IPv4.
    Inet,
    /// IPv6.
    Inet6,
}

impl CallFamily {
    fn takes(self, address: IpAddr) -> bool {
        match self {
            CallFamily::Unspec => true,
            CallFamily::Inet => address.is_ipv4(),
            CallFamily::Inet6 => address.is_ipv6(),
        }
    }

    /// The types that are asked, in their order.
    fn types(self) -> &'static [&'static str] {
        match self {
            CallFamily::Unspec => &["A", "AAAA"],
            CallFamily::Inet => &["A"],
            CallFamily::Inet6 => &["AAAA"],
        }
    }
}

/// One getaddrinfo(3).
#[derive(Clone, Debug)]
pub struct Call {
    /// The name.
    pub name: String,
    /// The family.
    pub family: CallFamily,
    /// Whether the canonical name is asked for.
    pub canonical: bool,
    /// `AI_ADDRCONFIG`.
    pub addrconfig: bool,
    /// `AI_V4MAPPED`.
    pub v4mapped: bool,
}

/// `/etc/resolv.conf` as it is written.
#[derive(Clone, Debug, Default, serde::Deserialize)]
pub struct ResolvConfFile {
    /// Servers, in order.
    pub nameservers: Vec<String>,
    /// The search list.
    #[serde(default)]
    pub search: Vec<String>,
    /// Options, such as `ndots:5`.
    #[serde(default)]
    pub options: Vec<String>,
}

impl ResolvConfFile {
    fn has(&self, option: &str) -> bool {
        self.options.iter().any(|it| it == option)
    }

    /// The number of the last `name:N`, at most that.
    fn number(&self, name: &str, unless_said: usize, max: usize) -> usize {
        let value = |it: &String| it.strip_prefix(name)?.strip_prefix(':')?.parse::<usize>().ok();
        self.options.iter().rev().find_map(value).unwrap_or(unless_said).min(max)
    }

    /// Source: resolv.conf(5), `MAXNS`; without any, the machine itself.
    fn servers(&self) -> Vec<String> {
        let mut servers: Vec<String> = self.nameservers.iter().take(3).cloned().collect();
        if servers.is_empty() {
            servers.push("127.0.0.1".to_owned());
        }
        servers
    }
}

/// Why there is no address: the end of the constant's name, as in `EAI_NONAME`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallError {
    /// No such name.
    NoName,
    /// The name exists without such an address.
    NoData,
    /// Servers failed or were silent.
    Again,
    /// The text is an address of the other family.
    AddrFamily,
}

impl CallError {
    /// The name without `EAI_`.
    pub fn name(self) -> &'static str {
        match self {
            CallError::NoName => "NONAME",
            CallError::NoData => "NODATA",
            CallError::Again => "AGAIN",
            CallError::AddrFamily => "ADDRFAMILY",
        }
    }
}

/// What a call found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolved {
    /// The addresses.
    pub addresses: Vec<IpAddr>,
    /// The canonical name, whether asked for or not.
    pub canonical: String,
}

/// Makes a call: what was asked is in the network's log then.
pub fn call(
    libc: Libc,
    conf: &ResolvConfFile,
    hosts: &[String],
    call: &Call,
    network: &mut Network,
) -> Result<Resolved, CallError> {
    let hosts = Hosts(hosts);
    match libc {
        Libc::Glibc => glibc::Resolver::new(conf, network).call(call, hosts),
        Libc::Musl => musl::Resolver::new(conf, network).call(call, hosts),
    }
}

/// An IPv4 address as IPv6 takes it.
fn mapped(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) => IpAddr::V6(v4.to_ipv6_mapped()),
        IpAddr::V6(_) => address,
    }
}

/// Whether a name can be put into a message: labels of 1 to 63 bytes, 253 in all, one dot at the end or none.
/// Source: RFC 1035 section 2.3.4.
fn can_be_asked(name: &str) -> bool {
    let bare = name.strip_suffix('.').unwrap_or(name);
    bare.len() <= 253 && bare.split('.').all(|label| (1..=63).contains(&label.len()))
}
