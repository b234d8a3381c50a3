//! Runs one case of a DNS server: configuration, objects and questions as JSON, messages as JSON.

use serde::Deserialize;
use serde_json::{Value, json};

use super::record::ResourceRecord;
use super::{CaseError, Config, Edns, Message, QueryType, Question, Server, Upstream};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AskedEdns {
    size: u16,
    #[serde(default, rename = "do")]
    wants_dnssec: bool,
    #[serde(default)]
    version: u8,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AskedQuestion {
    name: String,
    #[serde(rename = "type")]
    rtype: String,
    transport: String,
    #[serde(default)]
    edns: Option<AskedEdns>,
    #[serde(default)]
    class: Option<String>,
    /// What the real server said. Not read.
    #[serde(default, rename = "expect")]
    _expect: Value,
}

/// Gives the answer to each of the case's `queries`, in order, in the form of their `expect`.
pub fn run_dns(case: &Value) -> Result<Value, CaseError> {
    let upstream = match &case["config"]["upstream"] {
        Value::Null => None,
        upstream => Some(Upstream::read(&upstream["records"])?),
    };
    let mut server = Server::new(Config::read(&case["config"])?, upstream);
    for object in case["objects"].as_array().into_iter().flatten() {
        add(&mut server, object)?;
    }
    let queries = case["queries"].as_array().ok_or_else(|| CaseError::new("queries", "not a list"))?;
    queries.iter().map(|query| question(query).map(|it| told(&server.answer(&it)))).collect()
}

/// Gives the answer to a question in the form of a case's `queries`, in the form of its `expect`.
pub fn answer_json(server: &Server, query: &Value) -> Result<Value, CaseError> {
    question(query).map(|it| told(&server.answer(&it)))
}

fn add(server: &mut Server, object: &Value) -> Result<(), CaseError> {
    let kind = object["kind"].as_str().unwrap_or_default();
    match kind {
        "Namespace" => server.add_namespace(&read(object)?),
        "Service" => server.add_service(&read(object)?),
        "EndpointSlice" => server.add_slice(&read(object)?),
        "Pod" => server.add_pod(&read(object)?),
        _ => return Err(CaseError::new("objects", format!("kind {kind} is not modelled"))),
    }
    Ok(())
}

fn read<T: serde::de::DeserializeOwned>(object: &Value) -> Result<T, CaseError> {
    serde_json::from_value(object.clone()).map_err(|e| CaseError::new("objects", format!("{e}: {object}")))
}

fn question(query: &Value) -> Result<Question, CaseError> {
    let asked: AskedQuestion =
        serde_json::from_value(query.clone()).map_err(|e| CaseError::new("queries", e))?;
    let edns = |it: AskedEdns| Edns { size: it.size, wants_dnssec: it.wants_dnssec, version: it.version };
    Ok(Question {
        name: super::record::absolute(&asked.name),
        rtype: QueryType::parse(&asked.rtype),
        is_udp: asked.transport == "udp",
        edns: asked.edns.map(edns),
        is_internet: asked.class.is_none_or(|class| class == "IN"),
    })
}

fn told(message: &Message) -> Value {
    let texts = |records: &[ResourceRecord]| records.iter().map(ToString::to_string).collect::<Vec<_>>();
    let mut told = json!({
        "rcode": message.rcode.to_string(), "aa": message.aa, "tc": message.tc, "ra": message.ra,
        "answers": texts(&message.answers), "authority": texts(&message.authority),
        "additional": texts(&message.additional),
    });
    if let Some((size, wants_dnssec)) = message.edns {
        told["edns"] = json!({"size": size, "do": wants_dnssec});
    }
    told
}
