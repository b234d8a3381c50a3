//! What is read of a cluster: objects, rules, tables, and batches of flows through one node.

use std::collections::BTreeMap;
use std::net::IpAddr;

use kdp_host::{Batch, Exchange, RouteKind};
use kdp_kube::labels::Selector;
use kdp_kube::object::{KindName, Node as NodeObject, ObjectKey, Pod};
use kdp_kube::published::{Fields, Refused};
use kdp_netfilter::conntrack::{Format, list};
use kdp_netfilter::{Table, nft, text};
use kdp_packet::{Family, FlowColumns, Verdicts};
use serde_json::{Value, json};

use crate::Error;
use crate::cluster::Cluster;

impl Cluster {
    /// The objects of a kind as a JSON array of API objects, in order of creation; of those, the ones that a label
    /// selector and a field selector mean.
    pub fn list(
        &self,
        kind: &KindName,
        namespace: Option<&str>,
        selector: Option<&str>,
        fields: Option<&str>,
    ) -> Result<String, Error> {
        let selector = selector.map(Selector::parse).transpose().map_err(Error::Selector)?;
        let fields =
            fields.map(|text| Fields::parse(kind, text)).transpose().map_err(|refused| match refused {
                Refused::Syntax(error) => Error::Selector(error),
                Refused::Unpublished { field, known } => {
                    Error::FieldUnknown { kind: kind.to_string(), field, known }
                }
            })?;
        let found = self.store().list(kind, namespace);
        let wanted = found.filter(|object| {
            selector.as_ref().is_none_or(|selector| selector.matches(&object.meta().labels))
                && fields.as_ref().is_none_or(|fields| fields.matches(object))
        });
        let mut text = String::from("[");
        for object in wanted {
            if text.len() > 1 {
                text.push(',');
            }
            text.push_str(&object.to_json());
        }
        text.push(']');
        Ok(text)
    }

    /// The kinds of which there are objects, in alphabetical order: `group`, `kind`, and whether one is in a namespace.
    pub fn kinds(&self) -> Value {
        let mut found: BTreeMap<(String, String), bool> = BTreeMap::new();
        for object in self.store().objects() {
            let name = object.key().kind;
            let placed = found.entry((name.group().to_owned(), name.as_str().to_owned())).or_default();
            *placed |= !object.meta().namespace.is_empty();
        }
        let as_json =
            |((group, kind), namespaced)| json!({"group": group, "kind": kind, "namespaced": namespaced});
        found.into_iter().map(as_json).collect()
    }

    /// One object as API JSON; an error with the nearest names if it is not there.
    pub fn get(&self, kind: &KindName, namespace: &str, name: &str) -> Result<Value, Error> {
        Ok(self.store().require(&ObjectKey::new(kind.clone(), namespace, name))?.to_value())
    }

    /// The names of the nodes, in order of creation.
    pub fn node_names(&self) -> Vec<String> {
        self.store().all::<NodeObject>(None).map(|node| node.meta.name.clone()).collect()
    }

    /// Every Pod that has an address, in order of creation.
    pub fn residents(&self) -> Vec<Value> {
        let with_address = |pod: &Pod| {
            let ip = pod.addresses().next().filter(|_| !pod.is_terminal())?.to_owned();
            Some(json!({
                "namespace": pod.meta.namespace, "name": pod.meta.name, "ip": ip, "node": pod.spec.node_name,
            }))
        };
        self.store().all::<Pod>(None).filter_map(with_address).collect()
    }

    /// The IPv4 addresses of a node's Pods, in host byte order, in order of address.
    pub fn pod_ips(&self, node: &str) -> Result<Vec<u32>, Error> {
        let place = self.world.directory.place(node).ok_or_else(|| self.world.no_node(node))?;
        let v4 = |addr: &IpAddr| match addr {
            IpAddr::V4(addr) => Some(u32::from(*addr)),
            IpAddr::V6(_) => None,
        };
        Ok(place.pods.iter().filter_map(v4).collect())
    }

    /// A node's rules as iptables-save prints them; in nftables mode as `nft list ruleset` does, for both families.
    pub fn rules_saved(&mut self, node: &str, family: Family) -> Result<String, Error> {
        let node = self.node(node)?;
        if node.is_nftables() {
            return Ok(nft::print(node.host.nft()));
        }
        Ok(text::print(node.host.ruleset(family)))
    }

    /// Puts other rules in the place of a node's own: what `iptables-restore`, `ip6tables-restore` or `nft -f` take, called
    /// `source` in errors. All of it or nothing; the node's proxy does not know, and writes what changes after that.
    pub fn replace_rules(&mut self, node: &str, tool: &str, text: &str, source: &str) -> Result<(), Error> {
        let now = self.now();
        let host = &mut self.node(node)?.host;
        if tool == "nft" {
            return Ok(host.load_nft(&format!("flush ruleset\n{text}"), source, now)?);
        }
        let family = if tool == "ip6tables" { Family::V6 } else { Family::V4 };
        let transaction = text::parse(text, source, family, false)?;
        host.apply(&transaction)?;
        Ok(())
    }

    /// One chain of a node as `iptables -t TABLE -L CHAIN -n` lists it.
    pub fn rules_listed(
        &mut self,
        node: &str,
        family: Family,
        table: &str,
        chain: &str,
    ) -> Result<String, Error> {
        let ruleset = self.node(node)?.host.ruleset(family);
        let known = Table::ALL.into_iter().find(|known| known.as_str() == table);
        let nearest = |found: &str, names: Vec<&str>| {
            kdp_kube::nearest::nearest(found, names, 3).into_iter().map(str::to_owned).collect()
        };
        let Some(table) = known else {
            let nearest = nearest(table, Table::ALL.map(Table::as_str).to_vec());
            return Err(Error::NoSuchChain { kind: "table".to_owned(), name: table.to_owned(), nearest });
        };
        let Some(id) = ruleset.find(table, &chain.into()) else {
            let ids = ruleset.chains(table);
            let names = ids.iter().map(|id| ruleset.chain(*id).name().as_str()).collect();
            let nearest = nearest(chain, names);
            return Err(Error::NoSuchChain {
                kind: format!("chain of table {table}"),
                name: chain.to_owned(),
                nearest,
            });
        };
        Ok(text::list_chain(ruleset, ruleset.chain(id)))
    }

    /// How many rules and chains each table of a node has, by family.
    pub fn rule_counts(&mut self, node: &str) -> Result<Value, Error> {
        let host = &self.node(node)?.host;
        let mut counts = json!({});
        for family in [Family::V4, Family::V6] {
            let ruleset = host.ruleset(family);
            for table in Table::ALL.into_iter().filter(|table| ruleset.is_listed(*table)) {
                let chains = ruleset.chains(table);
                let rules: usize = chains.iter().map(|id| ruleset.chain(*id).rules().len()).sum();
                counts[family.as_str()][table.as_str()] = json!({"rules": rules, "chains": chains.len()});
            }
        }
        Ok(counts)
    }

    /// A node's connections, as `conntrack -L -o extended` lists them.
    pub fn conntrack(&mut self, node: &str) -> Result<String, Error> {
        let now = self.now();
        let table = &mut self.node(node)?.host.conntrack;
        Ok(list(&table.entries(now), table.settings(), Format { extended: true }))
    }

    /// A batch of IPv4 flows through one node, in order. `go_on` is asked now and then.
    pub fn send(
        &mut self,
        node: &str,
        rows: &FlowColumns<'_>,
        go_on: impl FnMut() -> bool,
    ) -> Result<Verdicts, Error> {
        let now = self.now();
        let host = &mut self.node(node)?.host;
        Ok(Batch::new(host, now).send(rows, go_on)?)
    }

    /// Bytes into a node by one of its devices.
    pub fn receive(&mut self, node: &str, device: &str, bytes: &[u8]) -> Result<Exchange, Error> {
        let now = self.now();
        Ok(self.node(node)?.host.exchange(Some(device), bytes, now)?)
    }

    /// Bytes from a node itself.
    pub fn send_local(&mut self, node: &str, bytes: &[u8]) -> Result<Exchange, Error> {
        let now = self.now();
        Ok(self.node(node)?.host.exchange(None, bytes, now)?)
    }

    /// A node's devices, routes and sysctls, in the form of a packet case's topology.
    pub fn topology(&mut self, node: &str) -> Result<Value, Error> {
        let host = &self.node(node)?.host;
        let mut devs = json!({});
        for (id, device) in host.devices.iter().filter(|(id, _)| *id != kdp_host::LOOPBACK) {
            let addrs: Vec<String> = device.addrs.iter().map(|(addr, len)| format!("{addr}/{len}")).collect();
            devs[&*host.devices.get(id).name] = json!(addrs);
        }
        let routes: Vec<Value> = host
            .routes
            .iter()
            .filter_map(|(to, kind)| match kind {
                RouteKind::Unicast { device, .. } if to.prefix_len() > 0 => {
                    Some(json!([to.to_string(), &*host.devices.get(*device).name]))
                }
                _ => None,
            })
            .collect();
        let localnet = u32::from(host.sysctls.route_localnet);
        Ok(json!({
            "devs": devs, "default": crate::node::UPLINK, "routes": routes, "lo_addrs": [],
            "sysctl": {"net.ipv4.conf.all.route_localnet": localnet},
        }))
    }

    /// The evidence that an explanation is made of.
    pub fn facts(&self, kind: &str, namespace: &str, name: &str) -> Result<Value, Error> {
        match kind {
            "Service" => Ok(crate::evidence::service_facts(self.store(), namespace, name)?),
            "ServiceMonitor" => Ok(crate::evidence::monitor_facts(self.store(), namespace, name)?),
            _ => Err(Error::ExplanationNotModelled { kind: kind.to_owned() }),
        }
    }
}
