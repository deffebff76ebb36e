//! Names of condition types and reasons: what people wait for (`kubectl wait --for=condition=...`)
//! and alerts match. Renaming one breaks both.

/// The fewest ready replicas of all targets bear the rate the sale wants now.
pub const CAPACITY_READY: &str = "CapacityReady";
/// The control plane has the sale, and the waiting room's record is in place.
pub const ROOM_ACTIVE: &str = "RoomActive";
/// Tier 2's limits are what the plan says.
pub const ADMISSION_APPLIED: &str = "AdmissionApplied";
/// All of the above.
pub const READY: &str = "Ready";

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
    /// One of the other conditions does not hold.
    pub const CONDITIONS_UNMET: &str = "ConditionsUnmet";
}
