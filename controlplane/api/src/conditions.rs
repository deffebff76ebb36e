//! Names of condition types and reasons: what people wait for (`kubectl wait --for=condition=...`)
//! and alerts match. Renaming one breaks both.

/// The fewest ready replicas of all targets bear the rate the sale wants now.
pub const CAPACITY_READY: &str = "CapacityReady";
/// The control plane has the sale, and the waiting room's record is in place.
pub const ROOM_ACTIVE: &str = "RoomActive";
/// Tier 2's limits are what the plan says.
pub const ADMISSION_APPLIED: &str = "AdmissionApplied";
/// The last boundary of the schedule was acted on in time, and the next one can be.
pub const SCHEDULE_HONOURED: &str = "ScheduleHonoured";
/// Capacity, room and admission are as the sale wants them now; a boundary that was late is past, so
/// [`SCHEDULE_HONOURED`] is not part of it.
pub const READY: &str = "Ready";

/// Of a LoadRun: all runners began together.
pub const STARTED: &str = "Started";
/// Of a LoadRun: the verdict.
pub const SUCCEEDED: &str = "Succeeded";

/// Reasons, as CamelCase words a program may compare.
pub mod reason {
    /// It is as it should be.
    pub const AS_PLANNED: &str = "AsPlanned";
    /// Fewer replicas are ready than the rate needs.
    pub const NOT_ENOUGH_READY: &str = "NotEnoughReady";
    /// A workload named in `spec.targets` does not exist.
    pub const TARGET_MISSING: &str = "TargetMissing";
    /// A workload is scaled for another sale whose window overlaps.
    pub const TARGET_CONFLICT: &str = "TargetConflict";
    /// The control API did not answer.
    pub const CONTROL_API_UNREACHABLE: &str = "ControlApiUnreachable";
    /// The control API refused the sale; the message says why.
    pub const REFUSED: &str = "Refused";
    /// The control plane has the sale but could not put everything in place yet.
    pub const NOT_YET_APPLIED: &str = "NotYetApplied";
    /// A boundary of the schedule was acted on late.
    pub const LATE: &str = "Late";
    /// `spec.hold` is set.
    pub const HELD: &str = "Held";
    /// `spec.abort` is set.
    pub const ABORTED: &str = "Aborted";
    /// Another, earlier TicketSale sells the same event.
    pub const EVENT_CONFLICT: &str = "EventConflict";
    /// The spec asks for something this operator does not do yet.
    pub const NOT_SUPPORTED: &str = "NotSupported";
    /// One of the other conditions does not hold.
    pub const CONDITIONS_UNMET: &str = "ConditionsUnmet";
}
