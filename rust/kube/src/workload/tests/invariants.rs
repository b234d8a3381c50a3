//! What holds whatever people do, after each single write.

use super::*;
use crate::workload::writes::edit;
use proptest::prelude::*;

/// Something that a person or a machine does.
#[derive(Clone, Debug)]
enum Deed {
    Scale(i32),
    Image(u8),
    Delete(usize),
    Flap(usize, bool),
    Lose(u8),
    Find(u8),
    Wait(u16),
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let deed = prop_oneof![
        (0i32..9).prop_map(Deed::Scale),
        (0u8..3).prop_map(Deed::Image),
        (0usize..9).prop_map(Deed::Delete),
        (0usize..9, any::<bool>()).prop_map(|(at, ready)| Deed::Flap(at, ready)),
        (1u8..3).prop_map(Deed::Lose),
        (1u8..3).prop_map(Deed::Find),
        (0u16..30_000).prop_map(Deed::Wait),
    ];
    prop::collection::vec(deed, 1..14)
}

fn act(world: &mut World, kind: &KindName, deed: &Deed) {
    let pod = |world: &World, at: usize| world.pods().get(at).map(|pod| pod.meta.name.clone());
    match deed {
        Deed::Scale(replicas) if *kind == KindName::Deployment => world.scale("web", *replicas),
        Deed::Scale(replicas) => {
            let key = key(KindName::StatefulSet, "db");
            edit_spec::<StatefulSet>(&mut world.store, &key, |it| it.spec.replicas = Some(*replicas));
        }
        Deed::Image(version) if *kind == KindName::Deployment => {
            world.image("web", &format!("web:{version}"));
        }
        Deed::Image(version) => {
            let key = key(KindName::StatefulSet, "db");
            edit_spec::<StatefulSet>(&mut world.store, &key, |it| {
                it.spec.template.spec.containers[0].image = format!("db:{version}");
            });
        }
        Deed::Delete(at) => pod(world, *at).into_iter().for_each(|name| world.delete(&name)),
        Deed::Flap(at, ready) => {
            if let Some(name) = pod(world, *at) {
                let now = world.now;
                world.workloads.probe(&mut world.store, &key(KindName::Pod, &name), *ready, now);
            }
        }
        Deed::Lose(node) => world.workloads.lose_node(&format!("node-{node}"), world.now),
        Deed::Find(node) => {
            let now = world.now;
            world.workloads.find_node(&mut world.store, &format!("node-{node}"), now);
        }
        Deed::Wait(millis) => {
            let until = world.now.as_secs_f64() + f64::from(*millis) / 1000.0;
            world.run(until);
        }
    }
    world.settle();
}

/// No address twice, no name of a node that is not there, ends do not go back.
fn always(store: &Store) {
    let mut seen = std::collections::BTreeSet::new();
    for pod in store.all::<Pod>(None).filter(|pod| !pod.is_terminal()) {
        for ip in pod.addresses() {
            assert!(seen.insert(ip.to_owned()), "two living Pods have {ip}");
        }
        assert!(pod.spec.node_name.is_empty() || store.find::<Node>("", &pod.spec.node_name).is_some());
    }
}

/// Everybody is back and time has passed: things are as they should be.
fn heal(world: &mut World) {
    for node in ["node-1", "node-2"] {
        let now = world.now;
        world.workloads.find_node(&mut world.store, node, now);
    }
    let names: Vec<String> = world.pods().iter().map(|pod| pod.meta.name.clone()).collect();
    for name in names {
        let now = world.now;
        world.workloads.probe(&mut world.store, &key(KindName::Pod, &name), true, now);
    }
    let until = world.now.as_secs_f64() + 300.0;
    world.run(until);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_deployment_always_comes_to_what_was_asked(deeds in deeds()) {
        let mut world = World::of(&WEB.replace("replicas: 10", "replicas: 4"));
        world.check = |store| {
            always(store);
        };
        for deed in &deeds { act(&mut world, &KindName::Deployment, deed); }
        heal(&mut world);
        let wanted = world.deployment("web").spec.replicas.unwrap();
        let image = world.deployment("web").spec.template.spec.containers[0].image.clone();
        prop_assert_eq!(world.ready(), usize::try_from(wanted).unwrap());
        prop_assert_eq!(world.pods().len(), usize::try_from(wanted).unwrap());
        prop_assert!(world.pods().iter().all(|pod| pod.spec.containers[0].image == image));
    }

    #[test]
    fn a_stateful_set_never_has_an_ordinal_twice_and_comes_to_what_was_asked(deeds in deeds()) {
        let mut world = World::of(DB);
        world.check = |store| {
            always(store);
            let set = store.find::<StatefulSet>("default", "db").unwrap();
            assert!(store.all::<Pod>(None).all(|pod| pod.meta.name.starts_with(&set.meta.name)));
        };
        for deed in &deeds { act(&mut world, &KindName::StatefulSet, deed); }
        heal(&mut world);
        let set = world.store.find::<StatefulSet>("default", "db").unwrap().clone();
        let names: Vec<String> = (0..set.spec.replicas.unwrap()).map(|at| format!("db-{at} Running ready")).collect();
        prop_assert_eq!(world.shown(), names);
        let image = &set.spec.template.spec.containers[0].image;
        prop_assert!(world.pods().iter().all(|pod| pod.spec.containers[0].image == *image));
    }

    /// An update alone, in order: at most one ordinal is not ready at any moment.
    #[test]
    fn an_ordered_update_has_one_ordinal_down_at_most(versions in prop::collection::vec((1u8..4, 0u16..9000), 1..5)) {
        let mut world = World::of(DB);
        world.check = |store| {
            let up = store.all::<Pod>(None).filter(|pod| pod.is_ready() && !pod.meta.is_terminating()).count();
            assert!(up >= 2, "{up} of 3 are up");
        };
        for (version, millis) in versions {
            act(&mut world, &KindName::StatefulSet, &Deed::Image(version));
            act(&mut world, &KindName::StatefulSet, &Deed::Wait(millis));
        }
    }

    /// Rollouts alone: never more than wanted and surge, never fewer available than wanted less unavailable.
    #[test]
    fn rollouts_keep_their_bounds(versions in prop::collection::vec((1u8..4, 0u16..9000), 1..6)) {
        let mut world = World::of(&WEB.replace("replicas: 10", "replicas: 8"));
        world.check = |store| {
            let all: i32 = store.all::<ReplicaSet>(None).map(|set| set.spec.replicas.unwrap_or(1)).sum();
            let ready = store.all::<Pod>(None).filter(|pod| pod.is_ready() && !pod.meta.is_terminating()).count();
            assert!(all <= 10, "25 % of 8 more");
            assert!(ready >= 6, "25 % of 8 fewer: {ready}");
        };
        for (version, millis) in versions {
            act(&mut world, &KindName::Deployment, &Deed::Image(version));
            act(&mut world, &KindName::Deployment, &Deed::Wait(millis));
        }
    }
}

#[test]
fn the_same_deeds_give_the_same_objects() {
    let end = || {
        let mut world = World::of(&format!("{WEB}---{DB}"));
        world.image("web", "web:2");
        world.workloads.lose_node("node-2", world.now);
        world.run(500.0);
        world.store.objects().map(|object| object.to_json()).collect::<Vec<_>>()
    };
    assert_eq!(end(), end());
}

#[test]
fn an_edit_that_changes_nothing_writes_nothing() {
    let mut world = World::of(WEB);
    let version = world.store.version();
    let name = world.pods()[0].meta.name.clone();
    assert!(!edit::<Pod>(&mut world.store, &key(KindName::Pod, &name), |_| ()));
    assert_eq!(world.store.version(), version);
}
