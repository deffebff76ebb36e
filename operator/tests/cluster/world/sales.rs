//! What a test does with sales of its world, and what it waits for.

use super::World;
use crate::common::{SOON, sale, set};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};
use urr_api::TicketSale;
use urr_core::room::Room;
use urr_kit::clock::{Clock as _, SystemClock};
use urr_testkit::{Scope, eventually};
use uuid::Uuid;

impl World {
    /// Applies a sale whose instants are so many seconds from now; returns its event.
    pub(crate) async fn announce(&self, name: &str, instants: [i64; 3], targets: &[&str]) -> Uuid {
        let targets: Vec<Value> = targets.iter().map(|name| json!({"name": name})).collect();
        self.announce_with(name, instants, &[("/spec/targets", json!(targets))])
            .await
    }

    /// As [`World::announce`], with more fields set.
    pub(crate) async fn announce_with(
        &self,
        name: &str,
        [pre_queue, opens, closes]: [i64; 3],
        fields: &[(&str, Value)],
    ) -> Uuid {
        let mut document = sale(name);
        let event = Uuid::new_v4();
        for (pointer, value) in [
            ("/spec/eventId", json!(event)),
            ("/spec/seats", json!(100)),
            ("/spec/schedule/preQueueAt", in_seconds(pre_queue)),
            ("/spec/schedule/opensAt", in_seconds(opens)),
            ("/spec/schedule/closesAt", in_seconds(closes)),
        ] {
            set(&mut document, pointer, &value);
        }
        for (pointer, value) in fields {
            set(&mut document, pointer, value);
        }
        let apply = ["apply", "--server-side", "-f", "-"];
        self.scope
            .kubectl_with(&apply, &document.to_string())
            .await
            .unwrap()
            .ok()
            .unwrap();
        event
    }

    /// Merges `spec` into the sale's, as `kubectl patch` does.
    pub(crate) async fn patch(&self, name: &str, spec: Value) {
        patch(&self.scope, name, spec).await;
    }

    /// Waits until the waiting room's record is as `look` wants it.
    pub(crate) async fn await_room(&self, event: Uuid, what: &str, look: impl Fn(&Room) -> bool) -> Room {
        eventually(SOON, what, async || {
            let room = self.rooms.get(event).await.map_err(|error| error.to_string())?;
            match room {
                Some(room) if look(&room) => Ok(room),
                other => Err(format!("{other:?}")),
            }
        })
        .await
        .unwrap()
    }

    pub(crate) async fn await_sale(
        &self,
        name: &str,
        what: &str,
        look: impl Fn(&TicketSale) -> bool,
    ) -> TicketSale {
        let seen = |sale: &TicketSale| {
            if look(sale) {
                Ok(())
            } else {
                Err(format!("{:?}", sale.status))
            }
        };
        self.scope.await_object(name, what, SOON, seen).await.unwrap()
    }

    pub(crate) async fn await_replicas(&self, target: &str, replicas: i32) -> Deployment {
        self.scope
            .await_replicas(target, replicas, replicas, SOON)
            .await
            .unwrap()
    }

    fn looks_at(&self, sale: &str) -> usize {
        let ours = format!("{{\"sale\":\"{}/{sale}\",", self.scope.namespace());
        let text = std::fs::read_to_string(self.trace_file()).unwrap_or_default();
        text.lines().filter(|line| line.starts_with(&ours)).count()
    }

    /// Has the operator look at a sale to which nothing has happened, and waits until it has done all that
    /// comes of it: looks at one sale follow each other, so one is over when the next is written down.
    pub(crate) async fn look_again(&self, sale: &str) {
        for _ in 0..2 {
            let before = self.looks_at(sale);
            let annotation = format!("looked={}", SystemClock.now().0);
            let annotate = ["annotate", "ts", sale, "--overwrite", &annotation];
            self.scope.kubectl(&annotate).await.unwrap().ok().unwrap();
            eventually(SOON, "another look", async || match self.looks_at(sale) {
                looks if looks > before => Ok(()),
                looks => Err(format!("{looks} looks")),
            })
            .await
            .unwrap();
        }
    }

    /// Waits until a look at `sale` writes nothing, as what is left to tell of an end may take some more, and
    /// sees that it remains so.
    pub(crate) async fn await_idle(&self, sale: &str) {
        let written = async || {
            let before = self.faults.write_count();
            self.look_again(sale).await;
            self.faults.writes().split_off(before)
        };
        eventually(SOON, "a look that writes nothing", async || {
            let new = written().await;
            new.is_empty().then_some(()).ok_or_else(|| format!("{new:?}"))
        })
        .await
        .unwrap();
        let new = written().await;
        assert!(new.is_empty(), "{new:?}");
    }

    /// Waits until whatever is made is younger than `sale`: creation times are whole seconds, and among
    /// sales of one second the elder is a matter of UIDs.
    pub(crate) async fn await_another_second(&self, sale: &str) {
        let sale: TicketSale = self.scope.api().get(sale).await.unwrap();
        let made_at = sale.metadata.creation_timestamp.unwrap().0.as_second();
        eventually(SOON, "another second", async || {
            let second = Timestamp::now().as_second();
            (second > made_at).then_some(()).ok_or_else(|| second.to_string())
        })
        .await
        .unwrap();
    }
}

/// Merges `spec` into the sale's, as `kubectl patch` does.
pub(crate) async fn patch(scope: &Scope, name: &str, spec: Value) {
    let patch = json!({"spec": spec}).to_string();
    let args = ["patch", "ts", name, "--type=merge", "--patch", &patch];
    scope.kubectl(&args).await.unwrap().ok().unwrap();
}

/// The instant so many seconds from now, as a spec has it.
pub(crate) fn in_seconds(seconds: i64) -> Value {
    let instant = SystemClock.now().plus_s(seconds);
    json!(Timestamp::from_millisecond(instant.0).unwrap().to_string())
}

pub(crate) fn phase(sale: &TicketSale) -> &str {
    sale.status
        .as_ref()
        .and_then(|status| status.phase.as_deref())
        .unwrap_or_default()
}

pub(crate) fn holds(sale: &TicketSale, condition: &str) -> bool {
    let conditions = sale
        .status
        .as_ref()
        .map(|status| status.conditions.as_slice())
        .unwrap_or_default();
    conditions
        .iter()
        .any(|found| found.type_ == condition && found.status == "True")
}

/// The reason of a condition.
pub(crate) fn reason(sale: &TicketSale, condition: &str) -> String {
    let conditions = sale.status.iter().flat_map(|status| &status.conditions);
    let mut found = conditions.filter(|found| found.type_ == condition);
    found.next().map(|found| found.reason.clone()).unwrap_or_default()
}
