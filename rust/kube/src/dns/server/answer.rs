//! From a question to its message.
//!
//! Source: CoreDNS 1.14 plugin/kubernetes/handler.go, plugin/backend_lookup.go, core/dnsserver/server.go.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::find::{Asked, Found, NoName, has_port};
use super::record::{RecordData, ResourceRecord, absolute, is_below};
use super::size::truncate;
use super::{Edns, Message, QueryType, Question, ResponseCode, Server};

/// So many CNAMEs may stand before one. Source: CoreDNS plugin/backend_lookup.go, `maxCnameChainLength`.
const CNAMES_BEFORE_MAX: usize = 10;
/// How often a question may lead to another one of the same server. The real server has no limit, and ends itself.
const LOOKUPS_MAX: usize = 8;
/// A SOA record is kept no longer, in seconds. Source: CoreDNS plugin/backend_lookup.go, `SOA`.
const SOA_TTL_MAX: u32 = 300;

/// Records for the sections Answer and Additional, and whether a part of them was cut.
#[derive(Default)]
struct Records {
    answers: Vec<ResourceRecord>,
    additional: Vec<ResourceRecord>,
    is_cut: bool,
}

/// A question within a zone.
#[derive(Clone, Copy)]
struct InZone<'q> {
    question: &'q Question,
    /// The name in lower case.
    lower: &'q str,
    /// The zone in the letter case of the name.
    zone: &'q str,
    depth: usize,
}

impl InZone<'_> {
    fn asked<'q>(&'q self, rtype: &'q QueryType) -> Asked<'q> {
        Asked { name: self.lower, zone: self.zone, rtype }
    }

    fn record(&self, found: &Found, data: RecordData) -> ResourceRecord {
        ResourceRecord { owner: self.question.name.clone(), ttl: found.ttl, data }
    }
}

impl Server {
    /// Answers a question.
    pub fn answer(&self, question: &Question) -> Message {
        self.answer_at(question, 0)
    }

    fn answer_at(&self, question: &Question, depth: usize) -> Message {
        let is_foreign = !question.is_internet && self.upstream.is_none();
        if let Some(Edns { version: 1.., .. }) = question.edns.filter(|_| !is_foreign) {
            return Message { edns: Some((0, false)), ..Message::of(ResponseCode::BadVers) };
        }
        let mut message = if is_foreign || question.rtype == QueryType::Transfer {
            Message::of(ResponseCode::Refused)
        } else {
            self.of_plugins(question, depth)
        };
        message.edns = question.edns.map(|edns| (edns.size, edns.wants_dnssec));
        if message.rcode == ResponseCode::NoError {
            in_order(&mut message);
        }
        if question.is_udp {
            truncate(&mut message, &question.name, question.edns.map_or(0, |edns| usize::from(edns.size)));
        }
        message
    }

    fn of_plugins(&self, question: &Question, depth: usize) -> Message {
        let Some(zone) = self.config.zone_of(&question.name) else { return self.forward(question) };
        let lower = question.name.to_ascii_lowercase();
        match self.of_zone(InZone { question, lower: &lower, zone, depth }) {
            Err(NoName) if self.config.falls_through(&lower) => self.forward(question),
            Err(NoName) => self.empty(ResponseCode::NxDomain, zone),
            Ok(records) if records.answers.is_empty() => self.empty(ResponseCode::NoError, zone),
            Ok(Records { answers, additional, is_cut: tc }) => {
                Message { aa: true, tc, answers, additional, ..Message::of(ResponseCode::NoError) }
            }
        }
    }

    fn forward(&self, question: &Question) -> Message {
        let failed = || Message::of(ResponseCode::ServFail);
        self.upstream.as_ref().map_or_else(failed, |it| it.answer(&question.name, &question.rtype))
    }

    fn empty(&self, rcode: ResponseCode, zone: &str) -> Message {
        Message { aa: true, authority: vec![self.soa(zone)], ..Message::of(rcode) }
    }

    fn soa(&self, zone: &str) -> ResourceRecord {
        let data = RecordData::Soa { zone: zone.to_owned(), minimum: self.config.ttl };
        ResourceRecord { owner: zone.to_owned(), ttl: self.config.ttl.min(SOA_TTL_MAX), data }
    }

    fn of_zone(&self, at: InZone<'_>) -> Result<Records, NoName> {
        let is_apex = at.question.name.len() == at.zone.len();
        match &at.question.rtype {
            QueryType::A | QueryType::Aaaa => self.addresses(at, &mut Vec::new()),
            QueryType::Txt => self.texts_of(at),
            QueryType::Cname => self.cname(at),
            QueryType::Ptr => self.pointers(at),
            QueryType::Srv => self.servers(at),
            QueryType::Soa if is_apex => {
                Ok(Records { answers: vec![self.soa(at.zone)], ..Records::default() })
            }
            QueryType::Soa => Ok(Records::default()),
            QueryType::Ns if at.lower == at.zone => Ok(self.zone_servers(at)),
            QueryType::Mx => self.services(at.asked(&at.question.rtype)).map(|_| Records::default()),
            // Whether the name exists is found out by asking for its addresses.
            QueryType::Ns | QueryType::Transfer | QueryType::Other(_) => {
                self.services(at.asked(&QueryType::A)).map(|_| Records::default())
            }
        }
    }

    /// Addresses of a name, through CNAMEs. One inside the zone is told only if it leads to data.
    fn addresses(&self, at: InZone<'_>, before: &mut Vec<String>) -> Result<Records, NoName> {
        let rtype = &at.question.rtype;
        let mut records = Records::default();
        let mut seen = BTreeSet::new();
        for found in self.services(at.asked(rtype))? {
            let Some(ip) = found.address() else {
                self.follow(at, &found, before, &mut records);
                continue;
            };
            let is_wanted =
                matches!((rtype, ip), (QueryType::A, IpAddr::V4(_)) | (QueryType::Aaaa, IpAddr::V6(_)));
            if is_wanted && seen.insert(found.host.clone()) {
                records.answers.push(at.record(&found, RecordData::of_address(ip)));
            }
        }
        Ok(records)
    }

    fn follow(&self, at: InZone<'_>, found: &Found, before: &mut Vec<String>, records: &mut Records) {
        let target = absolute(&found.host);
        let is_circle = is_below(at.lower, &target) || before.contains(&target);
        if is_circle || before.len() > CNAMES_BEFORE_MAX {
            return;
        }
        let cname = at.record(found, RecordData::Cname(target.clone()));
        let question = Question { name: target.clone(), is_internet: true, ..at.question.clone() };
        if !is_below(at.zone, &target) {
            if at.depth < LOOKUPS_MAX {
                let message = self.answer_at(&question, at.depth + 1);
                records.is_cut |= message.tc;
                records.answers.push(cname);
                records.answers.extend(message.answers);
            }
            return;
        }
        let lower = target.to_ascii_lowercase();
        let next = InZone { question: &question, lower: &lower, zone: at.zone, depth: at.depth };
        before.push(target.clone());
        if let Ok(found) = self.addresses(next, before) {
            records.is_cut |= found.is_cut;
            if !found.answers.is_empty() {
                records.answers.push(cname);
                records.answers.extend(found.answers);
            }
        }
        before.pop();
    }

    fn texts_of(&self, at: InZone<'_>) -> Result<Records, NoName> {
        let found = self.services(at.asked(&QueryType::Txt))?;
        let text = |it: &Found| it.text.map(|text| at.record(it, RecordData::Txt(text.to_owned())));
        Ok(Records { answers: found.iter().filter_map(text).collect(), ..Records::default() })
    }

    fn cname(&self, at: InZone<'_>) -> Result<Records, NoName> {
        let found = self.services(at.asked(&QueryType::Cname))?;
        let first = found.first().filter(|it| it.address().is_none());
        let record = first.map(|it| at.record(it, RecordData::Cname(absolute(&it.host))));
        Ok(Records { answers: record.into_iter().collect(), ..Records::default() })
    }

    fn pointers(&self, at: InZone<'_>) -> Result<Records, NoName> {
        let Some(names) = self.reverse(at.lower) else {
            return self.records(at.asked(&QueryType::Ptr)).map(|_| Records::default());
        };
        let record = |name| ResourceRecord {
            owner: at.question.name.clone(),
            ttl: self.config.ttl,
            data: RecordData::Ptr(name),
        };
        Ok(Records { answers: names?.into_iter().map(record).collect(), ..Records::default() })
    }

    /// One record for each port of each target; the weight is the share before equal records are folded.
    fn servers(&self, at: InZone<'_>) -> Result<Records, NoName> {
        let found = self.services(at.asked(&QueryType::Srv))?;
        let weight = u16::try_from(100 / found.len().max(1)).unwrap_or(0).max(1);
        let mut records = Records::default();
        let (mut targets, mut addresses) = (BTreeSet::new(), BTreeSet::new());
        for it in found.iter().filter(|it| has_port(it)) {
            let Some(ip) = it.address() else { continue };
            let (target, port) = (it.name.clone(), u16::try_from(it.port).unwrap_or(0));
            if targets.insert((target.clone(), port)) {
                let data = RecordData::Srv { priority: 0, weight, port, target: target.clone() };
                records.answers.push(at.record(it, data));
            }
            if addresses.insert((target.clone(), it.host.clone())) {
                let data = RecordData::of_address(ip);
                records.additional.push(ResourceRecord { owner: target, ttl: it.ttl, data });
            }
        }
        Ok(records)
    }

    fn zone_servers(&self, at: InZone<'_>) -> Records {
        let mut records = Records::default();
        let mut seen = BTreeSet::new();
        for it in self.services(at.asked(&QueryType::Ns)).unwrap_or_default() {
            let Some(ip) = it.address() else { continue };
            if seen.insert(it.name.clone()) {
                records.answers.push(at.record(&it, RecordData::Ns(it.name.clone())));
            }
            let data = RecordData::of_address(ip);
            records.additional.push(ResourceRecord { owner: it.name, ttl: it.ttl, data });
        }
        records
    }
}

/// CNAMEs, others, addresses, mail exchangers. Source: CoreDNS plugin/loadbalance.
///
/// DEVIATION(dns-no-shuffle): the real server shuffles addresses. Here they keep their order, IPv4 and IPv6 in turn, so
/// that a message that is cut holds as many of both as most shuffles leave.
fn in_order(message: &mut Message) {
    let rank = |record: &ResourceRecord| match record.data {
        RecordData::Cname(_) => 0,
        RecordData::A(_) | RecordData::Aaaa(_) => 2,
        RecordData::Mx { .. } => 3,
        _ => 1,
    };
    for records in [&mut message.answers, &mut message.authority, &mut message.additional] {
        let mut nth = [0_usize; 2];
        let place = |record: ResourceRecord| {
            let family = usize::from(matches!(record.data, RecordData::Aaaa(_)));
            let turn = if rank(&record) == 2 { 2 * nth[family] + family } else { 0 };
            nth[family] += 1;
            (rank(&record), turn, record)
        };
        let mut placed: Vec<_> = std::mem::take(records).into_iter().map(place).collect();
        placed.sort_by_key(|(rank, turn, _)| (*rank, *turn));
        records.extend(placed.into_iter().map(|(_, _, record)| record));
    }
}
