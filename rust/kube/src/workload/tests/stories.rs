//! What happens when one thing changes.

use super::*;

#[test]
fn a_cluster_at_rest_stays_as_it_is() {
    let mut world = World::of(&format!("{WEB}---{DB}"));
    let before = world.shown();
    world.run(60.0);
    assert_eq!(world.shown(), before);
    assert_eq!(world.deployment("web").status.available_replicas, 10);
}

#[test]
fn a_new_pod_is_placed_started_and_ready() {
    let mut world = World::of(WEB);
    world.scale("web", 11);
    world.run(0.005);
    let new = |world: &World| world.pods()[10].clone();
    assert_eq!((new(&world).status.phase.as_str(), new(&world).spec.node_name.as_str()), ("Pending", ""));
    world.run(1.0);
    assert!(!new(&world).spec.node_name.is_empty() && new(&world).status.pod_ip.is_empty());
    world.run(2.5);
    let pod = new(&world);
    assert_eq!((pod.status.phase.as_str(), pod.is_ready()), ("Running", false));
    assert!(!pod.status.pod_ip.is_empty());
    world.run(4.0);
    assert!(new(&world).is_ready());
    assert_eq!(new(&world).meta.controller().unwrap().kind, "ReplicaSet");
}

/// Source: kubelet, `killPod`: SIGTERM, then SIGKILL when the grace is over; API: `deletionTimestamp` lies in the future.
#[test]
fn a_deleted_pod_ends_and_another_comes_at_once() {
    let mut world = World::of(WEB);
    let name = world.pods()[0].meta.name.clone();
    world.run(10.0);
    world.delete(&name);
    world.run(10.1);
    let pod = world.store.find::<Pod>("default", &name).unwrap().clone();
    assert_eq!(pod.meta.deletion_timestamp.as_deref(), Some("2024-01-01T00:00:40Z"));
    assert_eq!(pod.meta.deletion_grace_period_seconds, Some(30));
    assert!(pod.is_ready(), "readiness has not been probed since");
    assert_eq!(world.pods().len(), 11, "its ReplicaSet does not wait for its end");
    world.run(11.5);
    assert!(!world.store.find::<Pod>("default", &name).unwrap().is_ready());
    world.run(12.2);
    assert_eq!(world.store.find::<Pod>("default", &name).unwrap().status.phase, "Succeeded");
    world.run(12.6);
    assert!(world.store.find::<Pod>("default", &name).is_none());
}

#[test]
fn a_program_that_ignores_sigterm_is_killed() {
    let timing = Timing { shutdown: Duration::from_secs(3600), ..Timing::default() };
    let yaml = WEB.replace("spec: {containers:", "spec: {terminationGracePeriodSeconds: 5, containers:");
    let mut world = World::with(&yaml, timing);
    let name = world.pods()[0].meta.name.clone();
    world.delete(&name);
    world.run(4.9);
    assert_eq!(world.store.find::<Pod>("default", &name).unwrap().status.phase, "Running");
    world.run(5.1);
    let pod = world.store.find::<Pod>("default", &name).unwrap();
    assert_eq!(pod.status.phase, "Failed");
    let ended = pod.status.container_statuses[0].state.terminated.as_ref().unwrap();
    assert_eq!(ended.exit_code, 137);
}

#[test]
fn a_pre_stop_takes_of_the_grace() {
    let container = "{name: web, image: web:1, lifecycle: {preStop: {sleep: {seconds: 10}}}}";
    let mut world = World::of(&WEB.replace("{name: web, image: web:1}", container));
    let name = world.pods()[0].meta.name.clone();
    world.delete(&name);
    world.run(10.9);
    assert!(world.store.find::<Pod>("default", &name).unwrap().is_ready(), "SIGTERM comes at 10 seconds");
    world.run(12.1);
    assert_eq!(world.store.find::<Pod>("default", &name).unwrap().status.phase, "Succeeded");
}

/// Source: the documentation's example of a rolling update: 25 % of 10 are 3 more and 2 fewer.
#[test]
fn a_rollout_surges_then_shrinks() {
    let mut world = World::of(WEB);
    world.image("web", "web:2");
    world.run(0.001);
    let replicas =
        |world: &World| -> Vec<i32> { world.sets().iter().map(|set| set.spec.replicas.unwrap()).collect() };
    assert_eq!(replicas(&world), [8, 5], "two old ones go, and five new ones are 13 in all");
    assert_eq!(world.deployment("web").status.updated_replicas, 5);
    world.run(60.0);
    assert_eq!(replicas(&world), [0, 10]);
    let status = &world.deployment("web").status;
    assert_eq!((status.updated_replicas, status.available_replicas, status.replicas), (10, 10, 10));
    assert_eq!(
        status.conditions.iter().find(|it| it.type_ == "Progressing").unwrap().reason,
        "NewReplicaSetAvailable"
    );
    assert_eq!(world.deployment("web").meta.annotations["deployment.kubernetes.io/revision"], "2");
    assert_eq!(world.pods().len(), 10);
    assert!(world.pods().iter().all(|pod| pod.spec.containers[0].image == "web:2"));
}

#[test]
fn going_back_takes_the_old_replica_set_with_a_new_number() {
    let mut world = World::of(WEB);
    world.image("web", "web:2");
    world.run(60.0);
    world.image("web", "web:1");
    world.run(120.0);
    assert_eq!(world.sets().len(), 2, "no third one");
    assert_eq!(world.sets()[0].spec.replicas, Some(10));
    assert_eq!(world.sets()[0].meta.annotations["deployment.kubernetes.io/revision"], "3");
}

#[test]
fn recreate_waits_for_the_end_of_all_old_pods() {
    let mut world = World::of(&WEB.replace("  selector:", "  strategy: {type: Recreate}\n  selector:"));
    world.image("web", "web:2");
    world.run(1.9);
    assert!(world.pods().iter().all(|pod| pod.meta.is_terminating()));
    assert_eq!(world.pods().len(), 10);
    world.run(2.6);
    assert_eq!(world.pods().iter().filter(|pod| !pod.meta.is_terminating()).count(), 10);
    world.run(10.0);
    assert_eq!(world.ready(), 10);
}

#[test]
fn a_paused_deployment_scales_but_does_not_roll() {
    let mut world = World::of(WEB);
    edit_spec::<Deployment>(&mut world.store, &key(KindName::Deployment, "web"), |it| {
        it.spec.paused = true;
        it.spec.replicas = Some(12);
        it.spec.template.spec.containers[0].image = "web:2".to_owned();
    });
    world.run(30.0);
    assert_eq!(world.ready(), 12);
    assert_eq!(world.sets().len(), 1);
    edit_spec::<Deployment>(&mut world.store, &key(KindName::Deployment, "web"), |it| it.spec.paused = false);
    world.run(90.0);
    assert!(world.pods().iter().all(|pod| pod.spec.containers[0].image == "web:2"));
}

/// Source: `progress.go`: no progress for `progressDeadlineSeconds`.
#[test]
fn a_rollout_that_does_not_move_fails_by_its_deadline() {
    let timing = Timing { ready: Duration::from_secs(100_000), ..Timing::default() };
    let mut world =
        World::with(&WEB.replace("  selector:", "  progressDeadlineSeconds: 60\n  selector:"), timing);
    world.image("web", "web:2");
    world.run(59.0);
    let reason = |world: &World| {
        let conditions = &world.deployment("web").status.conditions;
        conditions.iter().find(|it| it.type_ == "Progressing").unwrap().reason.clone()
    };
    assert_eq!(reason(&world), "ReplicaSetUpdated");
    world.run(70.0);
    assert_eq!(reason(&world), "ProgressDeadlineExceeded");
    assert_eq!(world.ready(), 8, "and no more old Pods go");
}

#[test]
fn only_so_many_old_replica_sets_are_kept() {
    let mut world = World::of(&WEB.replace("  replicas: 10", "  replicas: 1\n  revisionHistoryLimit: 2"));
    for version in 2..7 {
        world.image("web", &format!("web:{version}"));
        let now = world.now.as_secs_f64();
        world.run(now + 30.0);
    }
    assert_eq!(world.sets().len(), 3, "two, and the present one");
}

#[test]
fn a_pod_that_loses_its_label_is_let_go_and_replaced() {
    let mut world = World::of(WEB);
    let name = world.pods()[0].meta.name.clone();
    super::super::writes::edit::<Pod>(&mut world.store, &key(KindName::Pod, &name), |pod| {
        pod.meta.labels.insert("app".to_owned(), "quarantine".to_owned());
    });
    world.run(10.0);
    assert_eq!(world.pods().len(), 11);
    assert!(world.store.find::<Pod>("default", &name).unwrap().meta.owner_references.is_empty());
    super::super::writes::edit::<Pod>(&mut world.store, &key(KindName::Pod, &name), |pod| {
        pod.meta.labels.insert("app".to_owned(), "web".to_owned());
    });
    world.run(20.0);
    assert_eq!(world.pods().len(), 10, "taken on again, one is too many");
}

#[test]
fn a_deleted_deployment_takes_its_own_along() {
    let mut world = World::of(WEB);
    world.store.delete(&key(KindName::Deployment, "web"));
    world.run(0.1);
    assert!(world.sets().is_empty());
    assert!(world.pods().iter().all(|pod| pod.meta.is_terminating()));
    world.run(5.0);
    assert!(world.pods().is_empty());
}

/// Source: `stateful_set_control.go`: in order, each waits for the one before it.
#[test]
fn a_stateful_set_grows_and_shrinks_in_order() {
    let mut world = World::of(DB);
    let scale = |world: &mut World, replicas| {
        edit_spec::<StatefulSet>(&mut world.store, &key(KindName::StatefulSet, "db"), |it| {
            it.spec.replicas = Some(replicas);
        });
    };
    scale(&mut world, 5);
    world.run(2.0);
    assert_eq!(world.pods().len(), 4, "db-4 waits for db-3");
    world.run(10.0);
    assert_eq!(world.ready(), 5);
    let last = world.store.find::<Pod>("default", "db-4").unwrap();
    assert_eq!((last.spec.hostname.as_str(), last.spec.subdomain.as_str()), ("db-4", "db"));
    assert_eq!(last.meta.labels["apps.kubernetes.io/pod-index"], "4");
    scale(&mut world, 3);
    world.run(10.9);
    assert_eq!(world.shown()[3..], ["db-3 Running ready", "db-4 Running ready ending"]);
    world.run(20.0);
    assert_eq!(world.pods().len(), 3);
}

#[test]
fn a_parallel_stateful_set_does_not_wait() {
    let mut world =
        World::of(&DB.replace("  serviceName:", "  podManagementPolicy: Parallel\n  serviceName:"));
    edit_spec::<StatefulSet>(&mut world.store, &key(KindName::StatefulSet, "db"), |it| {
        it.spec.replicas = Some(6);
    });
    world.run(0.1);
    assert_eq!(world.pods().len(), 6);
}

#[test]
fn a_stateful_set_rolls_from_the_highest_ordinal_down_to_its_partition() {
    let mut world = World::of(DB);
    edit_spec::<StatefulSet>(&mut world.store, &key(KindName::StatefulSet, "db"), |it| {
        it.spec.template.spec.containers[0].image = "db:2".to_owned();
        it.spec.update_strategy.rolling_update =
            Some(RollingUpdate { partition: Some(1), ..RollingUpdate::default() });
    });
    world.run(0.9);
    assert_eq!(world.shown(), ["db-0 Running ready", "db-1 Running ready", "db-2 Running ready ending"]);
    world.run(60.0);
    let images: Vec<&str> = (0..3)
        .map(|at| {
            world.store.find::<Pod>("default", &format!("db-{at}")).unwrap().spec.containers[0].image.as_str()
        })
        .collect();
    assert_eq!(images, ["db:1", "db:2", "db:2"]);
    world.delete("db-0");
    world.run(90.0);
    let pod = world.store.find::<Pod>("default", "db-0").unwrap();
    assert_eq!(pod.spec.containers[0].image, "db:1", "below the partition the old template holds");
}

#[test]
fn a_daemon_runs_on_every_node_that_takes_it() {
    let mut world = World::of(&format!("{AGENT}---{WEB}"));
    world.run(10.0);
    let agents = |world: &World| world.pods().iter().filter(|pod| pod.meta.labels["app"] == "agent").count();
    assert_eq!(agents(&world), 2);
    let mut node = world.store.find::<Node>("", "node-1").unwrap().clone();
    node.meta.name = "node-9".to_owned();
    node.meta.uid = "node-9".to_owned();
    node.spec.pod_cidrs = vec!["10.244.9.0/24".to_owned()];
    world.store.put(crate::object::Object::new(node));
    world.run(20.0);
    assert_eq!(agents(&world), 3);
    edit_spec::<DaemonSet>(&mut world.store, &key(KindName::DaemonSet, "agent"), |it| {
        it.spec.template.spec.containers[0].image = "agent:2".to_owned();
        let one = Some(IntOrString::Int(1));
        it.spec.update_strategy.rolling_update =
            Some(RollingUpdate { max_unavailable: one, ..RollingUpdate::default() });
    });
    world.run(21.0);
    let ending = world.pods().iter().filter(|pod| pod.meta.is_terminating()).count();
    assert_eq!(ending, 1, "one after another");
    world.run(120.0);
    let new = |pod: &&&Pod| pod.spec.containers[0].image == "agent:2" && pod.is_ready();
    assert_eq!(world.pods().iter().filter(new).count(), 3);
}

/// Source: `node_lifecycle_controller.go`: grace, Unknown, taints; `taint_eviction.go`: 300 seconds.
#[test]
fn a_lost_node_is_found_out_after_its_grace_and_emptied_after_five_minutes() {
    let mut world = World::of(WEB);
    world.run(12.0);
    world.workloads.lose_node("node-1", world.now);
    world.run(64.9);
    let ready = |world: &World| {
        let node = world.store.find::<Node>("", "node-1").unwrap();
        node.status.conditions.iter().find(|it| it.type_ == "Ready").unwrap().status.clone()
    };
    assert_eq!(
        (ready(&world).as_str(), world.ready()),
        ("True", 10),
        "last renewal at 10 s, grace 50 s, looks every 5 s"
    );
    world.run(65.0);
    assert_eq!((ready(&world).as_str(), world.ready()), ("Unknown", 5));
    world.run(364.0);
    assert_eq!(world.pods().len(), 10);
    world.run(370.0);
    assert_eq!(world.ready(), 10, "replaced on the other node");
    let stuck = world.pods().iter().filter(|pod| pod.meta.is_terminating()).count();
    assert_eq!(stuck, 5, "no kubelet says that they have ended");
    let now = world.now;
    world.workloads.find_node(&mut world.store, "node-1", now);
    world.run(380.0);
    assert_eq!(world.pods().len(), 10);
    assert!(world.store.find::<Node>("", "node-1").unwrap().spec.taints.is_empty());
}

#[test]
fn a_pod_that_no_node_takes_waits_for_one() {
    let yaml = WEB.replace("spec: {containers:", "spec: {nodeSelector: {disk: ssd}, containers:");
    let mut world = World::of(&yaml);
    let name = world.pods()[0].meta.name.clone();
    world.delete(&name);
    world.run(20.0);
    let waiting: Vec<&Pod> = world.pods().into_iter().filter(|pod| pod.spec.node_name.is_empty()).collect();
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].status.conditions[0].reason, "Unschedulable");
    super::super::writes::edit::<Node>(&mut world.store, &key(KindName::Node, "node-2"), |node| {
        node.meta.labels.insert("disk".to_owned(), "ssd".to_owned());
    });
    world.run(30.0);
    assert!(world.pods().iter().all(|pod| !pod.spec.node_name.is_empty()));
}
