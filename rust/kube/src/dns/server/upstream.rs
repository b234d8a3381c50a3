//! The resolver behind the cluster's server: records that are known, and nothing else.

use serde_json::Value;

use super::record::{RecordData, ResourceRecord, absolute};
use super::{CaseError, Message, QueryType, ResponseCode};

/// How many CNAMEs it follows. Its records are given, so a loop among them is the giver's.
const CNAMES_MAX: usize = 16;

/// A recursive resolver that knows these records.
#[derive(Clone, Debug, Default)]
pub struct Upstream {
    records: Vec<ResourceRecord>,
}

impl Upstream {
    /// Reads a list of `owner TTL IN TYPE data`.
    pub fn read(records: &Value) -> Result<Upstream, CaseError> {
        let read = |text: &Value| {
            let record = text.as_str().and_then(ResourceRecord::parse);
            record.ok_or_else(|| CaseError::new("records", format!("{text} is no record that is modelled")))
        };
        let records = records.as_array().into_iter().flatten().map(read).collect::<Result<_, _>>()?;
        Ok(Upstream { records })
    }

    /// Whether the name has a record of any type.
    pub fn has(&self, name: &str) -> bool {
        self.records.iter().any(|record| record.owner.eq_ignore_ascii_case(name))
    }

    /// Answers as a resolver does: AA clear, RA set, CNAMEs followed; NXDOMAIN without SOA for a name without records.
    pub(in crate::dns) fn answer(&self, name: &str, rtype: &QueryType) -> Message {
        let mut message = Message::of(ResponseCode::NoError);
        message.ra = true;
        if !self.has(name) {
            message.rcode = ResponseCode::NxDomain;
            return message;
        }
        let mut at = absolute(name);
        for _ in 0..CNAMES_MAX {
            let own = || self.records.iter().filter(|it| it.owner.eq_ignore_ascii_case(&at));
            let as_asked = |it: &ResourceRecord| ResourceRecord { owner: at.clone(), ..it.clone() };
            let wanted: Vec<_> = own().filter(|it| rtype.is(&it.data)).map(as_asked).collect();
            let next = own().find(|it| matches!(it.data, RecordData::Cname(_)));
            let Some(next) = next.filter(|_| wanted.is_empty()).map(as_asked) else {
                message.answers.extend(wanted);
                break;
            };
            if let RecordData::Cname(target) = &next.data {
                let target = target.clone();
                message.answers.push(next);
                at = target;
            }
        }
        message
    }
}
