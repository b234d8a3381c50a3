use super::*;

fn service(text: &str) -> Service {
    serde_json::from_str(text).unwrap()
}

#[test]
fn null_absent_and_empty_are_one() {
    let all = [
        r#"{"spec":{"ports":null,"clusterIP":null}}"#,
        r#"{"spec":{"ports":[],"clusterIP":""}}"#,
        r#"{"spec":null}"#,
        "{}",
    ];
    for text in all {
        assert_eq!(service(text), Service::default(), "{text}");
    }
}

#[test]
fn an_absent_selector_is_not_an_empty_one() {
    assert_eq!(service(r#"{"spec":{"selector":null}}"#).spec.selector, None);
    assert_eq!(
        service(r#"{"spec":{"selector":{}}}"#).spec.selector,
        Some(std::collections::BTreeMap::default())
    );
}

#[test]
fn a_number_in_quotes_is_a_name() {
    let read = |text: &str| serde_json::from_str::<ServicePort>(text).unwrap().target_port;
    assert_eq!(read(r#"{"targetPort":8080}"#), IntOrString::Int(8080));
    assert_eq!(read(r#"{"targetPort":"8080"}"#), IntOrString::Str("8080".into()));
    assert!(read("{}").is_unset());
}

#[test]
fn words_are_written_as_the_api_writes_them() {
    let text = r#"{"metadata":{"name":"web","labels":{"a":"b"}},"spec":{"type":"NodePort","clusterIP":"10.96.0.10","clusterIPs":["10.96.0.10"],"externalIPs":["1.2.3.4"],"sessionAffinityConfig":{"clientIP":{"timeoutSeconds":5}}},"status":{"loadBalancer":{"ingress":[{"ip":"1.2.3.5","ipMode":"VIP"}]}}}"#;
    let value: serde_json::Value = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_value(service(text)).unwrap(), value);
}

#[test]
fn affinity_has_the_default_of_three_hours() {
    let with = |text: &str| service(text).spec.affinity_timeout_seconds();
    assert_eq!(with(r#"{"spec":{"sessionAffinity":"ClientIP"}}"#), Some(10_800));
    assert_eq!(with(r#"{"spec":{"sessionAffinity":"None"}}"#), None);
}

/// An object as the loader makes one.
fn read(text: &str) -> Object {
    let value: serde_json::Value = serde_json::from_str(text).unwrap();
    let name = KindName::of(value["apiVersion"].as_str().unwrap(), value["kind"].as_str().unwrap());
    let api_version = value["apiVersion"].as_str().unwrap().to_owned();
    Object::read(Kind::read(&name, &api_version, value).unwrap(), text.into())
}

#[test]
fn unknown_fields_survive_a_change() {
    let text = r#"{"apiVersion":"v1","kind":"Service","metadata":{"name":"web"},"spec":{"brandNew":7,"ports":[{"port":80,"odd":true}]}}"#;
    let mut object = read(text);
    assert_eq!(object.to_json(), text);
    object.get_mut::<Service>().unwrap().spec.ports[0].protocol = "TCP".into();
    object.get_mut::<Service>().unwrap().spec.cluster_ip = "10.96.0.10".into();
    let spec = &object.to_value()["spec"];
    assert_eq!(
        spec.to_string(),
        r#"{"brandNew":7,"ports":[{"port":80,"odd":true,"protocol":"TCP"}],"clusterIP":"10.96.0.10"}"#
    );
}

#[test]
fn an_unknown_kind_keeps_its_words() {
    let text =
        r#"{"apiVersion":"x.io/v2","kind":"Widget","metadata":{"name":"w"},"spec":{"deep":{"er":[1]}}}"#;
    let mut object = read(text);
    assert_eq!(object.key().to_string(), "Widget w");
    object.meta_mut().labels.insert("a".into(), "b".into());
    assert_eq!(object.to_value()["metadata"]["labels"]["a"], "b");
    assert_eq!(object.to_value()["spec"]["deep"]["er"][0], 1);
}

#[test]
fn a_removed_item_is_removed_from_what_was_read() {
    let mut object = read(
        r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","labels":{"a":"1","b":"2"}},"spec":{"containers":[{"name":"c","env":[]},{"name":"d"}]}}"#,
    );
    object.meta_mut().labels.remove("a");
    object.get_mut::<Pod>().unwrap().spec.containers.pop();
    let value = object.to_value();
    assert_eq!(value["metadata"]["labels"].to_string(), r#"{"b":"2"}"#);
    assert_eq!(value["spec"]["containers"].to_string(), r#"[{"name":"c","env":[]}]"#);
}

#[test]
fn only_the_typed_version_of_a_kind_is_typed() {
    assert_eq!(KindName::of("apps/v1", "Deployment"), KindName::Deployment);
    assert!(matches!(KindName::of("extensions/v1beta1", "Deployment"), KindName::Other { .. }));
}

#[test]
fn the_length_of_an_object_is_that_of_its_json() {
    let mut slice = super::EndpointSlice::default();
    let empty = super::Object::new(slice.clone());
    assert_eq!(empty.json_len(), empty.to_json().len());
    slice.meta.name = "web \"quoted\" ü".to_owned();
    slice.endpoints.push(super::Endpoint { addresses: vec!["10.0.0.1".to_owned()], ..Default::default() });
    let full = super::Object::new(slice);
    assert_eq!(full.json_len(), full.to_json().len());
}
