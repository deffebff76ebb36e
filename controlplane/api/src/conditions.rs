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
    /// An autoscaler that the sale does not name scales one of its targets: the sale leaves it alone.
    pub const AUTOSCALER_NOT_NAMED: &str = "AutoscalerNotNamed";
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
    /// `rehearsal.policy` is Required and no rehearsal counts; the message says why.
    pub const NOT_REHEARSED: &str = "NotRehearsed";
    /// `spec.abort` is set.
    pub const ABORTED: &str = "Aborted";
    /// Another, earlier TicketSale sells the same event.
    pub const EVENT_CONFLICT: &str = "EventConflict";
    /// One of the other conditions does not hold.
    pub const CONDITIONS_UNMET: &str = "ConditionsUnmet";
}

/// Reasons of a LoadRun's conditions.
pub mod run_reason {
    /// It goes on; the message says what it waits for.
    pub const UNDER_WAY: &str = "UnderWay";
    /// All began together.
    pub const BEGAN_TOGETHER: &str = "BeganTogether";
    /// Valid, and every threshold and law held.
    pub const PASSED: &str = "Passed";
    /// A threshold was missed.
    pub const THRESHOLDS_MISSED: &str = "ThresholdsMissed";
    /// A visitor saw a law broken.
    pub const LAW_BROKEN: &str = "LawBroken";
    /// The figures are the generator's and not the system's, or the crowd was not whole.
    pub const INVALID: &str = "Invalid";
    /// A runner died: its visitors are gone with it.
    pub const RUNNER_LOST: &str = "RunnerLost";
    /// A runner ended well and handed nothing in that can be read.
    pub const RESULT_MISSING: &str = "ResultMissing";
    /// Two results were handed in for one segment.
    pub const RESULT_TWICE: &str = "ResultTwice";
    /// A result is of another scenario, seed or opening.
    pub const RESULT_OF_ANOTHER_RUN: &str = "ResultOfAnotherRun";
    /// The runners began further apart than the spec allows.
    pub const SKEWED: &str = "Skewed";
    /// Not all runners were ready in time.
    pub const NOT_READY: &str = "NotReady";
    /// The run did not end in its time.
    pub const DEADLINE_EXCEEDED: &str = "DeadlineExceeded";
    /// There is no such sale, or it cannot be read.
    pub const SALE_MISSING: &str = "SaleMissing";
    /// The sale was changed or deleted after its runners had been told of it.
    pub const SALE_CHANGED: &str = "SaleChanged";
    /// The sale opens before the runners can begin.
    pub const TOO_LATE: &str = "TooLate";
    /// There is no such scenario.
    pub const SCENARIO_MISSING: &str = "ScenarioMissing";
    /// The scenario is wrong, or does not fit the sale or the number of runners.
    pub const SCENARIO_UNFIT: &str = "ScenarioUnfit";
    /// Somebody took the Job away, or has one of its name.
    pub const JOB_LOST: &str = "JobLost";

    /// Why a run may have failed.
    pub const FAILURES: [&str; 16] = [
        THRESHOLDS_MISSED,
        LAW_BROKEN,
        INVALID,
        RUNNER_LOST,
        RESULT_MISSING,
        RESULT_TWICE,
        RESULT_OF_ANOTHER_RUN,
        SKEWED,
        NOT_READY,
        DEADLINE_EXCEEDED,
        SALE_MISSING,
        SALE_CHANGED,
        TOO_LATE,
        SCENARIO_MISSING,
        SCENARIO_UNFIT,
        JOB_LOST,
    ];
}
