//! The shape of a scenario file, version 1, exactly as it is written.
//!
//! Leaves that a check may refuse are [`At`], so that a message can point at them. Nothing here is
//! optional by accident: a field without a default has none because no value fits every rehearsal.
//! Renaming a key breaks everybody's files; add keys, and raise the version when a meaning changes.
//! Doc comments here are what editors show: `scenarios/schema.json` is made from these types.

pub(super) mod crowd;
pub(super) mod several;

use super::Process;
use super::units::{Count, Rate, Share, Span, Won};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_yaml::{Location, Spanned};

/// A value and where in the file it stands.
#[derive(Debug)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) referenced: Location,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Spanned::deserialize(deserializer).map(|spanned| Self {
            value: spanned.value,
            referenced: spanned.referenced,
        })
    }
}

impl<T: JsonSchema> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        generator.subschema_for::<T>()
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    /// Version of this format: 1.
    pub(super) version: At<Count>,
    /// Short name, used in file names: lower-case letters, digits and dashes.
    pub(super) name: At<String>,
    /// What a person calls it.
    pub(super) title: String,
    /// What it is for.
    #[serde(default)]
    pub(super) about: String,
    /// Where its figures come from.
    #[serde(default)]
    pub(super) sources: Vec<String>,
    /// Everything random in a run follows from this.
    pub(super) seed: At<Count>,
    /// What is sold, when and to how many at once.
    pub(super) sale: SaleBlock,
    /// Who comes, when and as whom.
    pub(super) crowd: crowd::CrowdBlock,
    /// Several sales that open in the same instant, instead of one: each as `sale` and `crowd` say, but for
    /// what it says itself. `limits` are of the whole run.
    #[serde(default)]
    pub(super) sales: Option<At<Vec<several::VariantBlock>>>,
    /// How many more come as real browsers: own client, own cookies, own connections.
    #[serde(default)]
    pub(super) browsers: Option<At<Count>>,
    /// How many of the crowd register and log in for real before the opening.
    #[serde(default)]
    pub(super) registrations: Option<At<Count>>,
    /// How the payment provider of the rehearsal behaves.
    #[serde(default)]
    pub(super) payment: PaymentBlock,
    /// Sentences that must be true of the run, such as `join p95 < 100ms` or `sold >= 95%`.
    #[serde(default)]
    pub(super) thresholds: Vec<At<String>>,
    /// Services that run as processes of their own.
    #[serde(default)]
    pub(super) processes: Vec<At<Process>>,
    /// What is broken on purpose.
    #[serde(default)]
    pub(super) faults: Vec<FaultBlock>,
    /// Limits of the generator itself.
    pub(super) limits: LimitsBlock,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SaleBlock {
    /// Where the show is.
    pub(super) venue: String,
    /// From the start of the run to the opening.
    pub(super) opens_in: At<Span>,
    /// How long before the opening the waiting room takes people.
    pub(super) pre_queue: At<Span>,
    /// Whether who comes before the opening is drawn at the opening; `fifo` if not given.
    #[serde(default)]
    pub(super) ordering: Option<At<OrderingWord>>,
    /// Whether who waits in another sale that says so too is turned away; `false` if not given.
    #[serde(default)]
    pub(super) one_per_user: Option<At<bool>>,
    /// From the opening to the close.
    pub(super) duration: At<Span>,
    /// The hall and its sections.
    pub(super) hall: At<HallBlock>,
    /// Seats each buyer takes; 1 if not given.
    #[serde(default)]
    pub(super) seats_per_booking: Option<At<Count>>,
    /// How people are let in.
    pub(super) admission: AdmissionBlock,
    /// What the services behind the door bear.
    pub(super) capacity: CapacityBlock,
}

/// In which order people stand who come before the opening.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum OrderingWord {
    /// As they came.
    Fifo,
    /// Drawn at the opening; who comes later stands behind them as they came.
    Shuffle,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HallBlock {
    /// Blocks of alike sections.
    pub(super) sections: Vec<SectionBlock>,
}

/// One block of alike sections: `names` share rows, seats and price.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SectionBlock {
    /// Names of the sections that share what follows, as on the tickets.
    pub(super) names: At<Vec<String>>,
    /// Rows of each.
    pub(super) rows: At<Count>,
    /// Seats in each row.
    pub(super) seats_per_row: At<Count>,
    /// What a seat costs.
    pub(super) price: At<Won>,
    /// Number of the first row; 1 if not given.
    #[serde(default)]
    pub(super) start_row: Option<At<Count>>,
    /// What its seats are called, such as VIP.
    #[serde(default)]
    pub(super) grade: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AdmissionBlock {
    /// People let in per second; with `adaptive`, the rate the sale opens with.
    pub(super) rate: At<Rate>,
    /// Lets the rate follow what the services bear; it stays at `rate` if not given.
    #[serde(default)]
    pub(super) adaptive: Option<At<AdaptiveBlock>>,
    /// People inside at once, never exceeded.
    pub(super) cap: At<Count>,
    /// Admissions that may be saved up while the line is empty.
    #[serde(default)]
    pub(super) burst: Option<At<Count>>,
    /// Polls per second the waiting room bears from all visitors together.
    #[serde(default)]
    pub(super) poll_budget: Option<At<Rate>>,
    /// A visitor inside who is silent for this long is out.
    #[serde(default)]
    pub(super) silence: Option<At<Span>>,
    /// A place inside ends after this long whatever happens.
    #[serde(default)]
    pub(super) active_for: Option<At<Span>>,
    /// Lifetime of admission tokens.
    #[serde(default)]
    pub(super) token_for: Option<At<Span>>,
    /// How long a seat is held for payment.
    #[serde(default)]
    pub(super) hold_for: Option<At<Span>>,
}

/// Bounds of a rate that follows the services, and the limits of the signs it follows, as a `TicketSale` has them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AdaptiveBlock {
    /// Never slower than this.
    pub(super) min_rate: At<Rate>,
    /// Never faster than this.
    pub(super) max_rate: At<Rate>,
    /// Slower when the 99th percentile of reservations takes longer; 1s if not given.
    #[serde(default)]
    pub(super) reservation_p99: Option<At<Span>>,
    /// Slower when connection pools are fuller; 80% if not given.
    #[serde(default)]
    pub(super) pool_saturation: Option<At<Share>>,
    /// Slower when more requests fail on our side; 1% if not given.
    #[serde(default)]
    pub(super) errors: Option<At<Share>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CapacityBlock {
    /// Replicas of the services behind the door.
    pub(super) replicas: At<Count>,
    /// People let in per second that one of them bears.
    pub(super) rate_per_replica: At<Rate>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PaymentBlock {
    /// Mean time the provider takes to approve.
    #[serde(default)]
    pub(super) latency: Option<At<Span>>,
    /// Share of approvals it refuses.
    #[serde(default)]
    pub(super) failures: Option<At<Share>>,
}

/// Something that is broken on purpose: either `kill` or `slow`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FaultBlock {
    /// When, from the opening; negative before it.
    pub(super) at: At<Span>,
    /// Which process is killed (kill -9).
    #[serde(default)]
    pub(super) kill: Option<At<Process>>,
    /// When it is started again, after the kill; it stays dead if not given.
    #[serde(default)]
    pub(super) restart_after: Option<At<Span>>,
    /// Which process hears later from its database.
    #[serde(default)]
    pub(super) slow: Option<At<Process>>,
    /// How much later each of its statements is answered.
    #[serde(default)]
    pub(super) by: Option<At<Span>>,
    /// For how long.
    #[serde(default, rename = "for")]
    pub(super) lasts: Option<At<Span>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitsBlock {
    /// The whole run, from its start.
    pub(super) run_at_most: At<Span>,
    /// Connections open at once for the crowd.
    #[serde(default)]
    pub(super) connections: Option<At<Count>>,
    /// How long a request may wait for a connection before it counts as dropped.
    #[serde(default)]
    pub(super) slot_wait: Option<At<Span>>,
    /// Share of requests that may start more than 100 ms late before the run is invalid.
    #[serde(default)]
    pub(super) late_at_most: Option<At<Share>>,
}
