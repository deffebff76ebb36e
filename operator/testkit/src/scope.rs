//! One test's world in the shared cluster: a namespace, and helpers that stay in it.

use crate::pods::Behaviour;
use crate::{Cluster, Error, Output, eventually};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, Resource};
use serde_json::json;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

/// A namespace for one test. Names never repeat, so nothing has to be cleaned up between tests; in a
/// cluster that is not ours [`Scope::end`] removes it.
#[derive(Clone)]
pub struct Scope {
    cluster: Arc<Cluster>,
    client: Client,
    namespace: String,
}

impl Scope {
    pub(crate) async fn make(cluster: Arc<Cluster>, name: &str) -> Result<Self, Error> {
        let client = cluster.client()?;
        let namespace = format!("{name}-{:06x}", rand::random::<u32>() & 0xff_ffff);
        let object: Namespace = serde_json::from_value(json!({
            "metadata": {"name": namespace, "labels": {"urr.guru/test": name}}
        }))
        .map_err(kube::Error::SerdeError)?;
        Api::all(client.clone())
            .create(&PostParams::default(), &object)
            .await?;
        Ok(Self {
            cluster,
            client,
            namespace,
        })
    }

    /// A client as administrator.
    #[must_use]
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// The namespace's name.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The cluster it is in.
    #[must_use]
    pub fn cluster(&self) -> &Arc<Cluster> {
        &self.cluster
    }

    /// The objects of type `K` in this namespace.
    #[must_use]
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType: Default>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Makes a Deployment whose Pods behave as said.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub async fn deployment(&self, name: &str, replicas: u32, pods: &Behaviour) -> Result<Deployment, Error> {
        let object: Deployment = serde_json::from_value(json!({
            "metadata": {"name": name},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {"app": name}},
                "template": pods.template(name, &self.namespace),
            }
        }))
        .map_err(kube::Error::SerdeError)?;
        Ok(self.api().create(&PostParams::default(), &object).await?)
    }

    /// Waits until `name` has `replicas` wanted and ready, and gives it back.
    ///
    /// # Errors
    /// When it does not within `limit`.
    pub async fn await_replicas(
        &self,
        name: &str,
        replicas: i32,
        ready: i32,
        limit: Duration,
    ) -> Result<Deployment, Error> {
        let api: Api<Deployment> = self.api();
        let what = format!("{name} with {replicas} replicas, {ready} of them ready");
        eventually(limit, &what, async || {
            let found = api.get(name).await.map_err(|error| error.to_string())?;
            let wanted = found.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
            let are = found
                .status
                .as_ref()
                .and_then(|status| status.ready_replicas)
                .unwrap_or(0);
            if (wanted, are) == (replicas, ready) {
                Ok(found)
            } else {
                Err(format!("{wanted} replicas, {are} ready"))
            }
        })
        .await
    }

    /// The Pods with label `app=<name>`.
    ///
    /// # Errors
    /// When the API server does not answer.
    pub async fn pods(&self, name: &str) -> Result<Vec<Pod>, Error> {
        let params = ListParams::default().labels(&format!("app={name}"));
        Ok(self.api::<Pod>().list(&params).await?.items)
    }

    /// Makes `count` ready Pods of `name` crash; they stay down until [`Scope::recover`].
    ///
    /// # Errors
    /// When the API server does not answer, or there are fewer.
    pub async fn crash(&self, name: &str, count: usize) -> Result<(), Error> {
        let pods = self.pods(name).await?;
        let victims: Vec<_> = pods
            .iter()
            .filter(|pod| crate::pods::is_ready(pod))
            .take(count)
            .collect();
        if victims.len() < count {
            return Err(Error::Timeout {
                what: format!("{count} ready Pods of {name} to crash"),
                waited_s: 0,
                seen: format!("{} ready", victims.len()),
            });
        }
        for pod in victims {
            self.mark(pod, crate::pods::CRASH, Some("true")).await?;
        }
        Ok(())
    }

    /// Lets all crashed Pods of `name` come up again.
    ///
    /// # Errors
    /// When the API server does not answer.
    pub async fn recover(&self, name: &str) -> Result<(), Error> {
        for pod in self.pods(name).await? {
            self.mark(&pod, crate::pods::CRASH, None).await?;
        }
        Ok(())
    }

    async fn mark(&self, pod: &Pod, annotation: &str, value: Option<&str>) -> Result<(), Error> {
        let patch = json!({"metadata": {"annotations": {annotation: value}}});
        let name = pod.metadata.name.clone().unwrap_or_default();
        self.api::<Pod>()
            .patch(&name, &PatchParams::default(), &Patch::Merge(patch))
            .await?;
        Ok(())
    }

    /// Waits until `look` is content with the object `name`.
    ///
    /// # Errors
    /// When it is not within `limit`; the message says what it saw last.
    pub async fn await_object<K>(
        &self,
        name: &str,
        what: &str,
        limit: Duration,
        look: impl Fn(&K) -> Result<(), String>,
    ) -> Result<K, Error>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType: Default>
            + Clone
            + Debug
            + serde::de::DeserializeOwned,
    {
        let api: Api<K> = self.api();
        eventually(limit, what, async || {
            let found = api.get(name).await.map_err(|error| error.to_string())?;
            look(&found).map(|()| found)
        })
        .await
    }

    /// Runs the real `kubectl` in this namespace.
    ///
    /// # Errors
    /// When it cannot be run.
    pub async fn kubectl(&self, args: &[&str]) -> Result<Output, Error> {
        self.cluster.kubectl(&self.with_namespace(args)).await
    }

    /// As [`Scope::kubectl`], with `input` on its standard input.
    ///
    /// # Errors
    /// When it cannot be run.
    pub async fn kubectl_with(&self, args: &[&str], input: &str) -> Result<Output, Error> {
        self.cluster.kubectl_with(&self.with_namespace(args), input).await
    }

    fn with_namespace(&self, args: &[&str]) -> Vec<String> {
        let mut all = vec![format!("--namespace={}", self.namespace)];
        all.extend(args.iter().map(|&arg| arg.to_owned()));
        all
    }

    /// Removes the namespace and what is in it. Not needed in a private cluster, which goes as a whole.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn end(self) -> Result<(), Error> {
        Api::<Namespace>::all(self.client)
            .delete(&self.namespace, &DeleteParams::default())
            .await?;
        Ok(())
    }
}
