//! What a Pod asks a node for in all: what the scheduler makes room for.
//!
//! Kubernetes' rule: containers run side by side, so they add up; so do restartable init containers
//! (sidecars), from their turn on; the other init containers run one after the other before, each beside
//! the sidecars that were started before it. What the Pod needs is the most of all these moments. A Pod that
//! asks as a whole (`spec.resources`) is taken at its word for what it names. What a container may have
//! at most is what it asks for where it does not say.
//!
//! What a RuntimeClass costs on top, the Pod's overhead, is not in here: the API server adds it to every Pod
//! of that class, ours too.

use super::quantity::Amount;
use k8s_openapi::api::core::v1::{Container, PodSpec, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use std::collections::BTreeMap;

/// Amounts by resource: `cpu`, `memory`, `nvidia.com/gpu`.
pub(super) type Requests = BTreeMap<String, Quantity>;

type Amounts = BTreeMap<String, Amount>;

/// What a Pod of `spec` asks for, without the overhead of its RuntimeClass.
#[must_use]
pub(super) fn requests(spec: &PodSpec) -> Requests {
    let mut sidecars = Amounts::new();
    let mut most = Amounts::new();
    for init in spec.init_containers.iter().flatten() {
        let asks = asked(init.resources.as_ref());
        if is_sidecar(init) {
            add(&mut sidecars, &asks);
            raise(&mut most, &sidecars);
        } else {
            let mut step = sidecars.clone();
            add(&mut step, &asks);
            raise(&mut most, &step);
        }
    }
    let mut running = sidecars;
    for container in &spec.containers {
        add(&mut running, &asked(container.resources.as_ref()));
    }
    raise(&mut most, &running);
    let whole = spec.resources.as_ref();
    for (resource, amount) in amounts(whole.and_then(|whole| whole.limits.as_ref())) {
        most.entry(resource).or_insert(amount);
    }
    most.extend(amounts(whole.and_then(|whole| whole.requests.as_ref())));
    most.into_iter()
        .map(|(resource, amount)| (resource, amount.quantity()))
        .collect()
}

/// Whether more of `resource` may be promised than there is. Of what may not, the API server wants a limit
/// that equals the request.
#[must_use]
pub(super) fn may_be_overcommitted(resource: &str) -> bool {
    matches!(resource, "cpu" | "memory" | "ephemeral-storage")
}

/// Runs on beside what comes after it.
fn is_sidecar(init: &Container) -> bool {
    init.restart_policy.as_deref() == Some("Always")
}

fn asked(resources: Option<&ResourceRequirements>) -> Amounts {
    let mut asked = amounts(resources.and_then(|resources| resources.limits.as_ref()));
    asked.extend(amounts(
        resources.and_then(|resources| resources.requests.as_ref()),
    ));
    asked
}

/// The API server lets nothing pass that is no amount.
fn amounts(list: Option<&Requests>) -> Amounts {
    let list = list.into_iter().flatten();
    list.filter_map(|(resource, quantity)| Some((resource.clone(), Amount::of(quantity)?)))
        .collect()
}

fn add(sum: &mut Amounts, more: &Amounts) {
    for (resource, amount) in more {
        let entry = sum.entry(resource.clone()).or_default();
        *entry = entry.plus(*amount);
    }
}

fn raise(most: &mut Amounts, moment: &Amounts) {
    for (resource, amount) in moment {
        let entry = most.entry(resource.clone()).or_default();
        *entry = (*entry).max(*amount);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn of(spec: &Value) -> Value {
        let spec: PodSpec = serde_json::from_value(spec.clone()).unwrap();
        json!(requests(&spec))
    }

    fn container(requests: &Value) -> Value {
        json!({"name": "c", "resources": {"requests": requests}})
    }

    fn sidecar(requests: &Value) -> Value {
        json!({"name": "s", "restartPolicy": "Always", "resources": {"requests": requests}})
    }

    #[test]
    fn containers_add_up() {
        let spec = json!({"containers": [
            container(&json!({"cpu": "500m", "memory": "1Gi"})),
            container(&json!({"cpu": "1"})),
            {"name": "asks for nothing"}
        ]});
        assert_eq!(of(&spec), json!({"cpu": "1500m", "memory": "1024Mi"}));
        assert_eq!(of(&json!({"containers": []})), json!({}));
    }

    #[test]
    fn an_init_container_counts_where_it_asks_for_more_than_all_that_follow() {
        let spec = json!({
            "initContainers": [
                container(&json!({"cpu": "2", "memory": "64Mi"})),
                container(&json!({"cpu": "1"}))
            ],
            "containers": [container(&json!({"cpu": "1500m", "memory": "1Gi"}))]
        });
        assert_eq!(of(&spec), json!({"cpu": "2", "memory": "1024Mi"}));
    }

    #[test]
    fn a_sidecar_counts_beside_what_follows_it_and_not_beside_what_went_before() {
        let migrates_first = |inits: &Value| json!({"initContainers": inits, "containers": [container(&json!({"cpu": "500m"}))]});
        let (migrate, proxy) = (container(&json!({"cpu": "2"})), sidecar(&json!({"cpu": "300m"})));
        assert_eq!(of(&migrates_first(&json!([migrate, proxy]))), json!({"cpu": "2"}));
        assert_eq!(
            of(&migrates_first(&json!([proxy, migrate]))),
            json!({"cpu": "2300m"})
        );
        let small = container(&json!({"cpu": "100m"}));
        assert_eq!(
            of(&migrates_first(&json!([proxy, small]))),
            json!({"cpu": "800m"})
        );
    }

    #[test]
    fn a_limit_stands_for_a_request_that_is_not_made_and_a_pod_may_ask_as_a_whole() {
        let spec = json!({"containers": [{"name": "c", "resources": {
            "limits": {"cpu": "2", "nvidia.com/gpu": "1"}, "requests": {"cpu": "250m"}
        }}]});
        assert_eq!(of(&spec), json!({"cpu": "250m", "nvidia.com/gpu": "1"}));
        let mut whole = spec;
        whole["resources"] = json!({"requests": {"cpu": "3"}});
        assert_eq!(of(&whole), json!({"cpu": "3", "nvidia.com/gpu": "1"}));
    }

    /// Of one resource, in thousandths: init containers with whether they stay, then containers.
    fn pods() -> impl Strategy<Value = (Vec<(bool, u32)>, Vec<u32>)> {
        let inits = prop::collection::vec((any::<bool>(), 0..5000_u32), 0..6);
        (inits, prop::collection::vec(0..5000_u32, 1..5))
    }

    fn pod(inits: &[(bool, u32)], containers: &[u32]) -> PodSpec {
        let asks = |milli: u32| json!({"cpu": format!("{milli}m")});
        let inits: Vec<Value> = inits
            .iter()
            .map(|(stays, milli)| {
                if *stays {
                    sidecar(&asks(*milli))
                } else {
                    container(&asks(*milli))
                }
            })
            .collect();
        let containers: Vec<Value> = containers.iter().map(|milli| container(&asks(*milli))).collect();
        serde_json::from_value(json!({"initContainers": inits, "containers": containers})).unwrap()
    }

    /// Milli-CPUs in use at every moment of a Pod's start, by playing it.
    fn played(inits: &[(bool, u32)], containers: &[u32]) -> Vec<u32> {
        let mut running: Vec<u32> = Vec::new();
        let mut moments = Vec::new();
        for (stays, milli) in inits {
            running.push(*milli);
            moments.push(running.iter().sum());
            if !stays {
                running.pop();
            }
        }
        running.extend(containers);
        moments.push(running.iter().sum());
        moments
    }

    proptest! {
        /// There is room at every moment of the start, and no more is asked for than some moment needs.
        #[test]
        fn what_is_asked_for_is_the_most_that_is_ever_in_use((inits, containers) in pods()) {
            let asked = requests(&pod(&inits, &containers));
            let most = played(&inits, &containers).into_iter().max().unwrap();
            let most = Amount::of(&Quantity(format!("{most}m"))).unwrap();
            prop_assert_eq!(Amount::of(&asked["cpu"]), Some(most));
        }

        /// Whoever asks for more does not get less.
        #[test]
        fn more_anywhere_is_never_less_in_all(
            (inits, containers) in pods(), at in any::<prop::sample::Index>(), more in 1..1000_u32
        ) {
            let before = Amount::of(&requests(&pod(&inits, &containers))["cpu"]);
            let (mut inits, mut containers) = (inits, containers);
            let nth = at.index(inits.len() + containers.len());
            match nth.checked_sub(inits.len()) {
                Some(nth) => containers[nth] += more,
                None => inits[nth].1 += more,
            }
            let after = Amount::of(&requests(&pod(&inits, &containers))["cpu"]);
            prop_assert!(after >= before, "{:?} {:?}", before, after);
        }
    }
}
