//! The cluster behind an API server: requests on virtual time, and the watches that are open.

use std::collections::BTreeMap;

use kdp_kube::api::{Api, Query, Reply, Request, Response, Schemas, Watch};
use kdp_kube::dns::server::{self, Config, Server};
use kdp_kube::endpoints::Timestamp;
use kdp_kube::object::{Namespace, Object, Service};
use kdp_kube::workload::{Epoch, Workloads};
use kdp_kube::{complete, defaults};
use kdp_packet::{Cidr, parse_ip_lenient};
use serde_json::Value;

use crate::cluster::Cluster;
use crate::{Error, Options};

/// What is there while somebody serves the cluster.
pub(crate) struct Served {
    pub(crate) api: Api,
    /// The moment at which virtual time is 0, in nanoseconds since 1970.
    epoch: i128,
    watches: BTreeMap<u64, Watch>,
    opened: u64,
    /// The DNS server, as of a version of the store.
    dns: Option<(u64, Server)>,
}

/// What kubeadm's Corefile says of the cluster's zone. Source: kubeadm `CoreDNSConfigMap`.
const COREFILE: &str = r#"{"zone": "cluster.local.", "reverse": ["in-addr.arpa.", "ip6.arpa."], "pods": "insecure", "ttl": 30, "fallthrough": ["in-addr.arpa.", "ip6.arpa."]}"#;

/// The namespaces that every cluster has. Source: kube-apiserver's system namespaces controller, and `default`.
const NAMESPACES: [&str; 4] = ["default", "kube-node-lease", "kube-public", "kube-system"];

/// A request as the socket's side has it; the moment is the cluster's.
#[derive(Clone, Copy, Debug)]
pub struct ApiRequest<'a> {
    /// `GET`, `POST`, `PUT`, `PATCH`, `DELETE`.
    pub method: &'a str,
    /// The path, unescaped.
    pub path: &'a str,
    /// The query, unescaped, in its order.
    pub query: &'a [(String, String)],
    /// The `Accept` header.
    pub accept: &'a str,
    /// The `Content-Type` header.
    pub content_type: &'a str,
    /// The body.
    pub body: &'a [u8],
}

/// What a request comes to.
#[derive(Debug)]
pub enum ApiReply {
    /// An answer.
    Whole(Response),
    /// A watch that was opened: its number, the kind, the namespace if it is of one, and how long the client wants it.
    Watch {
        /// The number by which it is polled and closed.
        id: u64,
        /// The kind.
        kind: String,
        /// The namespace.
        namespace: Option<String>,
        /// Seconds.
        timeout: Option<u64>,
    },
}

impl Cluster {
    /// Begins to serve: `schemas` is the JSON of the published schemas, `epoch` the moment at which virtual time is 0, in
    /// nanoseconds since 1970. Workloads run from then on. The namespaces that every cluster has are made, and what has no time of creation gets this.
    pub fn serve(&mut self, schemas: Value, epoch: i128) -> Result<(), Error> {
        self.furnish(Timestamp(epoch + i128::from(self.now().as_nanos())))?;
        let (world, timing) = (&self.world, self.world.options.timing);
        let moment = Epoch::at(Timestamp(epoch));
        self.workloads.get_or_insert_with(|| Workloads::start(timing, moment, &world.store, world.now));
        let options: &Options = &self.world.options;
        let range = self.range_of_services().unwrap_or(options.service_cidr);
        let ranges = complete::Options { service_cidr: range, ..complete::Options::default() };
        let release = options.profile.to_string();
        let api = Api::new(&self.world.store, Schemas::new(schemas), ranges, &release);
        self.served = Some(Served { api, epoch, watches: BTreeMap::new(), opened: 0, dns: None });
        Ok(())
    }

    /// The range from which a dump's cluster gave addresses: what its ServiceCIDR says, else the /16 of its API server's
    /// own Service, which has the first address of the range.
    fn range_of_services(&self) -> Option<Cidr> {
        let named = self.world.service_cidrs().into_iter().find(|range| range.addr().is_ipv4());
        let first = || {
            let service = self.world.store.find::<Service>("default", "kubernetes")?;
            let address = parse_ip_lenient(service.spec.cluster_ips.first()?)?;
            Cidr::new(address, 16).filter(|_| address.is_ipv4())
        };
        named.or_else(first)
    }

    /// What a client expects of any cluster.
    fn furnish(&mut self, now: Timestamp) -> Result<(), Error> {
        let store = &mut self.world.store;
        for name in
            NAMESPACES.iter().filter(|name| store.find::<Namespace>("", name).is_none()).collect::<Vec<_>>()
        {
            let mut namespace = Namespace::default();
            (*name).clone_into(&mut namespace.meta.name);
            namespace.meta.labels.insert("kubernetes.io/metadata.name".to_owned(), (*name).to_owned());
            let mut object = Object::new(namespace);
            defaults::apply(&mut object);
            object.meta_mut().uid = complete::uid(&object.key().to_string());
            store.put(object);
        }
        let undated = store.objects().filter(|object| object.meta().creation_timestamp.is_none());
        let undated: Vec<Object> = undated.map(|object| (**object).clone()).collect();
        let whole = Timestamp(now.0.div_euclid(1_000_000_000) * 1_000_000_000).to_string();
        for mut object in undated {
            object.meta_mut().creation_timestamp = Some(whole.clone());
            store.put(object);
        }
        self.settle()
    }

    /// Answers a request to the API; what follows from a write follows on virtual time.
    ///
    /// # Panics
    /// If the cluster is not served: [`Cluster::serve`] comes first.
    pub fn api(&mut self, request: &ApiRequest<'_>) -> Result<ApiReply, Error> {
        let now = self.timestamp();
        let served = self.served.as_mut().expect("serve comes before api");
        let ApiRequest { method, path, query, accept, content_type, body } = *request;
        let request = Request { method, path, query: Query(query), accept, content_type, body, now };
        let reply = served.api.handle(&mut self.world.store, &request);
        self.settle()?;
        Ok(match reply {
            Reply::Whole(response) => ApiReply::Whole(response),
            Reply::Watch(watch) => self.keep(*watch),
        })
    }

    fn keep(&mut self, watch: Watch) -> ApiReply {
        let served = self.served.as_mut().expect("a watch comes from a server");
        served.opened += 1;
        let (kind, namespace) = watch.place();
        let reply = ApiReply::Watch {
            id: served.opened,
            kind: kind.to_string(),
            namespace: namespace.map(str::to_owned),
            timeout: watch.timeout_seconds,
        };
        served.watches.insert(served.opened, watch);
        reply
    }

    /// What an open watch has to send: a JSON text for each event.
    pub fn watch_poll(&mut self, id: u64) -> Vec<String> {
        let Some(served) = &mut self.served else { return Vec::new() };
        let Some(watch) = served.watches.get_mut(&id) else { return Vec::new() };
        watch.poll(served.api.history(), &self.world.store)
    }

    /// A bookmark for an open watch, if its client takes them.
    pub fn watch_bookmark(&mut self, id: u64) -> Option<String> {
        let served = self.served.as_mut()?;
        served.watches.get_mut(&id)?.bookmark(served.api.history())
    }

    /// Closes a watch.
    pub fn watch_close(&mut self, id: u64) {
        if let Some(served) = &mut self.served {
            served.watches.remove(&id);
        }
    }

    /// The version of the last change, and the kinds and namespaces that changed behind a version, each once.
    pub fn touched(&self, since: u64) -> (u64, Vec<(String, String)>) {
        let Some(served) = &self.served else { return (since, Vec::new()) };
        let touched = served.api.history().touched(since);
        (
            served.api.history().version(),
            touched.into_iter().map(|(kind, at)| (kind.to_string(), at)).collect(),
        )
    }

    /// Removes namespaces that were to go and have become empty.
    pub fn reap(&mut self) -> Result<(), Error> {
        let Some(served) = &self.served else { return Ok(()) };
        served.api.reap(&mut self.world.store);
        self.settle()
    }

    /// Answers a DNS question: JSON in the form of a DNS case's `queries`, and of their `expect`.
    ///
    /// Names of other zones are refused: nothing is asked outside.
    pub fn dns_answer(&mut self, question: &Value) -> Result<Value, Error> {
        let case = |error: server::CaseError| Error::Case { kind: "dns".to_owned(), why: error.to_string() };
        let version = self.world.store.version();
        let served = self.served.as_mut().expect("serve comes before dns_answer");
        if served.dns.as_ref().is_none_or(|(of, _)| *of != version) {
            let corefile = serde_json::from_str(COREFILE).expect("a JSON text in the source");
            let config = Config::read(&corefile).expect("a configuration in the source");
            served.dns = Some((version, Server::of(config, None, &self.world.store)));
        }
        let (_, server) = served.dns.as_ref().expect("it was made");
        server::answer_json(server, question).map_err(case)
    }

    /// The moment that virtual time stands for.
    fn timestamp(&self) -> Timestamp {
        let epoch = self.served.as_ref().map_or(0, |served| served.epoch);
        Timestamp(epoch + i128::from(self.now().as_nanos()))
    }
}
