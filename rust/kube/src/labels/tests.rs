//! Selectors and the index against plain twins.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::object::LabelSelector;

fn labels(text: &str) -> BTreeMap<String, String> {
    let pair = |p: &str| p.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned()));
    text.split(',').filter_map(pair).collect()
}

fn parse(text: &str) -> Selector {
    Selector::parse(text).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn requirements_print_by_key_and_match() {
    for (text, canonical, yes, no) in [
        ("b,a=x", "a=x,b", "a=x,b=", "a=x"),
        ("x notin (b , a,),y", "x notin (,a,b),y", "y=1", "x=,y=1"),
        ("x in (,)", "x in ()", "x=", "y="),
        ("in in (in)", "in in (in)", "in=in", "in="),
        ("x!=", "x!=", "y=1", "x="),
        ("x > 010,!z", "x>010,!z", "x=+11", "x=10"),
        ("x in (a,,b)", "x in (,a,b)", "x=", "x=c"),
        ("  ", "", "", "-"),
    ] {
        let selector = parse(text);
        assert_eq!(selector.to_string(), canonical, "{text}");
        assert!(selector.matches(&labels(yes)), "{text} matches {yes}");
        assert!(no == "-" || !selector.matches(&labels(no)), "{text} does not match {no}");
    }
}

#[test]
fn errors_name_the_byte() {
    for (text, at, code) in [
        ("a,,b", 2, "selector-syntax"),
        ("a=b c", 4, "selector-syntax"),
        ("a in (x", 7, "selector-syntax"),
        ("a in (x,,)", 9, "selector-syntax"),
        ("!a in (x)", 3, "selector-syntax"),
        ("x=!y", 2, "selector-syntax"),
        ("x===a", 3, "selector-syntax"),
        ("ok,/bad=1", 3, "label-key-invalid"),
        ("a in (ok,-no)", 9, "label-value-invalid"),
        ("a>1.5", 2, "selector-operand"),
        ("a>-1", 2, "label-value-invalid"),
    ] {
        let error = Selector::parse(text).expect_err(text);
        assert_eq!(error.code(), code, "{text}: {error}");
        assert!(error.to_string().contains(&format!("byte {at}")), "{text}: {error}");
    }
}

#[test]
fn objects_and_maps_keep_absent_and_empty_apart() {
    assert_eq!(Selector::from_object(None), Ok(Selector::Nothing));
    assert_eq!(Selector::from_object(Some(&LabelSelector::default())), Ok(Selector::EVERYTHING));
    assert_eq!(Selector::from_map(None), None);
    assert_eq!(Selector::from_map(Some(&BTreeMap::new())), Some(Selector::EVERYTHING));
    let odd: LabelSelector =
        serde_json::from_str(r#"{"matchExpressions":[{"key":"a","operator":"in","values":["b"]}]}"#).unwrap();
    assert_eq!(Selector::from_object(Some(&odd)).unwrap_err().code(), "selector-operator");
}

#[test]
fn field_selectors_escape_and_sort() {
    let selector = FieldSelector::parse(r"b==x\,y,,a!=\\").unwrap();
    assert_eq!(selector.to_string(), r"a!=\\,b=x\,y");
    assert!(selector.matches(&labels("b=x")) == selector.terms().is_empty());
    assert!(FieldSelector::parse("f=").unwrap().matches(&labels("")));
    assert!(!FieldSelector::parse("f!=").unwrap().matches(&labels("")));
    assert_eq!(FieldSelector::parse("!=,==").unwrap(), FieldSelector::default());
    for bad in ["x", "k=a=b", r"k=\a", r"k=\"] {
        assert_eq!(FieldSelector::parse(bad).unwrap_err().code(), "field-selector-syntax", "{bad}");
    }
}

#[test]
fn every_code_is_listed() {
    let text = String::new;
    let all = [
        Error::Syntax { text: text(), at: 0, found: text(), expected: "" },
        Error::Key { text: text(), at: 0, key: text(), reason: "" },
        Error::Value { text: text(), at: 0, value: text(), reason: "" },
        Error::Operand { text: text(), at: 0, value: text() },
        Error::Operator { field: text(), found: text() },
        Error::Values { field: text(), operator: "", found: 0, allowed: "" },
        Error::Field { text: text(), term: text(), reason: "" },
    ];
    assert_eq!(all.iter().map(Error::code).collect::<Vec<_>>(), CODES);
}

proptest! {
    #[test]
    fn parsing_never_panics_and_canonical_text_stays(text in r"([abx]|in|notin|[ ,()=!<>10/.-]|é){0,14}") {
        if let Ok(selector) = Selector::parse(&text) {
            let canonical = selector.to_string();
            prop_assert_eq!(&parse(&canonical), &selector);
            prop_assert_eq!(parse(&canonical).to_string(), canonical);
        }
    }

    #[test]
    fn field_values_survive_escaping(value in r"[a,=\\é!]{0,8}") {
        let mut escaped = String::new();
        for c in value.chars() {
            if r"\,=".contains(c) {
                escaped.push('\\');
            }
            escaped.push(c);
        }
        let selector = FieldSelector::parse(&format!("k={escaped}")).unwrap();
        prop_assert_eq!(&selector.terms()[0].value, &value);
        prop_assert_eq!(FieldSelector::parse(&selector.to_string()).unwrap(), selector);
    }
}

#[derive(Clone, Debug)]
enum Op {
    AddPod(usize, String),
    Relabel(usize, String),
    RemovePod(usize),
    AddSelector(usize, String),
    RemoveSelector(usize),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let set = r"(a=[12])?(,b=[1-4])?(,c=)?(,d=[1-9])?";
    let term = prop_oneof![
        r"[abd]=[1-4]",
        r"[abd] in \([1-3],[1-3]\)",
        r"!?[a-d]",
        r"[abd]!=[12]",
        r"d[<>][1-9]",
        r"b notin \([1-3],[1-3]\)"
    ];
    let selector = prop::collection::vec(term, 0..4).prop_map(|terms| terms.join(","));
    let op = prop_oneof![
        (0..2usize, set).prop_map(|(ns, l)| Op::AddPod(ns, l)),
        (any::<usize>(), set).prop_map(|(i, l)| Op::Relabel(i, l)),
        any::<usize>().prop_map(Op::RemovePod),
        (0..2usize, selector).prop_map(|(ns, s)| Op::AddSelector(ns, s)),
        any::<usize>().prop_map(Op::RemoveSelector),
    ];
    prop::collection::vec(op, 1..120)
}

/// Pods and selectors in lists; every question is a scan.
#[derive(Default)]
struct Scan {
    pods: Vec<(PodId, usize, BTreeMap<String, String>)>,
    selectors: Vec<(SelectorId, usize, Selector)>,
}

impl Scan {
    fn matching(&self) -> BTreeSet<(PodId, SelectorId)> {
        let pairs = self.pods.iter().flat_map(|pod| self.selectors.iter().map(move |s| (pod, s)));
        pairs.filter(|(pod, s)| pod.1 == s.1 && s.2.matches(&pod.2)).map(|(pod, s)| (pod.0, s.0)).collect()
    }
}

fn run(index: &mut LabelIndex, scan: &mut Scan, op: Op) {
    let pairs =
        |l: &BTreeMap<String, String>| l.iter().map(|(k, v)| (k.clone(), v.clone())).collect::<Vec<_>>();
    match op {
        Op::AddPod(ns, text) => {
            let l = labels(&text);
            let id = index.add_pod(&ns.to_string(), pairs(&l).iter().map(|(k, v)| (k.as_str(), v.as_str())));
            scan.pods.push((id, ns, l));
        }
        Op::Relabel(i, text) if !scan.pods.is_empty() => {
            let at = i % scan.pods.len();
            scan.pods[at].2 = labels(&text);
            let new = pairs(&scan.pods[at].2);
            index.relabel(scan.pods[at].0, new.iter().map(|(k, v)| (k.as_str(), v.as_str())));
        }
        Op::RemovePod(i) if !scan.pods.is_empty() => {
            index.remove_pod(scan.pods.swap_remove(i % scan.pods.len()).0);
        }
        Op::AddSelector(ns, text) => {
            let selector = parse(&text);
            scan.selectors.push((index.add_selector(&ns.to_string(), &selector), ns, selector));
        }
        Op::RemoveSelector(i) if !scan.selectors.is_empty() => {
            index.remove_selector(scan.selectors.swap_remove(i % scan.selectors.len()).0);
        }
        _ => {}
    }
}

proptest! {
    #[test]
    fn the_index_is_a_linear_scan(ops in ops()) {
        let (mut index, mut scan) = (LabelIndex::new(), Scan::default());
        let mut told = BTreeSet::new();
        for op in ops {
            run(&mut index, &mut scan, op);
            let expected = scan.matching();
            for delta in index.drain() {
                let pair = (delta.pod, delta.selector);
                let new = if delta.matches { told.insert(pair) } else { told.remove(&pair) };
                prop_assert!(new, "a delta says something new");
            }
            prop_assert_eq!(&told, &expected);
            for (id, ..) in &scan.selectors {
                let pods: Vec<_> = expected.iter().filter(|p| p.1 == *id).map(|p| p.0).collect();
                prop_assert_eq!(index.pods_of(*id), pods);
            }
            for (id, ..) in &scan.pods {
                let of: Vec<_> = expected.iter().filter(|p| p.0 == *id).map(|p| p.1).collect();
                prop_assert_eq!(index.selectors_of(*id), of);
            }
        }
        for (id, ..) in scan.pods.drain(..) {
            index.remove_pod(id);
        }
        for (id, ..) in scan.selectors.drain(..) {
            index.remove_selector(id);
        }
        prop_assert_eq!(index.texts_held(), 0);
    }
}

/// A seeded draw of one event: mostly labels that change, some Pods and selectors that come and go.
fn event(draw: &mut kdp_sim::Draw, pods: usize) -> Op {
    let set = |draw: &mut kdp_sim::Draw| {
        let app = draw.below(20);
        format!("a={},b={},d={}", draw.below(3), draw.below(8), app)
    };
    match draw.below(20) {
        0..3 if pods < 80 => Op::AddPod(draw.below(2) as usize, set(draw)),
        0..5 => Op::RemovePod(draw.below(1 << 20) as usize),
        5..16 => Op::Relabel(draw.below(1 << 20) as usize, set(draw)),
        16..18 => {
            let terms = [
                format!("a={}", draw.below(3)),
                format!("b in ({},{})", draw.below(8), draw.below(8)),
                format!("d={},b!={}", draw.below(20), draw.below(8)),
                format!("d>{}", draw.below(20)),
                "!c".to_owned(),
            ];
            Op::AddSelector(draw.below(2) as usize, terms[draw.below(5) as usize].clone())
        }
        _ => Op::RemoveSelector(draw.below(1 << 20) as usize),
    }
}

/// After each event the index is a linear scan. `KDP_EVENTS=100000` makes the run long.
#[test]
fn the_index_is_a_linear_scan_for_as_long_as_it_takes() {
    let events = std::env::var("KDP_EVENTS").ok().and_then(|text| text.parse().ok()).unwrap_or(2_000u64);
    let (mut index, mut scan) = (LabelIndex::new(), Scan::default());
    let mut told = BTreeSet::new();
    for number in 0..events {
        let mut draw = kdp_sim::Chance::new(7).at("events").packet(number, kdp_sim::Time(0));
        let op = event(&mut draw, scan.pods.len());
        let removes = matches!(op, Op::RemoveSelector(_)) && scan.selectors.len() < 20;
        if !removes {
            run(&mut index, &mut scan, op);
        }
        for delta in index.drain() {
            let pair = (delta.pod, delta.selector);
            assert!(
                if delta.matches { told.insert(pair) } else { told.remove(&pair) },
                "event {number}: nothing new"
            );
        }
        assert_eq!(told, scan.matching(), "event {number}");
    }
    assert!(!told.is_empty());
}

#[test]
fn a_crowded_label_loses_its_selectors() {
    let mut index = LabelIndex::new();
    let selector = index.add_selector("n", &parse("env=prod,app=web"));
    for i in 0..400 {
        let app = if i % 40 == 0 { "web".to_owned() } else { format!("app-{i}") };
        index.add_pod("n", [("app", app.as_str()), ("env", "prod")]);
    }
    assert_eq!(index.pods_of(selector).len(), 10);
    assert_eq!(index.drain().len(), 10);
}
