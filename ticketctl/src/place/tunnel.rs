//! The way to the control API of a cluster: a port-forward through the Kubernetes API server to a
//! ready Pod of the control plane, behind a loopback port of our own. Decision 0019 says why.
//!
//! Every connection picks a Pod anew, so a stream that broke with its Pod comes back on another one.

use super::cluster::refused;
use crate::{exit::Exit, failure::Failure};
use k8s_openapi::api::core::v1::{Container, Pod, Secret};
use kube::{
    Api, Client, ResourceExt as _,
    api::{ListParams, Portforwarder},
};
use std::sync::Arc;
use tokio::{
    io::{AsyncRead, AsyncWrite, copy_bidirectional},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};

/// The Pods of the control plane, as the manifests label them.
const PODS: &str = "app.kubernetes.io/name=control";
/// The name of their port.
const PORT: &str = "http";
/// The variable by which they are given their token.
const TOKEN: &str = "CONTROL_API_TOKEN";
/// Connections at once. One command holds a stream and asks a question; the rest is air.
const CONNECTIONS_MAX: usize = 16;

/// A way that is open.
pub(super) struct Tunnel {
    /// Where it begins, on this machine.
    pub(super) base: String,
    /// Where it ends, for people.
    pub(super) shown: String,
}

/// The control plane of a namespace, before anything is sent to it.
#[derive(Clone)]
pub(super) struct ControlPlane {
    client: Client,
    namespace: String,
}

impl ControlPlane {
    pub(super) const fn new(client: Client, namespace: String) -> Self {
        Self { client, namespace }
    }

    /// Opens a way that stays open as long as this process.
    pub(super) async fn open(&self) -> Result<Tunnel, Failure> {
        // Tried once before anything is promised: rights and Pods that are missing are said here.
        let (pod, stream) = self.connect().await?;
        drop(stream);
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .map_err(|error| Failure::new(Exit::Failure, "no loopback port can be opened").because(&error))?;
        let address = listener
            .local_addr()
            .map_err(|error| Failure::new(Exit::Failure, "no loopback port can be opened").because(&error))?;
        tokio::spawn(self.clone().carry(listener));
        Ok(Tunnel {
            base: format!("http://{address}"),
            shown: format!("{}/{pod}", self.namespace),
        })
    }

    /// The token its Pods were given, if we may read the Secret it lies in.
    pub(super) async fn token(&self) -> Result<String, Failure> {
        let pod = self.ready().await?.remove(0);
        let unknown = || {
            Failure::new(
                Exit::NotFound,
                format!(
                    "the Pod {} does not say where its {TOKEN} is from",
                    pod.name_any()
                ),
            )
            .remedy("give --token-file FILE")
        };
        let containers = pod
            .spec
            .as_ref()
            .map(|spec| spec.containers.as_slice())
            .unwrap_or_default();
        let sources = containers.iter().flat_map(sources);
        let mut denied = None;
        for (secret, key) in sources {
            match Api::<Secret>::namespaced(self.client.clone(), &self.namespace)
                .get_opt(&secret)
                .await
            {
                Ok(found) => {
                    let token = found.and_then(|secret| secret.data?.remove(&key));
                    let token = token.and_then(|token| String::from_utf8(token.0).ok());
                    if let Some(token) = token.filter(|token| !token.trim().is_empty()) {
                        return Ok(token.trim().to_owned());
                    }
                }
                Err(error) => {
                    let failure = refused(&error);
                    denied = Some(if failure.exit == Exit::Denied {
                        failure.remedy(format!(
                            "the control API's token lies in the Secret {secret}, which you may not read: give --token-file FILE"
                        ))
                    } else {
                        failure
                    });
                }
            }
        }
        Err(denied.unwrap_or_else(unknown))
    }

    async fn carry(self, listener: TcpListener) {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        // Never closed, so there is always a place some day.
        while let Ok(place) = Arc::clone(&places).acquire_owned().await {
            let Ok((mut near, _)) = listener.accept().await else {
                return;
            };
            let control = self.clone();
            tokio::spawn(async move {
                if let Err(failure) = control.connection(&mut near).await {
                    // The client sees its connection end and says so; why it ended stands here.
                    tracing::warn!(%failure, "the way to the control API broke");
                }
                drop(place);
            });
        }
    }

    async fn connection(&self, near: &mut TcpStream) -> Result<(), Failure> {
        let (_, mut far) = self.connect().await?;
        // An end without farewell is an end.
        let _ = copy_bidirectional(near, &mut far).await;
        Ok(())
    }

    /// A connection to the first ready Pod that takes one, and the Pod's name.
    async fn connect(&self) -> Result<(String, impl AsyncRead + AsyncWrite + Unpin + use<>), Failure> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let mut failure = None;
        for pod in self.ready().await? {
            let name = pod.name_any();
            let port = port(&pod);
            match pods.portforward(&name, &[port]).await {
                Ok(mut forwarder) => match take(&mut forwarder, port) {
                    Some(stream) => return Ok((name, stream)),
                    None => continue,
                },
                Err(error) => failure = Some(no_way(&name, &error)),
            }
        }
        Err(failure.unwrap_or_else(|| self.nobody()))
    }

    /// Ready Pods, by name; at least one.
    async fn ready(&self) -> Result<Vec<Pod>, Failure> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let listed = pods.list(&ListParams::default().labels(PODS)).await;
        let mut ready = listed.map_err(|error| refused(&error))?.items;
        ready.retain(is_ready);
        ready.sort_by_key(kube::ResourceExt::name_any);
        if ready.is_empty() {
            return Err(self.nobody());
        }
        Ok(ready)
    }

    fn nobody(&self) -> Failure {
        Failure::new(
            Exit::Unreachable,
            format!(
                "no Pod of the control plane is ready in namespace {}",
                self.namespace
            ),
        )
        .remedy(format!(
            "kubectl get pods -n {} -l {PODS}; another namespace? give -n NAME",
            self.namespace
        ))
    }
}

fn take(forwarder: &mut Portforwarder, port: u16) -> Option<impl AsyncRead + AsyncWrite + Unpin + use<>> {
    forwarder.take_stream(port)
}

fn no_way(pod: &str, error: &kube::Error) -> Failure {
    let failure = match error {
        kube::Error::UpgradeConnection(why) => Failure::new(
            Exit::Denied,
            format!("the API server opens no way to the Pod {pod}"),
        )
        .because(why),
        other => refused(other),
    };
    failure.remedy("it takes the rights `get` and `create` on pods/portforward: kubectl auth can-i create pods/portforward")
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    let ready =
        conditions.is_some_and(|all| all.iter().any(|one| one.type_ == "Ready" && one.status == "True"));
    ready && pod.metadata.deletion_timestamp.is_none()
}

/// The port its control API listens on.
fn port(pod: &Pod) -> u16 {
    /// Where the manifests put it.
    const USUAL: u16 = 3010;
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let mut ports = containers.flat_map(|container| container.ports.iter().flatten());
    let named = ports.find(|port| port.name.as_deref() == Some(PORT));
    named
        .and_then(|port| u16::try_from(port.container_port).ok())
        .unwrap_or(USUAL)
}

/// Secrets, and keys in them, that may hold a container's token: what it names first.
fn sources(container: &Container) -> Vec<(String, String)> {
    let named = container
        .env
        .iter()
        .flatten()
        .filter(|variable| variable.name == TOKEN);
    let named = named.filter_map(|variable| {
        let key = variable.value_from.as_ref()?.secret_key_ref.as_ref()?;
        Some((key.name.clone(), key.key.clone()))
    });
    let whole = container.env_from.iter().flatten().filter_map(|source| {
        let prefix = source.prefix.as_deref().unwrap_or_default();
        let key = TOKEN.strip_prefix(prefix)?;
        Some((source.secret_ref.as_ref()?.name.clone(), key.to_owned()))
    });
    named.chain(whole).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn pod(container: &Value, status: &Value) -> Pod {
        serde_json::from_value(json!({"spec": {"containers": [container]}, "status": status})).unwrap()
    }

    fn container(of: &Pod) -> &Container {
        &of.spec.as_ref().unwrap().containers[0]
    }

    #[test]
    fn the_port_and_the_token_are_found_where_the_manifests_put_them() {
        let as_shipped = pod(
            &json!({"name": "service", "ports": [{"name": "http", "containerPort": 4010}],
                   "envFrom": [{"configMapRef": {"name": "urr-config"}}, {"secretRef": {"name": "urr-secrets"}}]}),
            &json!({}),
        );
        assert_eq!(port(&as_shipped), 4010);
        let in_secret = ("urr-secrets".to_owned(), TOKEN.to_owned());
        assert_eq!(sources(container(&as_shipped)), std::slice::from_ref(&in_secret));
        let by_name = pod(
            &json!({"name": "service",
                   "env": [{"name": TOKEN, "valueFrom": {"secretKeyRef": {"name": "own", "key": "token"}}}],
                   "envFrom": [{"secretRef": {"name": "urr-secrets"}}]}),
            &json!({}),
        );
        assert_eq!(port(&by_name), 3010);
        assert_eq!(
            sources(container(&by_name)),
            [("own".to_owned(), "token".to_owned()), in_secret]
        );
    }

    #[test]
    fn a_pod_that_is_going_is_not_ready() {
        let ready = json!({"conditions": [{"type": "Ready", "status": "True"}]});
        let mut one = pod(&json!({"name": "service"}), &ready);
        assert!(is_ready(&one));
        one.metadata.deletion_timestamp = serde_json::from_value(json!("2026-11-21T00:00:00Z")).unwrap();
        assert!(!is_ready(&one));
        assert!(!is_ready(&pod(&json!({"name": "service"}), &json!({}))));
    }
}
