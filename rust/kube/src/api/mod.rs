//! The API server, without sockets: a request in, an answer or a watch out.
//!
//! [`Api::handle`] is a function of the store, the request and the moment. Whoever has the sockets calls it, carries the
//! bytes, and polls the [`Watch`]es. Answers are JSON; tables, which people read, are made of them outside.

mod admit;
mod body;
mod delete;
mod discovery;
mod openapi;
mod patch;
mod protobuf;
mod query;
mod read;
mod refusal;
mod resource;
mod review;
mod route;
mod scale;
mod schema;
#[cfg(test)]
mod tests;
mod watch;
mod write;

use serde_json::Value;

pub use query::Query;
pub use refusal::Refusal;
pub use resource::{Registry, Resource};
pub use schema::Schemas;
pub use watch::{History, Watch};

use crate::complete::Options;
use crate::endpoints::Timestamp;
use crate::object::{KindName, ObjectKey};
use crate::store::{Change, Store};
use route::{Objects, Route};

/// The media type of the old schemas.
const OPENAPI_V2: &str = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";

/// A request as it came in.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// `GET`, `POST`, `PUT`, `PATCH`, `DELETE`.
    pub method: &'a str,
    /// The path, unescaped.
    pub path: &'a str,
    /// The query, unescaped.
    pub query: Query<'a>,
    /// The `Accept` header.
    pub accept: &'a str,
    /// The `Content-Type` header; empty if there is none, then it is JSON.
    pub content_type: &'a str,
    /// The body.
    pub body: &'a [u8],
    /// The moment.
    pub now: Timestamp,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Its media type.
    pub content_type: String,
    /// What `Warning` headers say.
    pub warnings: Vec<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// What a request comes to.
#[derive(Debug)]
pub enum Reply {
    /// An answer, whole.
    Whole(Response),
    /// A stream of events.
    Watch(Box<Watch>),
}

/// What the API knows beside the objects.
#[derive(Debug)]
pub struct Api {
    registry: Registry,
    history: History,
    schemas: Schemas,
    ranges: Options,
    release: String,
}

impl Api {
    /// An API over a store, for a release, with the schemas of its kinds and the ranges from which it gives addresses.
    pub fn new(store: &Store, schemas: Schemas, ranges: Options, release: &str) -> Api {
        Api {
            registry: Registry::of(store),
            history: History::starting(store.version()),
            schemas,
            ranges,
            release: release.to_owned(),
        }
    }

    /// Remembers a change of the store. Each change must be told, in order.
    pub fn record(&mut self, change: &Change) {
        self.history.record(change);
        let definition = KindName::of("apiextensions.k8s.io/v1", "CustomResourceDefinition");
        if change.object().key().kind == definition {
            match &change.after {
                Some(object) => self.registry.define(object),
                None => self.registry.forget(change.object()),
            }
        }
    }

    /// What is served.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The changes of late, which watches read.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Answers a request. A refusal is an answer too.
    pub fn handle(&mut self, store: &mut Store, request: &Request<'_>) -> Reply {
        self.answer(store, request)
            .unwrap_or_else(|refusal| Reply::Whole(Response::json(refusal.code, &refusal.to_value())))
    }

    /// Removes namespaces that were to go and have become empty.
    pub fn reap(&self, store: &mut Store) {
        delete::reap(store);
    }

    fn answer(&mut self, store: &mut Store, request: &Request<'_>) -> Result<Reply, Refusal> {
        let route = route::route(request.path, &self.registry)?;
        if let Route::Objects(at) = route {
            return self.objects(store, &at, request);
        }
        if let Route::Review(kind) = route {
            return review::review(&kind, request).map(|value| whole(201, &value));
        }
        if request.method != "GET" && request.method != "HEAD" {
            return Err(Refusal::method_not_allowed());
        }
        self.page(&route, request)
    }

    /// Pages that are about the API itself.
    fn page(&self, route: &Route, request: &Request<'_>) -> Result<Reply, Refusal> {
        let value = match route {
            Route::Version => discovery::version(&self.release),
            Route::Health => {
                let body = b"ok".to_vec();
                let content_type = "text/plain; charset=utf-8".to_owned();
                return Ok(Reply::Whole(Response { status: 200, content_type, warnings: Vec::new(), body }));
            }
            Route::OldSchemas if request.accept.contains(OPENAPI_V2) => {
                // The sign @ is not allowed in a media type. Source: kube-openapi `handler.go`.
                let (content_type, body) = (OPENAPI_V2.replace('@', "."), openapi::version_2(&self.registry));
                return Ok(Reply::Whole(Response { status: 200, content_type, warnings: Vec::new(), body }));
            }
            Route::OldSchemas => return Err(Refusal::no_such_path()),
            Route::CoreVersions => return Ok(self.groups(true, request)),
            Route::Groups => return Ok(self.groups(false, request)),
            Route::Group(group) => discovery::group(&self.registry, group),
            Route::Resources(group, version) => discovery::resources(&self.registry, group, version),
            Route::Schemas => openapi::index(&self.registry, &self.release),
            Route::Schema(group, version) => {
                openapi::document(&self.registry, &self.schemas, group, version)?
            }
            Route::Objects(_) | Route::Review(_) => unreachable!("they were taken before"),
        };
        Ok(whole(200, &value))
    }

    /// `/api` and `/apis`, in the newest form that the client takes.
    fn groups(&self, core: bool, request: &Request<'_>) -> Reply {
        for version in ["v2", "v2beta1"] {
            let wanted = format!("g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList");
            if request.accept.contains(&wanted) {
                let value = discovery::aggregated(&self.registry, core, version);
                let mut response = Response::json(200, &value);
                response.content_type = format!("application/json;{wanted}");
                return Reply::Whole(response);
            }
        }
        whole(200, &if core { discovery::core_versions() } else { discovery::groups(&self.registry) })
    }

    fn objects(&mut self, store: &mut Store, at: &Objects, request: &Request<'_>) -> Result<Reply, Refusal> {
        match at.subresource.as_deref() {
            None => {}
            Some("status") if at.resource.status => {}
            Some("scale") if at.resource.scale => return self.scale(store, at, request),
            Some("eviction" | "binding") if at.resource.kind == "Pod" => {
                return delete::below_pod(store, at, request).map(|value| whole(201, &value));
            }
            Some(_) => return Err(Refusal::no_such_path()),
        }
        match (request.method, &at.name) {
            ("GET" | "HEAD", _) if request.query.flag("watch") => {
                Watch::open(at, &request.query, &self.history, store)
                    .map(|watch| Reply::Watch(Box::new(watch)))
            }
            ("GET" | "HEAD", Some(_)) => Ok(text(read::find(store, at)?.to_json())),
            ("GET" | "HEAD", None) => read::list(store, at, &request.query).map(text),
            // A new object of a namespace needs one in the path.
            ("POST", None) if at.resource.namespaced == at.namespace.is_some() => {
                self.write(store, at, request)?.create()
            }
            ("PUT", Some(_)) => self.write(store, at, request)?.replace(),
            ("PATCH", Some(_)) => self.write(store, at, request)?.patch(),
            ("DELETE", _) => {
                delete::delete(store, &self.registry, at, request).map(|value| whole(200, &value))
            }
            _ => Err(Refusal::method_not_allowed()),
        }
    }

    fn write<'w>(
        &'w mut self,
        store: &'w mut Store,
        at: &'w Objects,
        request: &'w Request<'w>,
    ) -> Result<write::Write<'w>, Refusal> {
        let schemas = &self.schemas;
        write::Write::new(schemas, &self.ranges, store, at, request)
    }

    fn scale(&mut self, store: &mut Store, at: &Objects, request: &Request<'_>) -> Result<Reply, Refusal> {
        let object = read::find(store, at)?.to_value();
        match request.method {
            "GET" | "HEAD" => Ok(whole(200, &scale::of(&object))),
            "PUT" | "PATCH" => {
                let replicas = scale::wanted(&object, request, &at.resource)?;
                let written = self.write(store, at, request)?.replicas(replicas)?;
                Ok(whole(200, &scale::of(&written)))
            }
            _ => Err(Refusal::method_not_allowed()),
        }
    }
}

impl Response {
    fn json(status: u16, value: &Value) -> Response {
        Response::text(status, value.to_string())
    }

    fn text(status: u16, text: String) -> Response {
        let content_type = "application/json".to_owned();
        Response { status, content_type, warnings: Vec::new(), body: text.into_bytes() }
    }
}

fn whole(status: u16, value: &Value) -> Reply {
    Reply::Whole(Response::json(status, value))
}

fn text(text: String) -> Reply {
    Reply::Whole(Response::text(200, text))
}

/// The key of an object that a value is of.
fn key_of(resource: &Resource, value: &Value) -> ObjectKey {
    let part = |key: &str| value["metadata"][key].as_str().unwrap_or_default();
    ObjectKey::new(resource.kind_name(), part("namespace"), part("name"))
}
