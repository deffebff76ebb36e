//! What wakes a look at a sale: news of the sale, its workloads, their autoscalers and its rehearsals.
//!
//! A watch tells every change of an object, and most are none to us: our own report comes back, a Deployment
//! tells four times how far its Pods are. With hundreds of sales opening in one minute those looks would stand
//! in the way of the ones that are due. So only news wakes. What is kept for that decides nothing else; lost
//! at a restart, it costs one look at everything.

use crate::decide;
use crate::load_run;
use crate::reconcile::Guarded;
use crate::reports::Reports;
use crate::targets::{ASKED_ANNOTATION, BEFORE_ANNOTATION, SALE_ANNOTATION};
use futures::stream::{BoxStream, SelectAll};
use futures::{Stream, StreamExt as _, stream};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::controller::ReconcileRequest;
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::{DefaultHasher, Hash, Hasher as _};
use urr_api::TicketSale;
use urr_api::spec::TargetSpec;

/// A watch that says nothing for this long is asked again: a silently dead one is noticed within
/// a minute, not within five.
const WATCH_TIMEOUT_S: u32 = 55;

/// Where objects are watched.
#[derive(Clone)]
pub struct Scope {
    /// The cluster.
    pub client: Client,
    /// One namespace, or all of them.
    pub namespace: Option<String>,
}

impl Scope {
    /// The objects of a kind.
    #[must_use]
    pub fn of<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        match &self.namespace {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        }
    }

    /// How they are watched.
    #[must_use]
    pub fn watched() -> watcher::Config {
        watcher::Config::default().timeout(WATCH_TIMEOUT_S)
    }

    fn watch<K>(&self) -> BoxStream<'static, Told<K>>
    where
        K: Resource<Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug + Send + 'static,
        K::DynamicType: Default,
    {
        watcher(self.of::<K>(), Self::watched()).default_backoff().boxed()
    }
}

/// What a watch tells.
type Told<K> = Result<Event<K>, watcher::Error>;

/// A sale to be looked at.
pub type Wake = Result<ReconcileRequest<Guarded>, watcher::Error>;

/// What is known of the cluster, and what wakes looks.
pub struct Watches {
    /// The sales there are.
    pub sales: Store<Guarded>,
    /// The autoscalers there are.
    pub autoscalers: Store<HorizontalPodAutoscaler>,
    /// What the operator reported last.
    pub reports: Reports,
    /// Sales to be looked at.
    pub wakes: SelectAll<BoxStream<'static, Wake>>,
}

/// Begins to watch what is in `scope`.
#[must_use]
pub fn watch(scope: &Scope) -> Watches {
    let reports = Reports::default();
    let (sales, sales_writer) = reflector::store();
    let (autoscalers, autoscalers_writer) = reflector::store();
    let of_sales = scope.watch::<Guarded>().reflect(sales_writer);
    let of_autoscalers = scope
        .watch::<HorizontalPodAutoscaler>()
        .reflect(autoscalers_writer);
    let mut wakes = SelectAll::new();
    wakes.push(of_the_sale(of_sales, reports.clone()));
    wakes.push(of_its(
        scope.watch(),
        &sales,
        deployment_key,
        |deployment: &Deployment| {
            let name = deployment.name_any();
            move |sale: &TicketSale| sale.spec.targets.iter().any(|target| target.name == name)
        },
    ));
    wakes.push(of_its(of_autoscalers, &sales, autoscaler_key, |hpa| {
        let (name, scaled) = (hpa.name_any(), scaled_by(hpa));
        move |sale: &TicketSale| {
            // By name, or because it scales what no other is named for.
            let is_it = |target: &TargetSpec| match &target.autoscaler {
                Some(autoscaler) => autoscaler.name == name,
                None => scaled.as_deref() == Some(&target.name),
            };
            sale.spec.targets.iter().any(is_it)
        }
    }));
    wakes.push(of_its(
        scope.watch(),
        &sales,
        run_key,
        |run: &load_run::Guarded| {
            let rehearses = run.0.as_ref().ok().map(|run| run.spec.sale_ref.name.clone());
            move |sale: &TicketSale| {
                let name = sale.name_any();
                let of = rehearses.as_deref();
                of.is_some_and(|of| decide::rehearsed_by(&name, &sale.spec) == Some(of))
            }
        },
    ));
    Watches {
        sales,
        autoscalers,
        reports,
        wakes,
    }
}

fn of_the_sale(
    told: impl Stream<Item = Told<Guarded>> + Send + 'static,
    reports: Reports,
) -> BoxStream<'static, Wake> {
    let mut news = News::default();
    let wakes = told.filter_map(move |told| {
        let wake = match told {
            Ok(event) => {
                // At what is gone nobody can look.
                let is_gone = matches!(event, Event::Delete(_));
                let sale = news.of(event, |sale| sale_key(sale, &reports));
                let sale = sale.filter(|_| !is_gone);
                sale.map(|sale| Ok(ObjectRef::from_obj(&sale).into()))
            }
            Err(error) => Some(Err(error)),
        };
        std::future::ready(wake)
    });
    wakes.boxed()
}

/// News of something that concerns some of `sales`.
fn of_its<K, F, C>(
    told: impl Stream<Item = Told<K>> + Send + 'static,
    sales: &Store<Guarded>,
    key: fn(&K) -> u64,
    concerns: F,
) -> BoxStream<'static, Wake>
where
    K: Resource + Send + 'static,
    F: Fn(&K) -> C + Send + 'static,
    C: Fn(&TicketSale) -> bool,
{
    let (mut news, sales) = (News::default(), sales.clone());
    let wakes = told.flat_map(move |told| {
        let wakes: Vec<Wake> = match told {
            Ok(event) => {
                let object = news.of(event, key);
                let woken = object
                    .map(|object| sales_of(&sales, object.meta().namespace.as_deref(), concerns(&object)));
                woken.into_iter().flatten().map(|sale| Ok(sale.into())).collect()
            }
            Err(error) => vec![Err(error)],
        };
        stream::iter(wakes)
    });
    wakes.boxed()
}

/// The sales of `namespace` that something `concerns`.
fn sales_of(
    known: &Store<Guarded>,
    namespace: Option<&str>,
    concerns: impl Fn(&TicketSale) -> bool,
) -> Vec<ObjectRef<Guarded>> {
    known
        .state()
        .iter()
        .filter(|sale| sale.meta().namespace.as_deref() == namespace)
        .filter(|sale| sale.0.as_ref().is_ok_and(&concerns))
        .map(|sale| ObjectRef::from_obj(sale.as_ref()))
        .collect()
}

/// What was last seen of each object, as far as it matters: one number for each.
#[derive(Default)]
struct News {
    last: HashMap<String, u64>,
}

impl News {
    /// The object of an event that is news: it is new, other than it was, or gone.
    fn of<K: Resource>(&mut self, event: Event<K>, key: impl Fn(&K) -> u64) -> Option<K> {
        let uid = |object: &K| object.meta().uid.clone().unwrap_or_default();
        match event {
            Event::Init => {
                // What went away meanwhile is not told.
                self.last.clear();
                None
            }
            Event::InitDone => None,
            Event::Delete(object) => {
                self.last.remove(&uid(&object));
                Some(object)
            }
            Event::Apply(object) | Event::InitApply(object) => {
                let key = key(&object);
                let was = self.last.insert(uid(&object), key);
                (was != Some(key)).then_some(object)
            }
        }
    }
}

fn hash(of: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

/// Everything but a status that is our own; with any other every version is news.
fn sale_key(sale: &Guarded, reports: &Reports) -> u64 {
    let meta = sale.meta();
    let is_ours = sale.0.as_ref().is_ok_and(|sale| reports.is_said(sale));
    hash((
        meta.generation,
        meta.deletion_timestamp.as_ref().map(|at| at.0.as_millisecond()),
        &meta.finalizers,
        &meta.annotations,
        &meta.labels,
        meta.resource_version.as_ref().filter(|_| !is_ours),
    ))
}

fn ours(object: &impl Resource) -> [Option<&String>; 3] {
    let annotations = object.meta().annotations.as_ref();
    [SALE_ANNOTATION, BEFORE_ANNOTATION, ASKED_ANNOTATION].map(|key| annotations?.get(key))
}

/// How many there shall be, how many are ready, and whose it is.
fn deployment_key(deployment: &Deployment) -> u64 {
    let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas);
    let ready = deployment
        .status
        .as_ref()
        .and_then(|status| status.ready_replicas);
    hash((wanted, ready, ours(deployment)))
}

/// Its bounds, what it scales, and whose it is; not what it measures every few seconds.
fn autoscaler_key(hpa: &HorizontalPodAutoscaler) -> u64 {
    let bounds = hpa
        .spec
        .as_ref()
        .map(|spec| (spec.min_replicas, spec.max_replicas));
    hash((bounds, scaled_by(hpa), ours(hpa)))
}

fn run_key(run: &load_run::Guarded) -> u64 {
    // A rehearsal says so little that all of it counts.
    hash(&run.meta().resource_version)
}

fn scaled_by(hpa: &HorizontalPodAutoscaler) -> Option<String> {
    let target = &hpa.spec.as_ref()?.scale_target_ref;
    (target.kind == "Deployment").then(|| target.name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::tests::spec;
    use kube::core::DeserializeGuard;
    use serde_json::{Value, json};
    use urr_api::TicketSaleStatus;

    fn deployment(uid: &str, status: &Value) -> Deployment {
        let object = json!({
            "metadata": {"name": "booking", "uid": uid},
            "spec": {"replicas": 4, "selector": {}, "template": {}}, "status": status
        });
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn of_a_deployments_steps_only_what_is_ready_is_news_and_its_end_always() {
        let mut news = News::default();
        let mut is_news = |event| news.of(event, deployment_key).is_some();
        let [none, some] = [json!({"replicas": 4}), json!({"replicas": 4, "readyReplicas": 2})];
        assert!(is_news(Event::InitApply(deployment("a", &none))));
        let moved = json!({"replicas": 4, "updatedReplicas": 3, "observedGeneration": 9});
        assert!(!is_news(Event::Apply(deployment("a", &moved))));
        assert!(is_news(Event::Apply(deployment("a", &some))));
        assert!(!is_news(Event::Apply(deployment("a", &some))));
        assert!(is_news(Event::Delete(deployment("a", &some))));
        assert!(
            is_news(Event::Apply(deployment("b", &some))),
            "another of its name"
        );
        // What happened while nobody watched is not known.
        assert!(!is_news(Event::Init));
        assert!(is_news(Event::InitApply(deployment("b", &some))));
    }

    #[test]
    fn our_own_report_is_no_news_and_anybody_elses_is() {
        let (mut news, reports) = (News::default(), Reports::default());
        let sale = |version: &str, phase: &str, annotation: &str| {
            let mut sale = TicketSale::new("club-night", spec());
            sale.metadata.uid = Some("u".into());
            sale.metadata.resource_version = Some(version.into());
            sale.metadata.annotations = Some([("touched".to_owned(), annotation.to_owned())].into());
            sale.status = Some(TicketSaleStatus {
                phase: Some(phase.into()),
                ..TicketSaleStatus::default()
            });
            sale
        };
        let first = sale("1", "Scheduled", "");
        reports.say(&first, first.status.as_ref().unwrap());
        let mut is_news = |sale| {
            let event = Event::Apply(DeserializeGuard(Ok(sale)));
            news.of(event, |sale| sale_key(sale, &reports)).is_some()
        };
        assert!(is_news(first.clone()), "never seen");
        let open = sale("2", "Open", "");
        reports.say(&first, open.status.as_ref().unwrap());
        assert!(!is_news(open));
        assert!(is_news(sale("3", "Open", "by somebody")));
        assert!(is_news(sale("4", "Paused", "by somebody")), "not our words");
        assert!(is_news(sale("5", "Closed", "by somebody")), "again");
    }
}
