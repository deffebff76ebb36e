//! Places on nodes, held before they are needed: Pods that do nothing and ask for what the target's Pods
//! will ask for. Where nodes are too few the cluster's autoscaler brings new ones for them, minutes before
//! anybody is in a hurry; they are of a low PriorityClass, so the real ones push them aside.
//!
//! One Deployment for each target, owned by the sale: whatever happens to the operator, it goes with the
//! sale. It goes earlier, in the look that asks for the real Pods: a placeholder that was pushed aside would
//! wait for a node of its own, and the autoscaler would bring one.

use super::{ApplyError, FIELD_MANAGER, footprint};
use crate::lease::Claim as Leadership;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::PodSpec;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::{Api, Client, Resource as _, ResourceExt as _};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use urr_api::TicketSale;

/// Of the manifests: below every other, so that placeholders give way to anything.
const PRIORITY_CLASS: &str = "urr-placeholder";
/// Does nothing, everywhere.
const IMAGE: &str = "registry.k8s.io/pause:3.10";
/// Selects the Pods of one set of placeholders.
const LABEL: &str = "urr.guru/placeholder";
/// A Deployment's name has 253 characters, and its Pods' need some of them.
const NAME_CHARS_MAX: usize = 200;

/// The placeholders of one namespace.
pub struct Placeholders {
    deployments: Api<Deployment>,
}

impl Placeholders {
    /// Those of `namespace`.
    #[must_use]
    pub fn of(client: &Client, namespace: &str) -> Self {
        Self {
            deployments: Api::namespaced(client.clone(), namespace),
        }
    }

    /// Has `places` held for `target` of `sale`; 0: none any more. Returns how many there were.
    ///
    /// # Errors
    /// When the API server refuses or does not answer, or this replica does not lead.
    pub async fn hold(
        &self,
        sale: &TicketSale,
        target: &str,
        places: u32,
        leadership: &Leadership,
    ) -> Result<u32, ApplyError> {
        let name = name_of(sale, target);
        let held = self.deployments.get_opt(&name).await?;
        let had = held.as_ref().map_or(0, |held| {
            let replicas = held.spec.as_ref().and_then(|spec| spec.replicas);
            replicas.and_then(|count| u32::try_from(count).ok()).unwrap_or(0)
        });
        if had == places {
            return Ok(had);
        }
        if places == 0 {
            leadership.check()?;
            metrics::counter!("operator_writes_total", "to" => "placeholder").increment(1);
            match self.deployments.delete(&name, &DeleteParams::background()).await {
                Ok(_) => {}
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                Err(error) => return Err(error.into()),
            }
            return Ok(had);
        }
        let Some(real) = self.deployments.get_opt(target).await? else {
            return Ok(had);
        };
        leadership.check()?;
        metrics::counter!("operator_writes_total", "to" => "placeholder").increment(1);
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let patch = Patch::Apply(deployment(sale, &name, &real, places));
        self.deployments.patch(&name, &params, &patch).await?;
        Ok(had)
    }
}

/// The name of the placeholders for `target` of `sale`: one for each pair, whatever the names.
fn name_of(sale: &TicketSale, target: &str) -> String {
    let readable: String = target.chars().take(NAME_CHARS_MAX).collect();
    format!("placeholder-{readable}-{}", mark(sale, target))
}

/// FNV-1a: the same in every version of this program, which its names have to be.
fn mark(sale: &TicketSale, target: &str) -> String {
    let (uid, name) = (sale.uid().unwrap_or_default(), sale.name_any());
    let bytes = [uid.as_str(), "/", &name, "/", target].concat();
    let hash = bytes.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

fn deployment(sale: &TicketSale, name: &str, real: &Deployment, places: u32) -> Value {
    let labels = json!({LABEL: mark(sale, &real.name_any())});
    let pod = real.spec.as_ref().and_then(|spec| spec.template.spec.as_ref());
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": name,
            "labels": labels,
            "annotations": {"urr.guru/holds-places-for": real.name_any()},
            "ownerReferences": sale.controller_owner_ref(&()).map(|owner| vec![owner]),
        },
        "spec": {
            "replicas": places,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": placeholder(pod)},
        }
    })
}

/// Asks for what a Pod of `real` asks for in all, where it asks for it, and does nothing with it.
fn placeholder(real: Option<&PodSpec>) -> Value {
    let requests = real.map(footprint::requests).unwrap_or_default();
    let limits = requests
        .iter()
        .filter(|(resource, _)| !footprint::may_be_overcommitted(resource));
    let mut pod = json!({
        "priorityClassName": PRIORITY_CLASS,
        "automountServiceAccountToken": false,
        "terminationGracePeriodSeconds": 0,
        "securityContext": {
            "runAsNonRoot": true,
            "runAsUser": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [{
            "name": "place",
            "image": IMAGE,
            "resources": {"requests": requests, "limits": limits.collect::<BTreeMap<_, _>>()},
            "securityContext": {
                "allowPrivilegeEscalation": false,
                "readOnlyRootFilesystem": true,
                "capabilities": {"drop": ["ALL"]},
            },
        }],
    });
    if let Some(real) = real {
        // Places where the real ones may not go would be nobody's.
        for (field, value) in [
            ("nodeSelector", json!(real.node_selector)),
            ("tolerations", json!(real.tolerations)),
            ("schedulerName", json!(real.scheduler_name)),
            // Its overhead comes with it, and the nodes it may be on.
            ("runtimeClassName", json!(real.runtime_class_name)),
            (
                "affinity",
                json!(
                    real.affinity
                        .as_ref()
                        .map(|affinity| json!({"nodeAffinity": affinity.node_affinity}))
                ),
            ),
        ] {
            if !value.is_null() {
                pod[field] = value;
            }
        }
    }
    pod
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::tests::spec;

    fn sale(uid: &str) -> TicketSale {
        let mut sale = TicketSale::new("club-night", spec());
        sale.metadata.uid = Some(uid.into());
        sale
    }

    #[test]
    fn a_placeholder_asks_for_what_the_real_one_asks_for_and_gives_way_to_it() {
        let real: Deployment = serde_json::from_value(json!({
            "metadata": {"name": "booking"},
            "spec": {"selector": {}, "template": {"spec": {
                "nodeSelector": {"pool": "sales"},
                "tolerations": [{"key": "sales"}],
                "runtimeClassName": "gvisor",
                "initContainers": [
                    {"name": "proxy", "image": "x", "restartPolicy": "Always", "resources": {
                        "requests": {"cpu": "100m"}
                    }},
                    {"name": "migrate", "image": "x", "resources": {"requests": {"cpu": "2"}}}
                ],
                "containers": [
                    {"name": "service", "image": "urr", "resources": {
                        "requests": {"cpu": "500m"}, "limits": {"cpu": "2", "nvidia.com/gpu": "1"}
                    }}
                ]
            }}}
        }))
        .unwrap();
        let made = deployment(&sale("u"), "p", &real, 3);
        let owner = &made["metadata"]["ownerReferences"][0];
        assert_eq!(
            (&owner["kind"], &owner["uid"]),
            (&json!("TicketSale"), &json!("u"))
        );
        let pod = &made["spec"]["template"]["spec"];
        assert_eq!(pod["priorityClassName"], PRIORITY_CLASS);
        assert_eq!(pod["nodeSelector"], json!({"pool": "sales"}));
        assert_eq!(pod["tolerations"], json!([{"key": "sales"}]));
        assert_eq!(pod["runtimeClassName"], "gvisor");
        assert_eq!(
            pod["containers"][0]["resources"],
            json!({"requests": {"cpu": "2100m", "nvidia.com/gpu": "1"}, "limits": {"nvidia.com/gpu": "1"}})
        );
        assert_eq!(pod["containers"].as_array().unwrap().len(), 1);
        assert!(pod["affinity"].is_null());
        let is_typed: Result<Deployment, _> = serde_json::from_value(made.clone());
        assert_eq!(is_typed.unwrap().spec.unwrap().replicas, Some(3));
        assert_eq!(
            made["spec"]["selector"]["matchLabels"],
            made["spec"]["template"]["metadata"]["labels"]
        );
    }

    #[test]
    fn every_sale_and_target_has_placeholders_of_its_own() {
        let name = |uid, target| name_of(&sale(uid), target);
        assert_eq!(name("u", "booking"), name("u", "booking"));
        assert_ne!(name("u", "booking"), name("v", "booking"));
        assert_ne!(name("u", "booking"), name("u", "payment"));
        assert!(name("u", &"x".repeat(253)).len() < 253);
    }
}
