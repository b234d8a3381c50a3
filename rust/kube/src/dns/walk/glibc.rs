//! glibc's resolver: one server after the other, the search list, and what it does when answers are missing.
//!
//! Source: glibc 2.36 resolv/res_query.c, resolv/res_send.c, resolv/nss_dns/dns-host.c, sysdeps/posix/getaddrinfo.c.

use std::net::IpAddr;

use super::literal::{Hosts, numeric};
use super::net::{Asking, Code, Network, Reply};
use super::{Call, CallError, CallFamily, ResolvConfFile, Resolved, can_be_asked, mapped};
use crate::dns::server::{Message, RecordData};

/// What is taken over UDP, without and with the option `edns0`.
const UDP_SIZES: [usize; 2] = [512, 1200];
/// The buffer for addresses of both families, which doubles when it does not suffice, and what one address takes in it.
const BUFFER_MIN: usize = 1024;
const TUPLE_LEN: usize = 40;

/// Why a name had no data. Source: `h_errno`, netdb.h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    NotFound,
    NoData,
    /// Servers failed; whether the last answer said SERVFAIL.
    TryAgain {
        is_servfail: bool,
    },
    /// Every server's port is closed.
    Closed,
    NoRecovery,
    /// CNAMEs that lead to no address: an answer, so that nothing else is asked.
    OnlyCnames,
}

impl Failure {
    fn error(self) -> CallError {
        match self {
            Failure::NotFound | Failure::NoRecovery | Failure::OnlyCnames => CallError::NoName,
            Failure::NoData => CallError::NoData,
            Failure::TryAgain { .. } | Failure::Closed => CallError::Again,
        }
    }
}

#[allow(clippy::struct_excessive_bools)] // each is an option of its own in resolv.conf
pub(super) struct Resolver<'n> {
    network: &'n mut Network,
    servers: Vec<String>,
    search: Vec<String>,
    ndots: usize,
    attempts: usize,
    asks_tld: bool,
    asks_aaaa: bool,
    uses_tcp: bool,
    udp_size: usize,
    /// A and AAAA one after the other. Set for good once one of them had no answer.
    is_single: bool,
    is_single_reopen: bool,
    heard: Heard,
}

/// Answers by type, in the order of the types.
type Answers = Vec<Option<(Code, Message)>>;

/// The last that was heard of any server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    /// Nothing: every port is closed.
    Nothing,
    /// Silence, from a port that is open.
    Silence,
    /// An answer with this code.
    Answer(Code),
}

/// What one server made of a question.
enum Sent {
    Done(Answers),
    Cut,
    NextServer,
}

impl<'n> Resolver<'n> {
    pub(super) fn new(conf: &ResolvConfFile, network: &'n mut Network) -> Resolver<'n> {
        network.tell_server(conf.nameservers.len() > 1);
        Resolver {
            network,
            servers: conf.servers(),
            search: conf.search.clone(),
            ndots: conf.number("ndots", 1, 15),
            attempts: conf.number("attempts", 2, 5),
            asks_tld: !conf.has("no-tld-query"),
            asks_aaaa: !conf.has("no-aaaa"),
            uses_tcp: conf.has("use-vc"),
            udp_size: UDP_SIZES[usize::from(conf.has("edns0"))],
            is_single: conf.has("single-request") || conf.has("single-request-reopen"),
            is_single_reopen: conf.has("single-request-reopen"),
            heard: Heard::Nothing,
        }
    }

    pub(super) fn call(&mut self, call: &Call, hosts: Hosts<'_>) -> Result<Resolved, CallError> {
        // Only the loopback device has addresses, and that does not count as configured.
        if call.addrconfig && call.family != CallFamily::Unspec {
            return Err(CallError::NoName);
        }
        if let Some(address) = numeric(&call.name) {
            let maps = call.v4mapped && call.family == CallFamily::Inet6;
            let address = if maps { mapped(address) } else { address };
            let found = Resolved { addresses: vec![address], canonical: call.name.clone() };
            return if call.family.takes(address) { Ok(found) } else { Err(CallError::AddrFamily) };
        }
        if let Some(found) = in_hosts(call, hosts) {
            return Ok(found);
        }
        if call.family == CallFamily::Unspec {
            return self.both(&call.name).map_err(Failure::error);
        }
        let first = self.walk(&call.name, call.family).map_err(Failure::error);
        if !call.v4mapped || call.family != CallFamily::Inet6 {
            return first;
        }
        first.or_else(|first| self.mapped_instead(&call.name, first))
    }

    fn mapped_instead(&mut self, name: &str, first: CallError) -> Result<Resolved, CallError> {
        let second = self.walk(name, CallFamily::Inet).map_err(Failure::error);
        match second {
            Ok(Resolved { addresses, canonical }) => {
                Ok(Resolved { addresses: addresses.into_iter().map(mapped).collect(), canonical })
            }
            Err(second) if first == CallError::NoName || second == CallError::NoName => {
                Err(CallError::NoName)
            }
            Err(second) => Err(if first == CallError::Again { first } else { second }),
        }
    }

    /// Both families at once. The whole walk is made again with a buffer of twice the size until the addresses fit.
    fn both(&mut self, name: &str) -> Result<Resolved, Failure> {
        let family = if self.asks_aaaa { CallFamily::Unspec } else { CallFamily::Inet };
        let mut room = BUFFER_MIN;
        loop {
            let found = self.walk(name, family)?;
            let need = found.canonical.len() + 1 + TUPLE_LEN * found.addresses.len();
            if need <= room {
                return Ok(found);
            }
            room *= 2;
        }
    }

    /// The search list and the absolute name. Source: `__res_context_search`.
    fn walk(&mut self, name: &str, family: CallFamily) -> Result<Resolved, Failure> {
        let dots = name.matches('.').count();
        let is_absolute = name.ends_with('.');
        let mut first = None;
        if dots >= self.ndots || is_absolute {
            match self.name(name, family) {
                Err(failure) if !is_absolute && failure != Failure::OnlyCnames => first = Some(failure),
                end => return end,
            }
        }
        let mut seen = Seen { last: first, ..Seen::default() };
        for domain in self.search.clone() {
            let domain = domain.strip_prefix('.').unwrap_or(&domain);
            seen.root |= domain.is_empty();
            match self.name(&format!("{name}.{domain}"), family) {
                Ok(found) => return Ok(found),
                Err(end @ (Failure::Closed | Failure::OnlyCnames)) => return Err(end),
                Err(failure) if seen.ends_list(failure) => break,
                Err(_) => {}
            }
        }
        let wants_it = dots > 0 || self.search.is_empty() || self.asks_tld;
        if wants_it && first.is_none() && !seen.root {
            match self.name(name, family) {
                Ok(found) => return Ok(found),
                Err(Failure::OnlyCnames) => return Err(Failure::OnlyCnames),
                Err(failure) => seen.last = Some(failure),
            }
        }
        Err(first.unwrap_or_else(|| seen.failure()))
    }

    /// One absolute name. Source: `__res_context_query`.
    fn name(&mut self, name: &str, family: CallFamily) -> Result<Resolved, Failure> {
        let bare = name.strip_suffix('.').unwrap_or(name);
        if !can_be_asked(name) || bare.ends_with('.') {
            return Err(Failure::NoRecovery);
        }
        // Without AAAA, its askers ask A to learn whether the name exists, and have no data of it.
        let hides = !self.asks_aaaa && family == CallFamily::Inet6;
        let types = if hides { CallFamily::Inet.types() } else { family.types() };
        let answers = self.ask(&format!("{bare}."), types)?;
        let with_data: Vec<&Message> = answers
            .iter()
            .flatten()
            .filter(|(code, message)| *code == Code::NoError && !message.answers.is_empty())
            .map(|(_, message)| message)
            .collect();
        let resolved = resolved(bare, &with_data);
        if !hides && !resolved.addresses.is_empty() {
            return Ok(resolved);
        }
        let failed = answers.iter().flatten().map(|it| it.0).find(|code| *code != Code::NoError);
        Err(match failed {
            _ if !with_data.is_empty() && !hides => Failure::OnlyCnames,
            _ if hides && !with_data.is_empty() => Failure::NoData,
            None => Failure::NoData,
            Some(Code::NxDomain) => Failure::NotFound,
            Some(Code::ServFail) => Failure::TryAgain { is_servfail: true },
            Some(_) => Failure::NoRecovery,
        })
    }

    /// Every server in turn, as often as there are attempts. Source: `__res_context_send`.
    fn ask(&mut self, name: &str, types: &[&'static str]) -> Result<Answers, Failure> {
        self.heard = Heard::Nothing;
        for _ in 0..self.attempts {
            for server in self.servers.clone() {
                let mut sent = Sent::Cut;
                if !self.uses_tcp {
                    sent = self.over_udp(name, types, &server);
                }
                if matches!(sent, Sent::Cut) {
                    sent = self.over_tcp(name, types, &server);
                }
                if let Sent::Done(answers) = sent {
                    return Ok(answers);
                }
            }
        }
        Err(match self.heard {
            Heard::Nothing => Failure::Closed,
            heard => Failure::TryAgain { is_servfail: heard == Heard::Answer(Code::ServFail) },
        })
    }

    /// Source: `send_dg`. What one of two questions failed with does not count if the other was answered.
    fn over_udp(&mut self, name: &str, types: &[&'static str], server: &str) -> Sent {
        loop {
            let replies = self.send_all(name, types, server);
            if replies.iter().all(|reply| matches!(reply, Reply::Closed)) {
                return Sent::NextServer;
            }
            self.network.wait();
            if replies.iter().any(is_cut) {
                return Sent::Cut;
            }
            let mut answers: Answers = replies.into_iter().map(|reply| self.hear(reply)).collect();
            answers.resize(types.len(), None);
            let has_silence = answers.iter().any(Option::is_none);
            for answer in &mut answers {
                *answer = answer.take().filter(|it| !is_failure(it.0));
            }
            if answers.iter().all(Option::is_none) {
                return Sent::NextServer;
            }
            if !has_silence || !self.asks_less_at_once() {
                return Sent::Done(answers);
            }
        }
    }

    /// Sends the questions at once, or each after the answer to the one before.
    fn send_all(&mut self, name: &str, types: &[&'static str], server: &str) -> Vec<Reply> {
        let mut replies = Vec::new();
        for rtype in types {
            let question = Asking { name, rtype, is_tcp: false, udp_size: self.udp_size };
            let reply = self.network.send(&question, server);
            // What fails is not followed by the other question: the answer to that is waited for in vain.
            let ends = !matches!(&reply, Reply::Message(code, message) if !message.tc && !is_failure(*code));
            if self.is_single && !matches!(reply, Reply::Closed) {
                self.network.wait();
            }
            replies.push(reply);
            if self.is_single && ends {
                break;
            }
        }
        replies
    }

    fn hear(&mut self, reply: Reply) -> Option<(Code, Message)> {
        let Reply::Message(code, message) = reply else {
            if self.heard == Heard::Nothing {
                self.heard = Heard::Silence;
            }
            return None;
        };
        self.heard = Heard::Answer(code);
        Some((code, message))
    }

    /// The server may not take two questions from one port: one after the other, then from two ports.
    fn asks_less_at_once(&mut self) -> bool {
        let is_less = !self.is_single || !self.is_single_reopen;
        self.is_single_reopen = self.is_single;
        self.is_single = true;
        is_less
    }

    fn over_tcp(&mut self, name: &str, types: &[&'static str], server: &str) -> Sent {
        let mut replies = Vec::new();
        for rtype in types {
            let question = Asking { name, rtype, is_tcp: true, udp_size: self.udp_size };
            replies.push(self.network.send(&question, server));
        }
        if replies.iter().any(|reply| matches!(reply, Reply::Closed)) {
            return Sent::NextServer;
        }
        self.network.wait();
        let answers: Answers = replies.into_iter().map(|reply| self.hear(reply)).collect();
        if answers.iter().all(Option::is_none) { Sent::NextServer } else { Sent::Done(answers) }
    }
}

/// Whether the next server is asked instead.
fn is_failure(code: Code) -> bool {
    matches!(code, Code::ServFail | Code::NotImp | Code::Refused)
}

fn is_cut(reply: &Reply) -> bool {
    matches!(reply, Reply::Message(_, message) if message.tc)
}

/// What the search list met.
#[derive(Default)]
struct Seen {
    nodata: bool,
    servfail: bool,
    root: bool,
    last: Option<Failure>,
}

impl Seen {
    /// Whether the failure ends the search list: all but "no such name" and SERVFAIL do.
    fn ends_list(&mut self, failure: Failure) -> bool {
        self.last = Some(failure);
        self.nodata |= failure == Failure::NoData;
        self.servfail |= failure == Failure::TryAgain { is_servfail: true };
        matches!(failure, Failure::TryAgain { is_servfail: false } | Failure::NoRecovery)
    }

    fn failure(&self) -> Failure {
        match self.last {
            _ if self.nodata => Failure::NoData,
            _ if self.servfail => Failure::TryAgain { is_servfail: true },
            last => last.unwrap_or(Failure::NotFound),
        }
    }
}

/// Addresses of the messages, and the name at the end of their CNAMEs.
fn resolved(name: &str, messages: &[&Message]) -> Resolved {
    let mut found = Resolved { addresses: Vec::new(), canonical: name.to_owned() };
    for record in messages.iter().flat_map(|message| &message.answers) {
        if let RecordData::Cname(target) = &record.data {
            target.trim_end_matches('.').clone_into(&mut found.canonical);
        }
        found.addresses.extend(record.address());
    }
    found
}

/// Lines of `/etc/hosts`; a name that is there for the other family alone goes on to DNS.
fn in_hosts(call: &Call, hosts: Hosts<'_>) -> Option<Resolved> {
    let lines = hosts.find(&call.name, false);
    let addresses = |family: CallFamily| -> Vec<IpAddr> {
        lines.iter().map(|line| line.0).filter(|it| family.takes(*it)).collect()
    };
    let mut found = addresses(call.family);
    if found.is_empty() && call.v4mapped && call.family == CallFamily::Inet6 {
        found = addresses(CallFamily::Inet).into_iter().map(mapped).collect();
    }
    let canonical = lines.iter().find(|line| found.contains(&line.0) || found.contains(&mapped(line.0)))?.1;
    Some(Resolved { addresses: found, canonical: canonical.to_owned() })
}
