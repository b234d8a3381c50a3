//! musl's resolver: every server at once, and the search list only for names with few dots.
//!
//! Source: musl 1.2.3 src/network/lookup_name.c, res_msend.c, resolvconf.c.

use std::net::IpAddr;

use super::literal::{Hosts, numeric};
use super::net::{Asking, Code, Network, Reply};
use super::{Call, CallError, CallFamily, ResolvConfFile, Resolved, can_be_asked, mapped};
use crate::dns::server::{Message, RecordData};

/// Bytes of a line of resolv.conf that are read; a longer line is dropped.
const LINE_LEN_MAX: usize = 254;
/// Addresses that a call gives at most. Source: src/network/lookup.h, `MAXADDRS`.
const ADDRESSES_MAX: usize = 48;
/// Bytes of a name with its domain.
const NAME_LEN_MAX: usize = 255;

pub(super) struct Resolver<'n> {
    network: &'n mut Network,
    servers: Vec<String>,
    search: Vec<String>,
    ndots: usize,
    attempts: usize,
}

/// What became of one name: messages by type, or no such name.
enum Found {
    Data(Resolved),
    Missing,
}

impl<'n> Resolver<'n> {
    pub(super) fn new(conf: &ResolvConfFile, network: &'n mut Network) -> Resolver<'n> {
        let servers = conf.servers();
        network.tell_server(conf.nameservers.len() > 1);
        let line = "search ".len() + conf.search.join(" ").len();
        let search = if line > LINE_LEN_MAX { Vec::new() } else { conf.search.clone() };
        let (ndots, attempts) = (conf.number("ndots", 1, 15), conf.number("attempts", 2, 10).max(1));
        Resolver { network, servers, search, ndots, attempts }
    }

    pub(super) fn call(&mut self, call: &Call, hosts: Hosts<'_>) -> Result<Resolved, CallError> {
        let maps = call.v4mapped && call.family == CallFamily::Inet6;
        let family = if maps { CallFamily::Unspec } else { call.family };
        let mut resolved = self.resolve(&call.name, family, hosts)?;
        if maps {
            if resolved.addresses.iter().any(IpAddr::is_ipv6) {
                resolved.addresses.retain(IpAddr::is_ipv6);
            }
            resolved.addresses = resolved.addresses.into_iter().map(mapped).collect();
        }
        Ok(resolved)
    }

    fn resolve(&mut self, name: &str, family: CallFamily, hosts: Hosts<'_>) -> Result<Resolved, CallError> {
        if name.is_empty() || name.len() >= NAME_LEN_MAX {
            return Err(CallError::NoName);
        }
        if let Some(address) = numeric(name) {
            let fits = family.takes(address);
            let found = Resolved { addresses: vec![address], canonical: name.to_owned() };
            return if fits { Ok(found) } else { Err(CallError::NoName) };
        }
        // A name that is there for the other family alone is not asked.
        let lines = hosts.find(name, true);
        if let Some((_, first)) = lines.first() {
            let addresses: Vec<IpAddr> =
                lines.iter().map(|line| line.0).filter(|it| family.takes(*it)).collect();
            let found = Resolved { addresses, canonical: (*first).to_owned() };
            return if found.addresses.is_empty() { Err(CallError::NoName) } else { Ok(found) };
        }
        self.search(name, family)
    }

    fn search(&mut self, name: &str, family: CallFamily) -> Result<Resolved, CallError> {
        let bare = name.strip_suffix('.').unwrap_or(name);
        if bare.is_empty() || bare.ends_with('.') {
            return Err(CallError::NoName);
        }
        let is_absolute = bare.len() < name.len() || name.matches('.').count() >= self.ndots;
        let search = if is_absolute { Vec::new() } else { self.search.clone() };
        let candidates = search.iter().map(|domain| format!("{bare}.{domain}"));
        for candidate in candidates.filter(|it| it.len() <= NAME_LEN_MAX).chain([bare.to_owned()]) {
            match self.name(&candidate, family)? {
                Found::Missing => {}
                Found::Data(found) if found.addresses.is_empty() => return Err(CallError::NoName),
                Found::Data(found) => return Ok(found),
            }
        }
        Err(CallError::NoName)
    }

    fn name(&mut self, name: &str, family: CallFamily) -> Result<Found, CallError> {
        if !can_be_asked(name) {
            return Ok(Found::Missing);
        }
        let asked = format!("{}.", name.strip_suffix('.').unwrap_or(name));
        let mut canonical = name.to_owned();
        let mut addresses = Vec::new();
        let answers = self.ask(&asked, family.types());
        for answer in &answers {
            match answer {
                None => return Err(CallError::Again),
                Some((Code::NxDomain, _)) => return Ok(Found::Missing),
                Some(_) => {}
            }
        }
        for (_, message) in answers.into_iter().flatten().rev() {
            for record in message.answers {
                if let RecordData::Cname(target) = &record.data {
                    target.trim_end_matches('.').clone_into(&mut canonical);
                }
                addresses.extend(record.address());
            }
        }
        addresses.truncate(ADDRESSES_MAX);
        Ok(Found::Data(Resolved { addresses, canonical }))
    }

    /// Asks until each type has an answer or time is up. Failures are asked again at once, twice for each type and
    /// attempt; refusals are as good as no answer.
    fn ask(&mut self, name: &str, types: &[&'static str]) -> Vec<Option<(Code, Message)>> {
        let mut answers: Vec<Option<(Code, Message)>> = vec![None; types.len()];
        for _ in 0..self.attempts {
            let mut again = 2 * types.len();
            let servers = self.servers.clone();
            let missing =
                |answers: &[Option<_>]| (0..types.len()).filter(|at| answers[*at].is_none()).collect();
            let open: Vec<usize> = missing(&answers);
            let mut round: Vec<(usize, &String)> =
                open.into_iter().flat_map(|at| servers.iter().map(move |server| (at, server))).collect();
            while !round.is_empty() {
                let mut next = Vec::new();
                for (at, server) in round {
                    let question = Asking { name, rtype: types[at], is_tcp: false, udp_size: 512 };
                    match self.network.send(&question, server) {
                        Reply::Message(code @ (Code::NoError | Code::NxDomain), message) => {
                            answers[at].get_or_insert((code, message));
                        }
                        Reply::Message(Code::ServFail, _) if again > 0 => {
                            again -= 1;
                            next.push((at, server));
                        }
                        Reply::Message(..) | Reply::Silence | Reply::Closed => {}
                    }
                }
                self.network.wait();
                round = next;
            }
            if answers.iter().all(Option::is_some) {
                break;
            }
        }
        answers
    }
}
