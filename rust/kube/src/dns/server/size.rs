//! How long a message is, and what is left of one that is too long.
//!
//! Source: RFC 1035 section 4.1.4 (compression), RFC 2782 (no compression of an SRV target), RFC 6891 section 6.2.5;
//! the order of cutting: miekg/dns 1.1 msg_truncate.go, `Msg.Truncate`.

use std::collections::BTreeSet;

use super::Message;
use super::record::{RecordData, ResourceRecord};

const HEADER: usize = 12;
/// Type and class of a question.
const QUESTION_END: usize = 4;
/// Type, class, TTL and length of a record.
const RECORD_HEAD: usize = 10;
/// An OPT record without options.
const OPT: usize = 11;
/// The least that every client takes.
const SIZE_MIN: usize = 512;
/// Pointers reach this far.
const POINTER_MAX: usize = 1 << 14;

/// Names that were written already, each with what follows its dots.
type Written<'m> = Option<BTreeSet<&'m str>>;

/// Cuts a message to the size that the client takes over UDP: whole if it fits uncompressed, else as many records as
/// fit compressed, from the front of each section.
pub(in crate::dns) fn truncate(message: &mut Message, question: &str, client_size: usize) {
    let limit = client_size.max(SIZE_MIN);
    let opt = if message.edns.is_some() { OPT } else { 0 };
    if whole(message, question) + opt <= limit {
        return;
    }
    let kept = {
        let mut written = Some(BTreeSet::new());
        let start = HEADER + name_len(question, HEADER, &mut written, true) + QUESTION_END;
        let mut room = Room { used: start, limit: limit - opt };
        let sections = [&message.answers, &message.authority, &message.additional];
        sections.map(|records| room.take(records, &mut written))
    };
    let sections = [&mut message.answers, &mut message.authority, &mut message.additional];
    for (records, kept) in sections.into_iter().zip(kept) {
        message.tc |= kept < records.len();
        records.truncate(kept);
    }
}

struct Room {
    used: usize,
    limit: usize,
}

impl Room {
    /// How many records of the section still fit. After the first that does not, nothing more does.
    fn take<'m>(&mut self, records: &'m [ResourceRecord], written: &mut Written<'m>) -> usize {
        if self.used >= self.limit {
            return 0;
        }
        for (taken, record) in records.iter().enumerate() {
            self.used += record_len(record, self.used, written);
            if self.used > self.limit {
                self.used = self.limit;
                return taken;
            }
            if self.used == self.limit {
                return taken + 1;
            }
        }
        records.len()
    }
}

fn whole(message: &Message, question: &str) -> usize {
    let sections = [&message.answers, &message.authority, &message.additional];
    let records = sections.into_iter().flatten().map(|record| record_len(record, 0, &mut None));
    HEADER + name_len(question, 0, &mut None, true) + QUESTION_END + records.sum::<usize>()
}

fn record_len<'m>(record: &'m ResourceRecord, at: usize, written: &mut Written<'m>) -> usize {
    let head = name_len(&record.owner, at, written, true) + RECORD_HEAD;
    let at = at + head;
    let data = match &record.data {
        RecordData::A(_) => 4,
        RecordData::Aaaa(_) => 16,
        RecordData::Cname(name) | RecordData::Ptr(name) | RecordData::Ns(name) => {
            name_len(name, at, written, true)
        }
        RecordData::Mx { exchange, .. } => 2 + name_len(exchange, at + 2, written, true),
        RecordData::Srv { target, .. } => 6 + name_len(target, at + 6, written, false),
        RecordData::Txt(text) => 1 + text.len(),
        // Two names before and after compression hardly matter: a SOA is never in a message that is cut.
        RecordData::Soa { zone, .. } => 2 * name_len(zone, at, written, true) + 7 + 11 + 20,
    };
    head + data
}

/// The length of a name there: its labels up to the longest end that was written before, or all of them.
fn name_len<'m>(name: &'m str, at: usize, written: &mut Written<'m>, compress: bool) -> usize {
    if name.is_empty() || name == "." {
        return 1;
    }
    if let Some(written) = written.as_mut().filter(|_| compress || at < POINTER_MAX) {
        let starts = std::iter::once(0).chain(name.match_indices('.').map(|(dot, _)| dot + 1));
        for start in starts.filter(|start| *start < name.len()) {
            if written.contains(&name[start..]) {
                if compress {
                    return start + 2;
                }
                break;
            }
            if at + start < POINTER_MAX {
                written.insert(&name[start..]);
            }
        }
    }
    name.len() + 1
}
