//! A sale's spec is changed many times over, in ways drawn from its schema, sound and unsound. What is
//! there in the end depends on the last spec only: it is what a sale gets that is made with that spec at
//! once. What is unsound is refused with its field, and changes nothing.

use crate::common::{sale, set};
use crate::world::{World, in_seconds, phase};
use http::Request;
use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use kube::api::PostParams;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use std::time::Duration;
use urr_api::TicketSale;
use urr_testkit::eventually;
use urr_testkit::pods::Behaviour;
use uuid::Uuid;

/// Sequences, each on a sale of its own.
const SEQUENCES: usize = 4;
/// Changes in a sequence.
const CHANGES: usize = 12;
/// A drawn number of replicas is not above: they are made.
const REPLICAS_MAX: i64 = 6;
const SETTLED: Duration = Duration::from_secs(60);

/// What may stand at a JSON pointer.
#[derive(Debug, Clone)]
struct Field {
    pointer: String,
    schema: Value,
}

/// Every field of the spec that holds a value, as the definition has it.
fn fields() -> Vec<Field> {
    fn walk(pointer: &str, schema: &Value, into: &mut Vec<Field>) {
        if let Some(properties) = schema["properties"].as_object() {
            for (name, schema) in properties {
                walk(&format!("{pointer}/{name}"), schema, into);
            }
        } else if schema["type"] == "array" {
            walk(&format!("{pointer}/0"), &schema["items"], into);
        } else {
            into.push(Field {
                pointer: pointer.to_owned(),
                schema: schema.clone(),
            });
        }
    }
    let crds = serde_json::to_value(urr_api::crds()).unwrap();
    let crd = crds
        .as_array()
        .unwrap()
        .iter()
        .find(|crd| crd["spec"]["names"]["kind"] == "TicketSale");
    let schema = &crd.unwrap()["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let mut all = Vec::new();
    walk("/spec", &schema["properties"]["spec"], &mut all);
    assert!(all.len() > 30, "{all:?}");
    // An end is an end, and a name leads to what is not there: no spec comes after.
    let leads_on = |field: &Field| {
        let pointer = field.pointer.as_str();
        pointer != "/spec/abort"
            && !pointer.starts_with("/spec/targets/0/autoscaler")
            && pointer != "/spec/targets/0/name"
    };
    all.retain(leads_on);
    all
}

/// A value that the schema takes, or (`false`) one that it does not.
fn value(field: &Field) -> BoxedStrategy<(Value, bool)> {
    let Field { pointer, schema } = field;
    let bound = |name: &str, otherwise: i64| schema[name].as_i64().unwrap_or(otherwise);
    let sound: BoxedStrategy<Value> = if let Some(words) = schema["enum"].as_array() {
        select(words.clone()).boxed()
    } else if schema["format"] == "date-time" {
        // Only the closing can be put off in a pre-queue.
        (900..4000i64).prop_map(in_seconds).boxed()
    } else {
        match schema["type"].as_str().unwrap() {
            "integer" => {
                let makes_pods = ["/replicas", "/peak", "/base"]
                    .iter()
                    .any(|end| pointer.ends_with(end));
                let most = if makes_pods {
                    REPLICAS_MAX
                } else {
                    bound("maximum", 1000).min(2000)
                };
                (bound("minimum", 0)..=most).prop_map(Value::from).boxed()
            }
            "boolean" => any::<bool>().prop_map(Value::from).boxed(),
            _ => select(vec![json!("Asia/Seoul"), json!("A night at the club")]).boxed(),
        }
    };
    let unsound = match schema["type"].as_str().unwrap() {
        "integer" => select(vec![
            json!(bound("minimum", 0) - 1),
            json!(bound("maximum", i64::from(i32::MAX)) + 1),
            json!("many"),
        ])
        .boxed(),
        "boolean" => Just(json!("maybe")).boxed(),
        _ => Just(json!(5)).boxed(),
    };
    prop_oneof![
        3 => sound.prop_map(|value| (value, true)),
        1 => unsound.prop_map(|value| (value, false)),
    ]
    .boxed()
}

fn change() -> impl Strategy<Value = (Field, Value, bool)> {
    select(fields()).prop_flat_map(|field| {
        let value = value(&field);
        (Just(field), value).prop_map(|(field, (value, is_sound))| (field, value, is_sound))
    })
}

/// What the API server says to `change` of the sale: the fields it refuses, with its words.
async fn make(world: &World, name: &str, (field, value, _): &(Field, Value, bool)) -> Vec<(String, String)> {
    let path = format!(
        "/apis/urr.guru/v1alpha1/namespaces/{}/ticketsales/{name}",
        world.scope.namespace()
    );
    loop {
        let get = Request::get(&path).body(Vec::new()).unwrap();
        let mut document: Value = world.scope.client().request(get).await.unwrap();
        set(&mut document, &field.pointer, value);
        let put = Request::put(&path)
            .header("content-type", "application/json")
            .body(serde_json::to_vec(&document).unwrap())
            .unwrap();
        match world.scope.client().request::<Value>(put).await {
            Ok(_) => return Vec::new(),
            // The operator has reported meanwhile.
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            Err(kube::Error::Api(status)) => {
                let causes = status
                    .details
                    .clone()
                    .map(|details| details.causes)
                    .unwrap_or_default();
                assert!(!causes.is_empty(), "refused without a field: {status:?}");
                return causes
                    .into_iter()
                    .map(|cause| (cause.field, cause.message))
                    // What it says when rules were not asked because of the others.
                    .filter(|(field, _)| field != "<nil>")
                    .collect();
            }
            Err(error) => panic!("no answer: {error}"),
        }
    }
}

/// As the API server spells it.
fn spelt(pointer: &str) -> String {
    pointer
        .trim_start_matches('/')
        .replace("/0", "[0]")
        .replace('/', ".")
}

fn names_it(refused: &[(String, String)], pointer: &str) -> bool {
    let field = spelt(pointer);
    refused
        .iter()
        .any(|(named, _)| named.trim_start_matches('.') == field)
}

/// What a sale has come to, without what tells when and by whom.
async fn state(world: &World, name: &str, target: &str) -> Result<Value, String> {
    let sale: TicketSale = world
        .scope
        .api()
        .get(name)
        .await
        .map_err(|error| error.to_string())?;
    let status = sale.status.clone().unwrap_or_default();
    if status.observed_generation != sale.metadata.generation {
        return Err("not looked at yet".to_owned());
    }
    let booking: Deployment = world
        .scope
        .api()
        .get(target)
        .await
        .map_err(|error| error.to_string())?;
    let replicas = booking.spec.as_ref().and_then(|spec| spec.replicas);
    let ready = booking.status.as_ref().and_then(|status| status.ready_replicas);
    if replicas != ready {
        return Err(format!("{ready:?} of {replicas:?} are ready"));
    }
    let url = format!("{}/control/v1/sales/{}", world.control_url, sale.spec.event_id);
    let request = reqwest::Client::new().get(url).bearer_auth(&world.control_token);
    let answer = request.send().await.map_err(|error| error.to_string())?;
    let control: Value = answer.json().await.map_err(|error| error.to_string())?;
    let mut kept = control["sale"].clone();
    if let Some(fields) = kept.as_object_mut() {
        fields.remove("id");
    }
    let event: Uuid = sale.spec.event_id.parse().unwrap();
    let room = world.rooms.get(event).await.map_err(|error| error.to_string())?;
    let conditions = status.conditions.iter();
    Ok(json!({
        "replicas": replicas,
        "claimed": booking.metadata.annotations.unwrap_or_default().get("urr.guru/replicas-before"),
        "kept": kept,
        "held": control["held"],
        "units": control["readyReplicas"],
        "plan": control["plan"]["limits"],
        "room": room.map(|room| json!([format!("{:?}", room.mode), room.clock.rate_per_s, room.closes_at])),
        "phase": phase(&sale),
        "desired": status.desired_replicas,
        "ready": status.ready_replicas,
        "rate": status.rate_per_second,
        // How early capacity came is history, and is meant to be.
        "conditions": conditions
            .filter(|condition| condition.type_ != "ScheduleHonoured")
            .map(|condition| [&condition.type_, &condition.status, &condition.reason])
            .collect::<Vec<_>>(),
    }))
}

async fn create(world: &World, name: &str, target: &str, spec: Option<Value>) -> Value {
    let pods = Behaviour::default();
    world.scope.deployment(target, 1, &pods).await.unwrap();
    let mut document = sale(name);
    set(&mut document, "/spec/targets", &json!([{"name": target}]));
    set(&mut document, "/spec/capacity/replicas", &json!(2));
    set(&mut document, "/spec/admission/ratePerSecond", &json!(20));
    set(&mut document, "/spec/schedule/preQueueAt", &in_seconds(-10));
    set(&mut document, "/spec/schedule/opensAt", &in_seconds(800));
    set(&mut document, "/spec/schedule/closesAt", &in_seconds(5000));
    set(&mut document, "/spec/displayName", &json!("A night"));
    if let Some(spec) = spec {
        document["spec"] = spec;
        set(&mut document, "/spec/targets/0/name", &json!(target));
    }
    set(&mut document, "/spec/eventId", &json!(Uuid::new_v4()));
    let sales: Api<TicketSale> = world.scope.api();
    let sale: TicketSale = serde_json::from_value(document).unwrap();
    let made = sales.create(&PostParams::default(), &sale).await.unwrap();
    serde_json::to_value(made.spec).unwrap()
}

async fn live(world: &World, number: usize, changes: Vec<(Field, Value, bool)>) -> usize {
    let [changed, fresh] = ["changed", "fresh"].map(|name| format!("{name}-{number}"));
    let [hall, other] = ["hall", "other"].map(|name| format!("{name}-{number}"));
    create(world, &changed, &hall, None).await;
    world
        .await_sale(&changed, "looked at", |sale| phase(sale) == "PreQueue")
        .await;
    let mut taken = 0;
    for change in &changes {
        let (field, value, is_sound) = change;
        let refused = make(world, &changed, change).await;
        if *is_sound {
            // What its neighbours forbid is refused too, and says which rule of which field it was.
            taken += usize::from(refused.is_empty());
            let named = refused
                .iter()
                .all(|(field, words)| field.contains("spec") && !words.is_empty());
            assert!(named, "{field:?} = {value}: {refused:?}");
        } else {
            assert!(
                names_it(&refused, &field.pointer),
                "{field:?} = {value}: {refused:?}"
            );
        }
    }
    let last: TicketSale = world.scope.api().get(&changed).await.unwrap();
    let spec = serde_json::to_value(&last.spec).unwrap();
    create(world, &fresh, &other, Some(spec.clone())).await;
    let told = eventually(
        SETTLED,
        "the state of a sale made with the last spec at once",
        async || {
            let look = async || {
                Ok::<_, String>((
                    state(world, &changed, &hall).await?,
                    state(world, &fresh, &other).await?,
                ))
            };
            let (ours, theirs) = look().await?;
            if ours != theirs {
                return Err(format!("changed: {ours:#}\nfresh: {theirs:#}"));
            }
            // And it stays so.
            tokio::time::sleep(Duration::from_millis(500)).await;
            let again = look().await?;
            if again == (ours, theirs) {
                Ok(())
            } else {
                Err(format!("still moving: {again:?}"))
            }
        },
    )
    .await;
    if let Err(error) = told {
        panic!("{error}\nafter {changes:#?}\nlast spec: {spec:#}");
    }
    taken
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_state_depends_on_the_last_spec_only_and_what_is_unsound_is_refused_with_its_field() {
    let world = World::new("mutations").await;
    let mut runner = TestRunner::deterministic();
    let mut draw = || {
        let drawn = prop::collection::vec(change(), CHANGES).new_tree(&mut runner);
        drawn.unwrap().current()
    };
    let sequences: Vec<_> = (0..SEQUENCES).map(|_| draw()).collect();
    let lives = sequences
        .into_iter()
        .enumerate()
        .map(|(number, changes)| live(&world, number, changes));
    let taken: usize = futures::future::join_all(lives).await.into_iter().sum();
    assert!(
        taken >= SEQUENCES * CHANGES / 4,
        "only {taken} changes were taken"
    );
}
