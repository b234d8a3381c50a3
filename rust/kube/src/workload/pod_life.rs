//! A Pod's life: placed, started, ready; asked to go, not ready, ended, gone.
//!
//! Source: kubelet `pkg/kubelet/status/generate.go`, `pkg/kubelet/kubelet_pods.go` (phases and conditions), v1.33.

use kdp_sim::Time;

use super::stop::Ending;
use super::writes::{edit, set_condition};
use super::{Timer, Workloads, pod_key};
use crate::object::{
    Condition, Container, ContainerRunning, ContainerState, ContainerStatus, ContainerTerminated, KindName,
    Node, ObjectKey, Pod, PodIp,
};
use crate::store::Store;

/// What happens to a Pod next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PodStep {
    /// The scheduler looks for a node.
    Place,
    /// Its containers run, and it has an address.
    Start,
    /// Its probes succeed.
    Ready,
    /// Its probes fail, because it was told to end.
    Unready,
    /// Its containers have ended.
    Exit,
    /// The kubelet has cleaned up: the object goes.
    Gone,
    /// Its owner is gone.
    Collect,
}

impl Workloads {
    /// Takes note of a Pod's change, and sets the clock for what follows from it.
    pub(super) fn follow_pod(&mut self, before: Option<&Pod>, pod: &Pod, now: Time) {
        let before = before.filter(|before| before.meta.uid == pod.meta.uid);
        let had = |is: fn(&Pod) -> bool| before.is_some_and(is);
        if has_address(pod) && !had(has_address) && !pod.is_terminal() {
            self.addresses.keep(pod);
        }
        if pod.is_terminal() {
            if !had(Pod::is_terminal) {
                self.addresses.release(pod);
            }
            if pod.meta.is_terminating() && !(had(Pod::is_terminal) && had(is_terminating)) {
                self.pod_after(pod, self.timing.cleanup, PodStep::Gone, now);
            }
        } else if pod.meta.is_terminating() {
            if !had(is_terminating) {
                self.end_pod(pod, now);
            }
        } else if pod.spec.node_name.is_empty() {
            if before.is_none() {
                self.pod_after(pod, self.timing.schedule, PodStep::Place, now);
            }
        } else if !has_address(pod) && !had(is_placed) {
            self.pod_after(pod, self.timing.start, PodStep::Start, now);
        } else if waits_for_gates(pod) {
            self.pod_after(pod, std::time::Duration::ZERO, PodStep::Ready, now);
        }
    }

    fn end_pod(&mut self, pod: &Pod, now: Time) {
        if !has_address(pod) {
            self.pod_after(pod, std::time::Duration::ZERO, PodStep::Exit, now);
            return;
        }
        let ending = Ending::of(pod, &self.timing);
        let unready = ending.sigterm + self.timing.unready;
        if unready < ending.exit {
            self.pod_after(pod, unready, PodStep::Unready, now);
        }
        self.pod_after(pod, ending.exit, PodStep::Exit, now);
        self.closing.insert(pod_key(pod), now + ending.sigterm + self.timing.listen);
    }

    /// When a Pod that ends takes no new connections any more. `None` for one that does not end.
    pub fn listener_closes_at(&self, key: &ObjectKey) -> Option<Time> {
        self.closing.get(key).copied()
    }

    pub(super) fn pod_after(&mut self, pod: &Pod, wait: std::time::Duration, step: PodStep, now: Time) {
        let timer = Timer::Pod { key: pod_key(pod), uid: pod.meta.uid.as_str().into(), step };
        self.after(now, wait, timer);
    }

    /// A timer of a Pod has come.
    pub(super) fn pod_step(
        &mut self,
        store: &mut Store,
        key: &ObjectKey,
        uid: &str,
        step: PodStep,
        now: Time,
    ) {
        if step == PodStep::Collect {
            self.collect(store, key, now);
            return;
        }
        let Some(object) = store.get(key).cloned() else { return };
        let same = |pod: &&Pod| uid.is_empty() || pod.meta.uid == uid;
        let Some(pod) = object.get::<Pod>().filter(same) else { return };
        if step != PodStep::Place && self.lost.contains_key(pod.spec.node_name.as_str()) {
            return; // A kubelet that is silent does nothing that anybody sees.
        }
        match step {
            PodStep::Place => self.place(store, pod, now),
            PodStep::Start => self.start_pod(store, pod, now),
            PodStep::Ready => self.set_ready(store, pod, true, now),
            PodStep::Unready => self.set_ready(store, pod, false, now),
            PodStep::Exit => self.exit_pod(store, pod, now),
            PodStep::Gone => drop(store.delete(key)),
            PodStep::Collect => unreachable!("collected above"),
        }
    }

    fn collect(&mut self, store: &mut Store, key: &ObjectKey, now: Time) {
        if key.kind == KindName::Pod {
            self.delete_pod(store, key, None, now);
        } else {
            store.delete(key);
        }
    }

    fn start_pod(&mut self, store: &mut Store, pod: &Pod, now: Time) {
        if has_address(pod) || pod.meta.is_terminating() {
            return;
        }
        let Some((host_ip, ips)) = self.addresses_for(store, pod) else {
            // Source: the kubelet tries a sandbox again and again until the network plugin gives an address.
            self.pod_after(pod, self.timing.start, PodStep::Start, now);
            return;
        };
        let since = self.epoch.text(now);
        let conditions = [
            self.condition("Initialized", true, "", now),
            self.condition("ContainersReady", false, "ContainersNotReady", now),
            self.condition("Ready", false, "ContainersNotReady", now),
        ];
        edit::<Pod>(store, &pod_key(pod), |pod| {
            "Running".clone_into(&mut pod.status.phase);
            pod.status.host_ip = host_ip;
            pod.status.pod_ip.clone_from(&ips[0].ip);
            pod.status.pod_ips = ips;
            pod.status.start_time = Some(since.clone());
            for condition in conditions {
                set_condition(&mut pod.status.conditions, condition);
            }
            let containers = &pod.spec.containers;
            pod.status.container_statuses = containers.iter().map(|c| running(c, &since)).collect();
        });
        let delay = pod.spec.containers.iter().filter_map(|c| c.readiness_probe.as_ref());
        let delay = delay.map(|probe| probe.initial_delay_seconds.max(0)).max().unwrap_or(0);
        let wait = self.timing.ready + std::time::Duration::from_secs(u64::from(delay.unsigned_abs()));
        self.pod_after(pod, wait, PodStep::Ready, now);
    }

    /// The node's address, and the Pod's. `None` if there is none to give.
    fn addresses_for(&mut self, store: &Store, pod: &Pod) -> Option<(String, Vec<PodIp>)> {
        let node = store.find::<Node>("", &pod.spec.node_name);
        let host_ip =
            node.and_then(|node| node.addresses("InternalIP").next()).unwrap_or_default().to_owned();
        if pod.spec.host_network {
            return (!host_ip.is_empty()).then(|| (host_ip.clone(), vec![PodIp { ip: host_ip }]));
        }
        let ips = self.addresses.give(&pod.spec.node_name);
        (!ips.is_empty()).then_some((host_ip, ips))
    }

    /// Probes succeed or fail. Ready needs its gates too.
    pub(super) fn set_ready(&mut self, store: &mut Store, pod: &Pod, ready: bool, now: Time) {
        if pod.is_terminal() || !has_address(pod) || (ready && pod.meta.is_terminating()) {
            return;
        }
        let reason = if ready { "" } else { "ContainersNotReady" };
        let containers = self.condition("ContainersReady", ready, reason, now);
        let whole = ready && gates_hold(pod);
        let reason = if ready && !whole { "ReadinessGatesNotReady" } else { reason };
        let condition = self.condition("Ready", whole, reason, now);
        edit::<Pod>(store, &pod_key(pod), |pod| {
            set_condition(&mut pod.status.conditions, containers);
            set_condition(&mut pod.status.conditions, condition);
            for status in &mut pod.status.container_statuses {
                status.ready = ready;
            }
        });
    }

    fn exit_pod(&mut self, store: &mut Store, pod: &Pod, now: Time) {
        let killed = Ending::of(pod, &self.timing).killed;
        let (phase, code, reason) =
            if killed { ("Failed", 137, "Error") } else { ("Succeeded", 0, "Completed") };
        let at = self.epoch.text(now);
        let not_ready =
            ["ContainersReady", "Ready"].map(|type_| self.condition(type_, false, "PodCompleted", now));
        edit::<Pod>(store, &pod_key(pod), |pod| {
            phase.clone_into(&mut pod.status.phase);
            for condition in not_ready {
                set_condition(&mut pod.status.conditions, condition);
            }
            for status in &mut pod.status.container_statuses {
                let started_at = status.state.running.take().and_then(|running| running.started_at);
                let finished_at = Some(at.clone());
                (status.ready, status.started) = (false, Some(false));
                status.state.terminated = Some(ContainerTerminated {
                    exit_code: code,
                    reason: reason.to_owned(),
                    started_at,
                    finished_at,
                    ..ContainerTerminated::default()
                });
            }
        });
    }

    /// The probes of a running Pod succeed or fail from now on, as the outside world has it.
    pub fn probe(&mut self, store: &mut Store, key: &ObjectKey, ready: bool, now: Time) {
        if let Some(object) = store.get(key).cloned()
            && let Some(pod) = object.get::<Pod>()
        {
            self.set_ready(store, pod, ready, now);
        }
    }
}

fn running(container: &Container, since: &str) -> ContainerStatus {
    let running = Some(ContainerRunning { started_at: Some(since.to_owned()) });
    ContainerStatus {
        name: container.name.clone(),
        started: Some(true),
        state: ContainerState { running, ..ContainerState::default() },
        ..ContainerStatus::default()
    }
}

/// Whether every readiness gate's condition is True.
fn gates_hold(pod: &Pod) -> bool {
    let holds = |name: &str| {
        let is = |it: &Condition| it.type_ == name && it.status == "True";
        pod.status.conditions.iter().any(is)
    };
    pod.spec.readiness_gates.iter().all(|gate| holds(&gate.condition_type))
}

/// Whether a Pod's gates and its Ready condition say different things while its containers are ready.
fn waits_for_gates(pod: &Pod) -> bool {
    let ready = |it: &Condition| it.type_ == "ContainersReady" && it.status == "True";
    !pod.spec.readiness_gates.is_empty()
        && pod.status.conditions.iter().any(ready)
        && gates_hold(pod) != pod.is_ready()
}

fn has_address(pod: &Pod) -> bool {
    pod.addresses().next().is_some()
}

fn is_terminating(pod: &Pod) -> bool {
    pod.meta.is_terminating()
}

fn is_placed(pod: &Pod) -> bool {
    !pod.spec.node_name.is_empty()
}
