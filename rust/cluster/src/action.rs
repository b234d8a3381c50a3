//! What people do to a cluster: scale, roll out, drain, lose a node, flip a probe.

use std::collections::BTreeMap;

use kdp_kube::object::{
    DaemonSet, Deployment, IntOrString, KindName, Node, Object, ObjectKey, Pod, PodTemplate, ReplicaSet,
    Service, StatefulSet,
};
use kdp_kube::workload::write_spec;
use serde::Deserialize;

use crate::Error;
use crate::cluster::Cluster;

/// One action, as JSON names it in `do`.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Action {
    /// `kubectl scale`.
    Scale {
        /// The workload.
        #[serde(flatten)]
        object: Named,
        /// Pods that there should be.
        replicas: i32,
    },
    /// `kubectl set image` for the first container, or `kubectl rollout restart`.
    Rollout {
        /// The workload.
        #[serde(flatten)]
        object: Named,
        /// The new image; without one the Pods are only made anew.
        image: Option<String>,
        /// `maxSurge` from now on.
        surge: Option<IntOrString>,
        /// `maxUnavailable` from now on.
        unavailable: Option<IntOrString>,
    },
    /// `kubectl rollout pause` and `resume`.
    Pause {
        /// The Deployment.
        #[serde(flatten)]
        object: Named,
        /// Whether changes wait.
        paused: bool,
    },
    /// `kubectl rollout undo`.
    Undo {
        /// The Deployment.
        #[serde(flatten)]
        object: Named,
        /// The number of the template; the one before the present one if absent.
        revision: Option<i64>,
    },
    /// `kubectl cordon` and `uncordon`.
    Cordon {
        /// The node.
        node: String,
        /// Whether no new Pods come.
        cordoned: bool,
    },
    /// `kubectl drain --ignore-daemonsets`.
    Drain {
        /// The node.
        node: String,
        /// Seconds that Pods get instead of their own grace.
        grace: Option<i64>,
        /// Whether Pods that nobody makes anew go too.
        #[serde(default)]
        force: bool,
    },
    /// A node is cut off, or comes back.
    Lose {
        /// The node.
        node: String,
        /// Whether it is lost.
        lost: bool,
    },
    /// A Pod's readiness probes succeed or fail.
    Ready {
        /// The Pod.
        #[serde(flatten)]
        object: Named,
        /// Whether they succeed.
        ready: bool,
    },
    /// `kubectl delete`: Pods with their grace.
    Delete {
        /// The object.
        #[serde(flatten)]
        object: Named,
        /// Seconds that a Pod gets instead of its own grace; 0 for at once.
        grace: Option<i64>,
    },
    /// `kubectl label --overwrite`.
    Label {
        /// The object.
        #[serde(flatten)]
        object: Named,
        /// Labels to set; `null` takes one away.
        labels: BTreeMap<String, Option<String>>,
    },
    /// A Service's selector is replaced.
    Select {
        /// The Service.
        #[serde(flatten)]
        object: Named,
        /// The selector.
        selector: BTreeMap<String, String>,
    },
    /// kube-proxy starts anew on a node, or on each that somebody asked for.
    RestartProxy {
        /// The node.
        node: Option<String>,
    },
}

/// Kind, namespace and name.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Named {
    /// `Deployment`.
    pub kind: String,
    /// Empty for objects of the cluster.
    #[serde(default)]
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl Action {
    /// Reads an action from a JSON object.
    pub fn parse(text: &str) -> Result<Action, Error> {
        serde_json::from_str(text).map_err(|error| Error::Action { why: error.to_string() })
    }
}

impl Cluster {
    /// Does it now. Starts the controllers of workloads. Nothing is done if it is refused.
    pub fn act(&mut self, action: &Action) -> Result<(), Error> {
        self.start_workloads();
        match action {
            Action::Scale { object, replicas } => self.scale(object, *replicas)?,
            Action::Rollout { object, image, surge, unavailable } => {
                self.roll_out(object, image.as_deref(), surge.as_ref(), unavailable.as_ref())?;
            }
            Action::Pause { object, paused } => {
                self.edit::<Deployment>(object, |it| it.spec.paused = *paused)?;
            }
            Action::Undo { object, revision } => self.undo(object, *revision)?,
            Action::Cordon { node, cordoned } => self.cordon(node, *cordoned)?,
            Action::Drain { node, grace, force } => self.drain_node(node, *grace, *force)?,
            Action::Lose { node, lost } => self.lose_node(node, *lost)?,
            Action::Ready { object, ready } => self.set_ready(object, *ready)?,
            Action::Delete { object, grace } => self.delete_gracefully(object, *grace)?,
            Action::Label { object, labels } => self.label(object, labels)?,
            Action::Select { object, selector } => {
                self.edit::<Service>(object, |it| it.spec.selector = Some(selector.clone()))?;
            }
            Action::RestartProxy { node } => self.restart_proxies(node.as_deref())?,
        }
        self.settle()
    }

    fn scale(&mut self, object: &Named, replicas: i32) -> Result<(), Error> {
        if replicas < 0 {
            return Err(wrong(format!("replicas {replicas} is less than 0")));
        }
        match object.kind.as_str() {
            "Deployment" => self.edit::<Deployment>(object, |it| it.spec.replicas = Some(replicas)),
            "ReplicaSet" => self.edit::<ReplicaSet>(object, |it| it.spec.replicas = Some(replicas)),
            "StatefulSet" => self.edit::<StatefulSet>(object, |it| it.spec.replicas = Some(replicas)),
            kind => {
                Err(wrong(format!("{kind} has no replicas: Deployment, ReplicaSet and StatefulSet have")))
            }
        }
    }

    fn roll_out(
        &mut self,
        object: &Named,
        image: Option<&str>,
        surge: Option<&IntOrString>,
        unavailable: Option<&IntOrString>,
    ) -> Result<(), Error> {
        let at = self.moment(self.now());
        let renew = |template: &mut PodTemplate| match (image, template.spec.containers.first_mut()) {
            (Some(image), Some(container)) => image.clone_into(&mut container.image),
            // Source: kubectl rollout restart sets this annotation.
            _ => {
                template.meta.annotations.insert("kubectl.kubernetes.io/restartedAt".to_owned(), at.clone());
            }
        };
        let bound = |rolling: &mut Option<kdp_kube::object::RollingUpdate>| {
            if surge.is_some() || unavailable.is_some() {
                let rolling = rolling.get_or_insert_default();
                rolling.max_surge = surge.cloned().or(rolling.max_surge.take());
                rolling.max_unavailable = unavailable.cloned().or(rolling.max_unavailable.take());
            }
        };
        match object.kind.as_str() {
            "Deployment" => self.edit::<Deployment>(object, |it| {
                bound(&mut it.spec.strategy.rolling_update);
                renew(&mut it.spec.template);
            }),
            "StatefulSet" => self.edit::<StatefulSet>(object, |it| renew(&mut it.spec.template)),
            "DaemonSet" => self.edit::<DaemonSet>(object, |it| {
                bound(&mut it.spec.update_strategy.rolling_update);
                renew(&mut it.spec.template);
            }),
            kind => Err(wrong(format!("{kind} has no rollout: Deployment, StatefulSet and DaemonSet have"))),
        }
    }

    /// Source: kubectl `pkg/polymorphichelpers/rollback.go`: the template of an older ReplicaSet, without its hash.
    fn undo(&mut self, object: &Named, revision: Option<i64>) -> Result<(), Error> {
        const NUMBER: &str = "deployment.kubernetes.io/revision";
        let key = self.require(object)?;
        let uid = self.store().require(&key)?.meta().uid.clone();
        // A ReplicaSet that was made beside its Deployment and never written since is the first.
        let number = |meta: &kdp_kube::object::Meta| {
            meta.annotations.get(NUMBER).map_or(Some(1), |text| text.parse::<i64>().ok())
        };
        let owned = self.store().all::<ReplicaSet>(Some(&object.namespace));
        let owned = owned.filter(|set| set.meta.controller().is_some_and(|owner| owner.uid == uid));
        let mut sets: Vec<(i64, PodTemplate)> =
            owned.filter_map(|set| Some((number(&set.meta)?, set.spec.template.clone()))).collect();
        sets.sort_by_key(|(number, _)| *number);
        let numbers: Vec<i64> = sets.iter().map(|(number, _)| *number).collect();
        let wanted = revision.or_else(|| numbers.iter().rev().nth(1).copied());
        let found = sets.into_iter().find(|(number, _)| Some(*number) == wanted);
        let Some((_, mut template)) = found else {
            let wanted = wanted.map_or("before the present one".to_owned(), |number| number.to_string());
            return Err(wrong(format!("{key}: it has no revision {wanted}; it has {numbers:?}")));
        };
        template.meta.labels.remove("pod-template-hash");
        self.edit::<Deployment>(object, |it| it.spec.template = template)
    }

    fn label(&mut self, object: &Named, labels: &BTreeMap<String, Option<String>>) -> Result<(), Error> {
        let key = self.require(object)?;
        let mut new = Object::clone(self.store().require(&key)?);
        for (name, value) in labels {
            let own = &mut new.meta_mut().labels;
            match value {
                Some(value) => own.insert(name.clone(), value.clone()),
                None => own.remove(name),
            };
        }
        let faults = kdp_kube::validate::check_one(&new);
        if !faults.is_empty() {
            return Err(Error::all(faults));
        }
        self.world.store.put(new);
        Ok(())
    }

    fn set_ready(&mut self, object: &Named, ready: bool) -> Result<(), Error> {
        let key = self.require(object)?;
        let now = self.now();
        if let Some(workloads) = &mut self.workloads {
            workloads.probe(&mut self.world.store, &key, ready, now);
        }
        Ok(())
    }

    fn delete_gracefully(&mut self, object: &Named, grace: Option<i64>) -> Result<(), Error> {
        let key = self.require(object)?;
        let now = self.now();
        match &self.workloads {
            Some(workloads) if key.kind == KindName::Pod => {
                workloads.delete_pod(&mut self.world.store, &key, grace, now);
            }
            _ => drop(self.world.store.delete(&key)),
        }
        Ok(())
    }

    fn cordon(&mut self, node: &str, cordoned: bool) -> Result<(), Error> {
        let node = Named { kind: "Node".to_owned(), namespace: String::new(), name: node.to_owned() };
        self.edit::<Node>(&node, |it| it.spec.unschedulable = cordoned)
    }

    /// Source: kubectl `pkg/drain`: DaemonSets' Pods stay, Pods that nobody makes anew need `--force`.
    fn drain_node(&mut self, node: &str, grace: Option<i64>, force: bool) -> Result<(), Error> {
        self.world.store.require(&ObjectKey::new(KindName::Node, "", node))?;
        let budget = KindName::Other { group: "policy".into(), kind: "PodDisruptionBudget".into() };
        if let Some(budget) = self.store().list(&budget, None).next() {
            let why = "drain does not heed PodDisruptionBudgets yet";
            return Err(wrong(format!("{}: {why}; delete it to drain without", budget.key())));
        }
        let here = |pod: &&Pod| pod.spec.node_name == node && !pod.is_terminal();
        let pods: Vec<&Pod> = self.store().all::<Pod>(None).filter(here).collect();
        let owner = |pod: &Pod| pod.meta.controller().map(|owner| owner.kind.clone());
        if let Some(bare) = pods.iter().find(|pod| owner(pod).is_none()).filter(|_| !force) {
            let name = format!("Pod {}/{}", bare.meta.namespace, bare.meta.name);
            return Err(wrong(format!("{name}: nobody makes it anew; drain it with force")));
        }
        let keys: Vec<ObjectKey> = pods
            .iter()
            .filter(|pod| owner(pod).as_deref() != Some("DaemonSet"))
            .map(|pod| ObjectKey::new(KindName::Pod, &pod.meta.namespace, &pod.meta.name))
            .collect();
        self.cordon(node, true)?;
        for key in keys {
            let now = self.now();
            if let Some(workloads) = &self.workloads {
                workloads.delete_pod(&mut self.world.store, &key, grace, now);
            }
            self.settle()?;
        }
        Ok(())
    }

    fn lose_node(&mut self, node: &str, lost: bool) -> Result<(), Error> {
        self.world.store.require(&ObjectKey::new(KindName::Node, "", node))?;
        self.world.directory.set_lost(node, lost);
        let now = self.now();
        let (workloads, store) = (&mut self.workloads, &mut self.world.store);
        if let Some(workloads) = workloads {
            if lost {
                workloads.lose_node(node, now);
            } else {
                workloads.find_node(store, node, now);
            }
        }
        Ok(())
    }

    fn restart_proxies(&mut self, node: Option<&str>) -> Result<(), Error> {
        let names = node.map_or_else(|| self.nodes.opened(), |name| vec![name.to_owned()]);
        names.iter().try_for_each(|name| self.proxy_restart(name))
    }

    /// Changes an object's spec, if the API server would take it then.
    fn edit<T: kdp_kube::object::Typed>(
        &mut self,
        object: &Named,
        change: impl FnOnce(&mut T),
    ) -> Result<(), Error> {
        let key = self.require(object)?;
        if key.kind != T::KIND {
            return Err(wrong(format!("{key} is no {}", T::KIND)));
        }
        let mut new = Object::clone(self.store().require(&key)?);
        change(new.get_mut::<T>().expect("the key says so"));
        let faults = kdp_kube::validate::check_one(&new);
        if !faults.is_empty() {
            return Err(Error::all(faults));
        }
        write_spec(&mut self.world.store, new);
        Ok(())
    }

    fn require(&self, object: &Named) -> Result<ObjectKey, Error> {
        let kind = KindName::TYPED.iter().find(|kind| kind.as_str() == object.kind);
        let kind =
            kind.ok_or_else(|| wrong(format!("kind {:?} is not one that kdp changes", object.kind)))?;
        let key = ObjectKey::new(kind.clone(), &object.namespace, &object.name);
        self.store().require(&key)?;
        Ok(key)
    }
}

fn wrong(why: String) -> Error {
    Error::Action { why }
}
