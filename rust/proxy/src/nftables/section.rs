//! What one service port adds to the table.

use std::sync::Arc;

use kdp_netfilter::Name;
use kdp_netfilter::nft::{Element, Rule};

use super::names::{EndpointNames, PortNames};
use super::rule::{Draft, any};
use super::sets::Shared;
use crate::config::Settings;
use crate::error::{Error, Result};
use crate::names::ServicePortName;
use crate::select::Selected;
use crate::view::ServicePort;

/// The elements, sets, chains and rules of one service port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Section {
    /// Elements of shared sets and maps. Of two with one key, the later one holds.
    pub(super) elements: Vec<(Shared, Element)>,
    /// Its chains with their rules, in the order in which they are made.
    pub(super) chains: Vec<(Name, Vec<Rule>)>,
    /// Its affinity sets with their timeouts in seconds.
    pub(super) affinity: Vec<(Arc<str>, u32)>,
}

/// Writes the section of a service port. An error is what nft refuses.
/// Source: kube-proxy, the loop over services in `syncProxyRules` (pkg/proxy/nftables/proxier.go).
pub(super) fn section(
    settings: &Settings,
    key: &ServicePortName,
    port: &ServicePort,
    selected: &Selected<'_>,
) -> Result<Section> {
    let names = PortNames::new(key);
    let chained = !settings.profile.nft.one_rule || port.affinity_seconds.is_some();
    let endpoints = selected.reachable.iter().filter(|_| chained).map(|endpoint| names.endpoint(endpoint));
    let mut writer = Writer {
        settings,
        port,
        selected,
        spn: key.to_string().into(),
        endpoints: chained.then(|| endpoints.collect()),
        names,
        section: Section::default(),
    };
    writer.cluster_ip();
    writer.external_ips();
    writer.node_port();
    writer.endpoint_chains();
    writer.balancing_chains();
    writer.external_chain();
    writer.firewall_chain();
    writer.hairpins();
    check_comments(key, &writer.section)?;
    Ok(writer.section)
}

/// The longest comment that nft takes. Source: libnftnl, `NFTNL_UDATA_COMMENT_MAXLEN`.
const COMMENT_MAX: usize = 128;

/// Only elements carry the name of a service port.
fn check_comments(key: &ServicePortName, section: &Section) -> Result<()> {
    let comments = section.elements.iter().filter_map(|(_, element)| element.comment.as_deref());
    match comments.max_by_key(|comment| comment.len()) {
        Some(comment) if comment.len() > COMMENT_MAX => Err(Error::NftCommentTooLong {
            object: format!("Service {}", key.service),
            comment: comment.to_owned(),
            length: comment.len(),
        }),
        _ => Ok(()),
    }
}

/// What the steps of [`section`] share.
pub(super) struct Writer<'a> {
    pub(super) settings: &'a Settings,
    pub(super) port: &'a ServicePort,
    pub(super) selected: &'a Selected<'a>,
    /// The service port as comments spell it.
    pub(super) spn: Arc<str>,
    pub(super) names: PortNames,
    /// Names of all its endpoints, in order, where they have chains: from 1.36 on only affinity needs them.
    pub(super) endpoints: Option<Vec<EndpointNames>>,
    pub(super) section: Section,
}

impl Writer<'_> {
    /// A rule that begins with nothing.
    pub(super) fn any(&self) -> Draft {
        any(self.settings.family)
    }

    /// Adds an element to a shared set or map.
    pub(super) fn element(&mut self, set: Shared, element: Element) {
        self.section.elements.push((set, element));
    }

    /// Adds a chain of its own.
    pub(super) fn chain(&mut self, name: Name, rules: Vec<Rule>) {
        self.section.chains.push((name, rules));
    }

    /// Sets the mark that asks for masquerade, with a comment where releases inline it.
    pub(super) fn mark(&self, draft: Draft, comment: Option<&str>) -> Rule {
        let rule = if self.settings.profile.nft.one_rule {
            draft.set_mark(self.settings.mark).end()
        } else {
            draft.jump(super::fixed::MARK_FOR_MASQUERADE)
        };
        match comment {
            Some(comment) => rule.with_comment(comment),
            None => rule,
        }
    }

    pub(super) fn service_chain(&self) -> Name {
        self.names.chain("service-")
    }

    pub(super) fn local_chain(&self) -> Name {
        self.names.chain("local-")
    }

    /// The chain of cluster-IP traffic.
    pub(super) fn internal_chain(&self) -> Name {
        if self.port.internal_local { self.local_chain() } else { self.service_chain() }
    }

    /// Whether cluster-IP traffic has an endpoint.
    pub(super) fn has_internal(&self) -> bool {
        self.selected.has_any && !(self.port.internal_local && self.selected.local.is_empty())
    }

    /// Whether traffic from outside has an endpoint.
    pub(super) fn has_external(&self) -> bool {
        self.selected.has_any && !(self.port.external_local && self.selected.local.is_empty())
    }
}
