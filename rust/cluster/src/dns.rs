//! The names that a client asks for.

use std::net::IpAddr;

use kdp_kube::dns::{ClusterDns, RecordType, ResolvConf, resolve};
use kdp_kube::nearest::nearest;
use kdp_kube::object::{KindName, Pod, Service};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Error;
use crate::client::Client;
use crate::cluster::Cluster;
use crate::question::From;

/// What a look-up came to.
pub(crate) struct LookedUp {
    /// Every query and its answer, as events.
    pub(crate) queries: Vec<Value>,
    /// The addresses that the walk ended with.
    pub(crate) addrs: Vec<IpAddr>,
    /// Why there are none.
    pub(crate) why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    from: String,
    name: String,
}

impl Cluster {
    /// Looks a name up as a client does: JSON of kind Resolution.
    pub fn resolve(&self, question: &str) -> Result<Value, Error> {
        let asked: Asked =
            serde_json::from_str(question).map_err(|e| Error::Question { why: e.to_string() })?;
        let from = From::parse(&asked.from, "default")?;
        let client = Client::of(&self.world, &from, None, &asked.name)?;
        let found = self.look_up(&asked.name, &client);
        let conf = self.resolv_conf(&client);
        Ok(json!({
            "apiVersion": "kdp.dev/v1alpha1", "kind": "Resolution", "from": client.shown, "name": asked.name,
            "resolvConf": {"clusterDns": conf.cluster_dns, "search": conf.search, "ndots": conf.ndots},
            "queries": found.queries, "answer": found.addrs.first().map(ToString::to_string),
            "reason": found.addrs.is_empty().then_some(found.why),
        }))
    }

    pub(crate) fn look_up(&self, name: &str, client: &Client) -> LookedUp {
        let conf = self.resolv_conf(client);
        let types = [RecordType::A, RecordType::Aaaa];
        let resolution = resolve(ClusterDns::new(&self.world.store), &conf, name, &types);
        let queries = resolution.queries.iter().map(|query| {
            let answers: Vec<String> = query.answers.iter().map(ToString::to_string).collect();
            json!({
                "kind": "query", "node": null, "name": query.name, "type": query.rtype.to_string(),
                "rcode": query.rcode.to_string(), "answers": answers,
            })
        });
        let why = if !resolution.addresses.is_empty() {
            format!("{name} has no address of the client's family")
        } else if !conf.cluster_dns {
            format!(
                "the client does not ask cluster DNS for {name}, and what its own servers say is not modelled"
            )
        } else if resolution.is_unknown() {
            let nearest = self.nearest_services(name, client);
            format!(
                "{name} is not a name of the cluster, and what other servers say is not modelled{nearest}"
            )
        } else {
            format!("no Service and no endpoint has the name {name}{}", self.nearest_services(name, client))
        };
        LookedUp { queries: queries.collect(), addrs: resolution.addresses, why }
    }

    /// The Services whose names look like `name`, of the namespace that it means.
    fn nearest_services(&self, name: &str, client: &Client) -> String {
        let mut labels = name.split('.');
        let wanted = labels.next().unwrap_or(name);
        let own = client.pod.as_ref().map(|(namespace, _)| namespace.as_str());
        let store = &self.world.store;
        let spaces = || store.namespaces_of(&KindName::Service);
        let space = match labels.next() {
            Some(space) => nearest(space, spaces(), 1).first().copied().or(own),
            None => own,
        };
        let found = store.all::<Service>(space);
        let names: Vec<&str> = found.map(|service| service.meta.name.as_str()).collect();
        let near = nearest(wanted, names, 3);
        if near.is_empty() {
            return String::new();
        }
        format!("; nearest Services of namespace {}: {}", space.unwrap_or("default"), near.join(", "))
    }

    /// What the client's `/etc/resolv.conf` says. Nodes and the world outside do not ask cluster DNS.
    fn resolv_conf(&self, client: &Client) -> ResolvConf {
        let pod = client.pod.as_ref();
        let pod = pod.and_then(|(namespace, name)| self.world.store.find::<Pod>(namespace, name));
        let without = || ResolvConf { cluster_dns: false, search: Vec::new(), ndots: 1 };
        pod.map_or_else(without, |pod| ResolvConf::of(pod, &self.world.store))
    }
}
