//! The API as a client sees it: requests in turn, and what comes back.

use serde_json::{Value, json};

use super::*;
use crate::store::Cursor;

/// An API over an empty store with a namespace, at a moment that moves when told.
struct Server {
    store: Store,
    api: Api,
    read: Cursor,
    now: i128,
}

impl Server {
    fn new() -> Server {
        let store = Store::new();
        let api = Api::new(&store, schema::tests::schemas(), Options::default(), "1.33");
        let mut server = Server { store, api, read: Cursor::default(), now: 1_700_000_000 };
        server.ok("POST", "/api/v1/namespaces", &json!({"metadata": {"name": "shop"}}));
        server
    }

    fn send(&mut self, method: &str, url: &str, content_type: &str, body: &str) -> (u16, Value) {
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let pair =
            |text: &str| text.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned())).unwrap_or_default();
        let query: Vec<(String, String)> = query.split('&').filter(|it| !it.is_empty()).map(pair).collect();
        let request = Request {
            method,
            path,
            query: Query(&query),
            accept: "application/json",
            content_type,
            body: body.as_bytes(),
            now: Timestamp(self.now * 1_000_000_000),
        };
        let reply = self.api.handle(&mut self.store, &request);
        self.follow();
        match reply {
            Reply::Whole(response) => {
                (response.status, serde_json::from_slice(&response.body).unwrap_or_default())
            }
            Reply::Watch(_) => panic!("{url} is a watch"),
        }
    }

    fn follow(&mut self) {
        for change in self.store.changes_since(self.read).unwrap() {
            self.api.record(change);
        }
        self.read = self.store.cursor();
    }

    fn call(&mut self, method: &str, url: &str, body: &Value) -> (u16, Value) {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        self.send(method, url, "application/json", &text)
    }

    fn ok(&mut self, method: &str, url: &str, body: &Value) -> Value {
        let (status, value) = self.call(method, url, body);
        assert!(status < 300, "{method} {url}: {status} {value}");
        value
    }

    fn patch(&mut self, url: &str, form: &str, body: &Value) -> (u16, Value) {
        self.send("PATCH", url, &format!("application/{form}"), &body.to_string())
    }
}

const SERVICES: &str = "/api/v1/namespaces/shop/services";

fn service(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"selector": {"app": "x"}, "ports": [{"port": 80}]}})
}

#[test]
fn a_new_service_gets_what_the_server_gives() {
    let mut server = Server::new();
    let made = server.ok("POST", SERVICES, &service("web"));
    assert_eq!(made["spec"]["clusterIP"], "10.96.0.10");
    assert_eq!(made["metadata"]["namespace"], "shop");
    assert_eq!(made["metadata"]["creationTimestamp"], "2023-11-14T22:13:20Z");
    assert_eq!(made["spec"]["ports"][0]["targetPort"], 80);
    let other = server.ok("POST", SERVICES, &service("db"));
    assert_eq!(other["spec"]["clusterIP"], "10.96.0.11");
    let (status, refused) = server.call("POST", SERVICES, &service("web"));
    assert_eq!((status, refused["message"].as_str()), (409, Some("services \"web\" already exists")));
}

#[test]
fn what_is_wrong_is_said_as_the_api_says_it() {
    let mut server = Server::new();
    for (method, url, body, code, message) in [
        ("GET", "/api/v1/namespaces/shop/pods/x", Value::Null, 404, "pods \"x\" not found"),
        (
            "GET",
            "/apis/apps/v1/namespaces/shop/deployments/x",
            Value::Null,
            404,
            "deployments.apps \"x\" not found",
        ),
        ("POST", "/api/v1/namespaces/nope/services", service("web"), 404, "namespaces \"nope\" not found"),
        (
            "POST",
            "/api/v1/services",
            service("web"),
            405,
            "the server does not allow this method on the requested resource",
        ),
        (
            "PUT",
            SERVICES,
            service("web"),
            405,
            "the server does not allow this method on the requested resource",
        ),
    ] {
        let (status, refused) = server.call(method, url, &body);
        assert_eq!((status, refused["code"].as_u64()), (code, Some(code.into())), "{refused}");
        assert!(refused["message"].as_str().unwrap().ends_with(message), "{refused}");
    }
    let mut wrong = service("web");
    wrong["spec"]["ports"][0]["port"] = 0.into();
    let (status, refused) = server.call("POST", SERVICES, &wrong);
    assert!(status == 422 || status == 400, "{refused}");
    let mut unknown = service("web");
    unknown["spec"]["portz"] = json!([]);
    let (status, refused) = server.call("POST", &format!("{SERVICES}?fieldValidation=Strict"), &unknown);
    assert_eq!(status, 400);
    assert!(
        refused["message"].as_str().unwrap().ends_with("strict decoding error: unknown field \"spec.portz\""),
        "{refused}"
    );
}

#[test]
fn a_stale_write_is_a_conflict_and_a_same_write_is_none() {
    let mut server = Server::new();
    let made = server.ok("POST", SERVICES, &service("web"));
    let url = format!("{SERVICES}/web");
    let same = server.ok("PUT", &url, &made);
    assert_eq!(same["metadata"]["resourceVersion"], made["metadata"]["resourceVersion"]);
    let mut changed = made.clone();
    changed["spec"]["type"] = "NodePort".into();
    let written = server.ok("PUT", &url, &changed);
    assert_eq!(written["spec"]["ports"][0]["nodePort"], 30_000);
    let (status, refused) = server.call("PUT", &url, &changed);
    assert_eq!(status, 409, "{refused}");
    let mut moved = written;
    moved["spec"]["clusterIP"] = "10.96.0.99".into();
    moved["spec"]["clusterIPs"] = json!(["10.96.0.99"]);
    let (status, refused) = server.call("PUT", &url, &moved);
    assert_eq!(status, 422, "{refused}");
    assert!(refused["message"].as_str().unwrap().contains("may not change once set"));
}

#[test]
fn each_form_of_a_patch() {
    let mut server = Server::new();
    server.ok("POST", SERVICES, &service("web"));
    let url = format!("{SERVICES}/web");
    let (_, one) = server.patch(
        &url,
        "strategic-merge-patch+json",
        &json!({"spec": {"ports": [{"port": 81, "name": "b"}, {"port": 80, "name": "a"}]}}),
    );
    assert_eq!(one["spec"]["ports"].as_array().map(Vec::len), Some(2), "{one}");
    let (_, two) = server.patch(&url, "merge-patch+json", &json!({"metadata": {"labels": {"a": "b"}}}));
    assert_eq!(two["metadata"]["labels"]["a"], "b");
    let (_, three) =
        server.patch(&url, "json-patch+json", &json!([{"op": "remove", "path": "/metadata/labels/a"}]));
    assert!(three["metadata"].get("labels").is_none_or(|labels| labels.get("a").is_none()), "{three}");
    let monitors = "/apis/monitoring.coreos.com/v1/namespaces/shop/servicemonitors";
    server.ok("POST", monitors, &json!({"apiVersion": "monitoring.coreos.com/v1", "kind": "ServiceMonitor", "metadata": {"name": "m"}, "spec": {"selector": {}, "endpoints": []}}));
    let (status, _) = server.patch(&format!("{monitors}/m"), "strategic-merge-patch+json", &json!({}));
    assert_eq!(status, 415);
}

#[test]
fn a_list_is_cut_and_goes_on() {
    let mut server = Server::new();
    for name in ["c", "a", "b"] {
        server.ok("POST", SERVICES, &service(name));
    }
    let first = server.ok("GET", &format!("{SERVICES}?limit=2"), &Value::Null);
    let names = |list: &Value| -> Vec<String> {
        list["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["metadata"]["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        (names(&first), &first["metadata"]["remainingItemCount"]),
        (vec!["a".to_owned(), "b".to_owned()], &json!(1))
    );
    let token = first["metadata"]["continue"].as_str().unwrap();
    let rest = server.ok("GET", &format!("/api/v1/services?limit=2&continue={token}"), &Value::Null);
    assert_eq!(names(&rest), ["c"]);
    assert_eq!(server.call("GET", &format!("{SERVICES}?continue=zz"), &Value::Null).0, 400);
}

#[test]
fn a_pod_has_its_grace_and_a_namespace_takes_all_along() {
    let mut server = Server::new();
    let pods = "/api/v1/namespaces/shop/pods";
    let pod = json!({"metadata": {"name": "p"}, "spec": {"nodeName": "n1", "containers": [{"name": "c", "image": "i"}]}});
    let made = server.ok("POST", pods, &pod);
    assert_eq!(
        (&made["status"]["phase"], &made["status"]["qosClass"]),
        (&json!("Pending"), &json!("BestEffort"))
    );
    server.ok("POST", SERVICES, &service("web"));
    let going = server.ok("DELETE", "/api/v1/namespaces/shop", &Value::Null);
    assert_eq!(going["status"]["phase"], "Terminating");
    assert_eq!(server.call("GET", &format!("{SERVICES}/web"), &Value::Null).0, 404);
    assert_eq!(server.call("POST", SERVICES, &service("new")).0, 403);
    let going = server.ok("GET", &format!("{pods}/p"), &Value::Null);
    assert_eq!(going["metadata"]["deletionGracePeriodSeconds"], 30);
    server.api.reap(&mut server.store);
    assert_eq!(server.ok("GET", "/api/v1/namespaces/shop", &Value::Null)["status"]["phase"], "Terminating");
    server.store.delete(&ObjectKey::new(KindName::Pod, "shop", "p"));
    server.api.reap(&mut server.store);
    assert_eq!(server.call("GET", "/api/v1/namespaces/shop", &Value::Null).0, 404);
}

#[test]
fn a_scale_is_a_small_object_of_its_own() {
    let mut server = Server::new();
    let all = "/apis/apps/v1/namespaces/shop/deployments";
    let deployment = json!({"metadata": {"name": "d"}, "spec": {"replicas": 2, "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}});
    server.ok("POST", all, &deployment);
    let scale = server.ok("GET", &format!("{all}/d/scale"), &Value::Null);
    assert_eq!((&scale["spec"]["replicas"], &scale["status"]["selector"]), (&json!(2), &json!("a=b")));
    let (_, scale) =
        server.patch(&format!("{all}/d/scale"), "merge-patch+json", &json!({"spec": {"replicas": 4}}));
    assert_eq!(scale["spec"]["replicas"], 4);
    let whole = server.ok("GET", &format!("{all}/d"), &Value::Null);
    assert_eq!((&whole["spec"]["replicas"], &whole["metadata"]["generation"]), (&json!(4), &json!(2)));
}

#[test]
fn an_apply_makes_and_changes() {
    let mut server = Server::new();
    let url = format!("{SERVICES}/web?fieldManager=kubectl");
    let (status, made) = server.patch(&url, "apply-patch+yaml", &service("web"));
    assert_eq!(status, 201, "{made}");
    let mut wanted = service("web");
    wanted["spec"]["ports"] = json!([{"port": 81}]);
    let (status, changed) = server.patch(&url, "apply-patch+yaml", &wanted);
    assert_eq!(status, 200, "{changed}");
    assert_eq!(changed["spec"]["ports"], json!([{"port": 81, "protocol": "TCP", "targetPort": 81}]));
    let (status, refused) = server.patch(&format!("{SERVICES}/web"), "apply-patch+yaml", &wanted);
    assert_eq!(status, 422, "{refused}");
}

#[test]
fn a_dry_run_leaves_nothing() {
    let mut server = Server::new();
    let version = server.store.version();
    server.ok("POST", &format!("{SERVICES}?dryRun=All"), &service("web"));
    assert_eq!(server.store.version(), version);
    assert_eq!(server.call("POST", &format!("{SERVICES}?dryRun=Some"), &service("web")).0, 400);
}

#[test]
fn discovery_has_three_forms() {
    let mut server = Server::new();
    assert_eq!(server.ok("GET", "/api/", &Value::Null)["versions"], json!(["v1"]));
    let groups = server.ok("GET", "/apis", &Value::Null);
    assert!(groups["groups"].as_array().unwrap().iter().any(|it| it["name"] == "apps"));
    let lines = server.ok("GET", "/api/v1", &Value::Null);
    assert!(lines["resources"].as_array().unwrap().iter().any(|it| it["name"] == "pods/exec"));
    let document = server.ok("GET", "/openapi/v3/api/v1", &Value::Null);
    assert!(
        document["components"]["schemas"]["io.k8s.api.core.v1.Service"]["properties"]["spec"]["$ref"]
            == "#/components/schemas/Spec"
    );
}
