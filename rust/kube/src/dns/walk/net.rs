//! The server that a resolver asks, and the log of what it asked.

use std::collections::BTreeMap;

use crate::dns::server::upstream::Upstream;
use crate::dns::server::{Message, QueryType, ResponseCode, cut_to};

/// The one address that answers; every other refuses the port.
const ALIVE: &str = "127.0.0.1";

/// What a server does other than answering from its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Special {
    /// The name exists, and has no such record.
    NoData,
    /// No such name.
    NxDomain,
    /// Failure.
    ServFail,
    /// Refusal.
    Refused,
    /// The question is malformed.
    FormErr,
    /// Not implemented.
    NotImp,
    /// No answer.
    Drop,
    /// An empty truncated answer over UDP.
    Tc,
}

/// The code of an answer, as far as resolvers tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    NoError,
    NxDomain,
    ServFail,
    Refused,
    FormErr,
    NotImp,
}

/// What comes back for a question.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    /// A message.
    Message(Code, Message),
    /// Nothing.
    Silence,
    /// The port is closed.
    Closed,
}

/// A server with records, and every question that it was asked.
#[derive(Clone, Debug, Default)]
pub struct Network {
    /// What exists. Other names do not.
    records: Upstream,
    /// By `name. TYPE`, `name.` or `*`.
    special: BTreeMap<String, Special>,
    steps: Vec<Vec<String>>,
    sent: Vec<String>,
    tells_server: bool,
}

impl Network {
    /// A server with these records, which for some names does something else: by `name. TYPE`, `name.` or `*`.
    pub fn new(records: Upstream, special: BTreeMap<String, Special>) -> Network {
        Network { records, special, ..Network::default() }
    }

    /// Says whether the log names servers: it does where there are several.
    pub(super) fn tell_server(&mut self, tells: bool) {
        self.tells_server = tells;
    }

    /// Sends a question. What it brings is known at once; it is waited for with [`Network::wait`].
    pub(super) fn send(&mut self, question: &Asking<'_>, server: &str) -> Reply {
        let transport = if question.is_tcp { "tcp" } else { "udp" };
        let at = if self.tells_server { format!(" @{server}") } else { String::new() };
        self.sent.push(format!("{} {} {transport}{at}", question.name, question.rtype));
        if server == ALIVE { self.reply(question) } else { Reply::Closed }
    }

    /// Waits for an answer, or in vain: what is sent after it is a step of its own.
    pub(super) fn wait(&mut self) {
        if !self.sent.is_empty() {
            self.steps.push(std::mem::take(&mut self.sent));
        }
    }

    /// The steps: questions that were sent without waiting for an answer between them.
    pub fn into_steps(mut self) -> Vec<Vec<String>> {
        self.wait();
        self.steps
    }

    fn reply(&self, question: &Asking<'_>) -> Reply {
        let Asking { name, rtype, is_tcp, udp_size } = *question;
        let keys = [format!("{name} {rtype}"), name.to_owned(), "*".to_owned()];
        let empty = Message::of(ResponseCode::NoError);
        let code = match keys.iter().find_map(|key| self.special.get(key)) {
            Some(Special::Drop) => return Reply::Silence,
            Some(Special::Tc) if !is_tcp => {
                return Reply::Message(Code::NoError, Message { tc: true, ..empty });
            }
            Some(Special::NoData) => Code::NoError,
            Some(Special::NxDomain) => Code::NxDomain,
            Some(Special::ServFail) => Code::ServFail,
            Some(Special::Refused) => Code::Refused,
            Some(Special::FormErr) => Code::FormErr,
            Some(Special::NotImp) => Code::NotImp,
            None | Some(Special::Tc) => {
                let mut message = self.records.answer(name, &QueryType::parse(rtype));
                if !is_tcp {
                    cut_to(&mut message, name, udp_size);
                }
                let is_missing = message.rcode == ResponseCode::NxDomain;
                return Reply::Message(if is_missing { Code::NxDomain } else { Code::NoError }, message);
            }
        };
        Reply::Message(code, empty)
    }
}

/// A question to a server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asking<'q> {
    /// The absolute name.
    pub(super) name: &'q str,
    pub(super) rtype: &'static str,
    pub(super) is_tcp: bool,
    /// What the client takes over UDP, in bytes.
    pub(super) udp_size: usize,
}
