use std::fmt::Write;

use proptest::prelude::*;

use super::*;
use crate::object::{IntOrString, KindName, Pod, Service};

fn load_text(text: &str) -> Result<Loaded, Error> {
    load(&[Source { name: "f.yaml", bytes: text.as_bytes() }])
}

fn code(text: &str) -> &'static str {
    load_text(text).unwrap_err().code()
}

fn message(text: &str) -> String {
    load_text(text).unwrap_err().to_string()
}

fn json(yaml: &str) -> String {
    yaml::documents("-", yaml, false).unwrap().join("\n")
}

const WEB: &str = "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\n";

#[test]
fn documents_need_not_be_objects_and_two_letters_are_texts() {
    let bytes = b"a: y\nb: [n, yes, 1]\n---\n- 2024-01-01T00:00:00Z\n---\n";
    let found = documents(Source { name: "f.yaml", bytes }).unwrap();
    assert_eq!(found, [r#"{"a":"y","b":["n",true,1]}"#, r#"["2024-01-01T00:00:00Z"]"#, "null"]);
    let broken = documents(Source { name: "f.yaml", bytes: b"a: [" }).unwrap_err();
    assert_eq!(broken.code(), "yaml-syntax");
}

#[test]
fn scalars_are_what_kubectl_makes_of_them() {
    let pairs = [
        ("yes", "true"),
        ("Off", "false"),
        ("y", "true"),
        ("~", "null"),
        ("", "null"),
        ("0777", "511"),
        ("0o17", "15"),
        ("0x1F", "31"),
        ("08", "8"),
        ("1_000", "1000"),
        ("1.0", "1"),
        ("1.5", "1.5"),
        ("-.5", "-0.5"),
        ("1e3", "1000"),
        ("795e8229", "\"795e8229\""),
        ("18446744073709551615", "18446744073709551615"),
        ("10.96.0.10", "\"10.96.0.10\""),
        ("2024-01-01T00:00:00Z", "\"2024-01-01T00:00:00Z\""),
        ("\"8080\"", "\"8080\""),
        ("'yes'", "\"yes\""),
        ("!!str 5", "\"5\""),
        ("+", "\"+\""),
        ("fd00::1", "\"fd00::1\""),
        ("|\n  a\n  b\n", "\"a\\nb\\n\""),
    ];
    for (yaml, expected) in pairs {
        assert_eq!(json(&format!("a: {yaml}\n")), format!("{{\"a\":{expected}}}"), "{yaml}");
    }
    assert_eq!(json("1: a\nyes: b\n"), r#"{"1":"a","true":"b"}"#);
}

#[test]
fn documents_lists_and_typed_lists_are_taken_apart() {
    let text = "---\n# nothing\n---\napiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata: {name: a}\n---\n\
                apiVersion: v1\nkind: PodList\nitems:\n- metadata: {name: b}\n---\nnull\n";
    let loaded = load_text(text).unwrap();
    let names: Vec<_> = loaded.objects.iter().map(|object| object.key().to_string()).collect();
    assert_eq!(names, ["Pod a", "Pod b"]);
}

#[test]
fn json_documents_follow_each_other_and_keep_their_rest() {
    let text = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"},"spec":{"odd": 1}}
                  {"apiVersion":"v1","kind":"List","items":null}"#;
    let loaded = load_text(text).unwrap();
    assert_eq!(loaded.objects.len(), 1);
    assert_eq!(loaded.objects[0].original().unwrap().matches(' ').count(), 0);
    assert_eq!(loaded.objects[0].to_value()["spec"]["odd"], 1);
}

#[test]
fn a_bom_and_carriage_returns_do_not_matter() {
    let text = format!("\u{feff}{}", WEB.replace('\n', "\r\n"));
    assert_eq!(load_text(&text).unwrap().objects, load_text(WEB).unwrap().objects);
}

#[test]
fn a_flow_mapping_is_read_though_it_looks_like_json() {
    let loaded = load_text("{apiVersion: v1, kind: Pod, metadata: {name: a}}").unwrap();
    assert_eq!(loaded.objects[0].key().kind, KindName::Pod);
}

#[test]
fn merge_keys_add_what_is_missing() {
    let text = "base: &b {x: 1, w: [1, 2]}\nother: &o {x: 5, z: 3}\na:\n  <<: *b\n  x: 2\nc:\n  k: 0\n  <<: [*b, *o]\nd: {<<: {q: 1}}\n";
    let value: serde_json::Value = serde_json::from_str(&json(text)).unwrap();
    assert_eq!(value["a"].to_string(), r#"{"x":2,"w":[1,2]}"#);
    assert_eq!(value["c"].to_string(), r#"{"k":0,"x":1,"w":[1,2],"z":3}"#);
    assert_eq!(value["d"].to_string(), r#"{"q":1}"#);
    assert_eq!(code("a:\n  <<: 5\n"), "yaml-syntax");
}

#[test]
fn an_alias_bomb_is_refused() {
    let mut text =
        "a0: &a0 [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]\n".to_owned();
    for i in 1..12 {
        let aliases = vec![format!("*a{}", i - 1); 10].join(", ");
        writeln!(text, "a{i}: &a{i} [{aliases}]").unwrap();
    }
    assert_eq!(code(&text), "yaml-alias-bomb");
}

#[test]
fn broken_yaml_and_json_say_where() {
    assert_eq!(code("a: [1\nb: 2\n"), "yaml-syntax");
    assert_eq!(message("a: 1\nb: 'c\n"), "f.yaml:2:4: YAML: unclosed quote");
    let broken = "{\"apiVersion\": \"v1\",\n \"kind\": }";
    assert_eq!(code(broken), "json-syntax");
    assert!(message(broken).starts_with("f.yaml:2:"), "{}", message(broken));
}

#[test]
fn a_key_twice_is_refused_with_its_place() {
    let text = format!("{WEB}spec:\n  type: NodePort\n  type: ClusterIP\n");
    assert_eq!(message(&text), "f.yaml:6:3: key \"type\" is there twice in one mapping");
    let json = "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\",\n\"name\":\"b\"}}";
    assert_eq!(message(json), "f.yaml:2:1: key \"name\" is there twice in one mapping");
    let many: Vec<String> = (0..100).map(|i| format!("\"k{}\":1", i % 99)).collect();
    let json = format!("{{\"apiVersion\":\"v1\",\"kind\":\"X\",\"data\":{{{}}}}}", many.join(","));
    assert_eq!(code(&json), "duplicate-key");
}

#[test]
fn a_wrong_type_names_object_field_and_place() {
    let text = format!("{WEB}spec:\n  ports:\n  - port: eighty\n");
    let expected = "f.yaml:6:11: Service shop/web .spec.ports[0].port: invalid type: string \"eighty\", \
                    expected a whole number from 0 to 65535";
    assert_eq!(message(&text), expected);
    assert_eq!(code(&format!("{WEB}spec: {{selector: [a]}}\n")), "field-wrong-type");
    // As in the API server, a label that reads as a number is no text.
    assert_eq!(code("apiVersion: v1\nkind: Pod\nmetadata: {name: a, labels: {v: 1}}\n"), "field-wrong-type");
    let json = "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\n\"metadata\":{\"name\":7}}";
    assert!(message(json).starts_with("f.yaml:2:"), "{}", message(json));
}

#[test]
fn a_port_out_of_range_is_said_as_such() {
    let text = format!("{WEB}spec: {{ports: [{{port: 70000}}]}}\n");
    assert_eq!(message(&text), "Service shop/web .spec.ports[0].port: port 70000 is outside 1..=65535");
    let text = format!("{WEB}spec: {{ports: [{{port: 80, nodePort: -1}}]}}\n");
    assert_eq!(message(&text), "Service shop/web .spec.ports[0].nodePort: port -1 is outside 1..=65535");
}

#[test]
fn unknown_kinds_are_kept_and_said_once() {
    let text = "apiVersion: x.io/v1\nkind: Widget\nmetadata: {name: a}\n---\napiVersion: x.io/v1\nkind: Widget\nmetadata: {name: b}\n";
    let loaded = load_text(text).unwrap();
    assert_eq!(loaded.objects.len(), 2);
    let notes: Vec<_> = loaded.notes.iter().map(ToString::to_string).collect();
    assert_eq!(notes, ["kept 2 of kind Widget (x.io/v1), which kdp does not model"]);
}

#[test]
fn what_is_no_object_is_refused() {
    for text in ["hello", "- a\n", "a: b\n", "[1]", "kind: Pod\n", "{\"kind\":\"Pod\"}", "5"] {
        assert_eq!(code(text), "not-an-object", "{text}");
    }
    assert_eq!(load_text("").unwrap(), Loaded::default());
}

#[test]
fn garbage_is_refused_at_once() {
    let zeros = vec![0; 1 << 20];
    assert_eq!(load(&[Source { name: "-", bytes: &zeros }]).unwrap_err().code(), "source-not-text");
    assert_eq!(
        load(&[Source { name: "-", bytes: b"ok: 1\n\xff" }]).unwrap_err().to_string(),
        "-:2:1: not a text in UTF-8: byte 0xff"
    );
    for open in ["[", "- ", "{a: ", "{\"a\":", "{\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":["] {
        assert!(load_text(&open.repeat(20_000)).is_err(), "{open}");
    }
    let deep =
        format!("{{\"apiVersion\":\"v1\",\"kind\":\"X\",\"d\":{}{}}}", "[".repeat(5000), "]".repeat(5000));
    assert_eq!(code(&deep), "nesting-too-deep");
    let lists = "{\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":[";
    assert_eq!(code(&format!("{}{}", lists.repeat(5000), "]}".repeat(5000))), "nesting-too-deep");
}

#[test]
fn a_text_that_nothing_could_read_again_is_refused() {
    let with = |value: &str| format!("{{\"apiVersion\":\"v1\",\"kind\":\"X\",\"d\":{value}}}");
    assert_eq!(code(&with("1e999")), "json-syntax");
    assert_eq!(code(&with("\"\\ud800\"")), "json-syntax");
    load_text(&with("\"\\ud83d\\ude00\"")).unwrap().objects[0].to_json();
}

#[test]
fn nothing_is_half_loaded() {
    let good = Source { name: "a", bytes: WEB.as_bytes() };
    assert!(load(&[good, Source { name: "b", bytes: b"a: [" }]).is_err());
}

fn pods() -> impl Strategy<Value = Pod> {
    let text = "[a-z0-9 :#'\"\\\\é\n~-]{0,12}";
    let labels = prop::collection::btree_map(text, text, 0..4);
    (text, labels, any::<bool>(), prop::option::of(any::<u16>())).prop_map(
        |(name, labels, host_network, port)| {
            let mut pod = Pod::default();
            pod.meta.name = name;
            pod.meta.labels = labels;
            pod.spec.host_network = host_network;
            pod.spec.containers = port.into_iter().map(container).collect();
            pod
        },
    )
}

fn container(port: u16) -> crate::object::Container {
    let port = crate::object::ContainerPort { container_port: port, ..Default::default() };
    crate::object::Container { ports: vec![port], ..Default::default() }
}

/// Block YAML of a JSON value, every text in double quotes: a slow twin of `kubectl -o yaml`.
fn to_yaml(value: &serde_json::Value, indent: usize, out: &mut String) {
    use serde_json::Value;
    let pad = " ".repeat(indent);
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (key, value) in fields {
                write!(out, "\n{pad}{}:", serde_json::to_string(key).unwrap()).unwrap();
                to_yaml(value, indent + 2, out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                write!(out, "\n{pad}-").unwrap();
                to_yaml(item, indent + 2, out);
            }
        }
        flat => write!(out, " {flat}").unwrap(),
    }
}

proptest! {
    #[test]
    fn any_bytes_give_objects_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = load(&[Source { name: "-", bytes: &bytes }]);
    }

    #[test]
    fn any_yaml_like_text_gives_objects_or_an_error(text in "[a-c:{}\\[\\],&*<!>|'\" \n\t-]{0,80}") {
        let _ = load_text(&text);
        let _ = load_text(&format!("apiVersion: v1\nkind: Pod\nspec: {text}"));
        let _ = load_text(&format!("{{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"spec\": {text}}}"));
    }

    #[test]
    fn yaml_and_json_of_one_object_load_equal(pod in pods()) {
        let json = Object::new(pod.clone()).to_json();
        let mut yaml = String::new();
        to_yaml(&serde_json::from_str(&json).unwrap(), 0, &mut yaml);
        let from_json = load_text(&json).unwrap().objects;
        prop_assert_eq!(&from_json, &load_text(&yaml).unwrap().objects);
        prop_assert_eq!(from_json[0].get::<Pod>(), Some(&pod));
    }

    #[test]
    fn a_scalar_in_yaml_and_json_is_the_same_number(number in any::<i64>()) {
        prop_assert_eq!(json(&format!("a: {number}\n")), format!("{{\"a\":{number}}}"));
    }
}

#[test]
fn a_service_as_kubectl_dumps_it() {
    let text = "apiVersion: v1\nitems:\n- apiVersion: v1\n  kind: Service\n  metadata:\n    creationTimestamp: null\n    labels:\n      hash: 795e8229\n    name: web\n    namespace: shop\n  spec:\n    clusterIP: 10.96.0.10\n    clusterIPs:\n    - 10.96.0.10\n    ports:\n    - port: 80\n      protocol: TCP\n      targetPort: http\n    selector:\n      app: web\n    sessionAffinity: None\n    type: ClusterIP\n  status:\n    loadBalancer: {}\nkind: List\nmetadata:\n  resourceVersion: \"\"\n";
    let loaded = load_text(text).unwrap();
    let service = loaded.objects[0].get::<Service>().unwrap();
    assert_eq!(service.meta.labels["hash"], "795e8229");
    assert_eq!(service.spec.ports[0].target_port, IntOrString::Str("http".into()));
}
