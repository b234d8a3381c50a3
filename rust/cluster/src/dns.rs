//! The names that a client asks for.

use std::net::IpAddr;

use kdp_kube::dns::{ClusterDns, RecordType, ResolvConf, resolve};
use kdp_kube::object::Pod;
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
        Ok(json!({
            "apiVersion": "kdp.dev/v1alpha1", "kind": "Resolution", "from": client.shown, "name": asked.name,
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
        let why = if resolution.is_unknown() {
            format!("{name} is not a name of the cluster: what other servers say is not modelled")
        } else {
            format!("no Service and no endpoint has the name {name}")
        };
        LookedUp { queries: queries.collect(), addrs: resolution.addresses, why }
    }

    /// What the client's `/etc/resolv.conf` says. Nodes and the world outside do not ask cluster DNS.
    fn resolv_conf(&self, client: &Client) -> ResolvConf {
        let pod = client.pod.as_ref();
        let pod = pod.and_then(|(namespace, name)| self.world.store.find::<Pod>(namespace, name));
        let without = || ResolvConf { cluster_dns: false, search: Vec::new(), ndots: 1 };
        pod.map_or_else(without, |pod| ResolvConf::of(pod, &self.world.store))
    }
}
