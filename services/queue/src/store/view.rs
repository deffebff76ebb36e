//! What the line's script answers, as types.

use urr_core::time::Millis;

/// How a user stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Neither waiting nor inside.
    None,
    /// Waiting with this many people ahead.
    Queued { ahead: u64 },
    /// Inside until then.
    Active { ends_at: Millis },
    /// The line is full; the tier-1 place is untouched.
    Full,
    /// Somebody else came in with this place.
    Taken,
    /// The sale wants a tier-1 place of its present line.
    NoPlace,
}

/// Whether people are let in, and why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gate {
    Open,
    Early,
    Closed,
    SoldOut,
    Paused,
}

impl Gate {
    /// As the wire's `saleState` says it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Early => "notYet",
            Self::Closed => "closed",
            Self::SoldOut => "soldOut",
            Self::Paused => "paused",
        }
    }
}

/// Which life of a line something was said in. A place remembered from another life must be shown
/// to Redis again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Life {
    /// The birth mark of the line's state in Redis; another one means that Redis lost it.
    pub(crate) born: i64,
    /// How often an admin has cleared the line.
    pub(crate) clears: i64,
    /// The tier-1 epoch its places are of.
    pub(crate) epoch: u32,
}

/// The line after an act.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View {
    pub(crate) standing: Standing,
    pub(crate) waiting: u64,
    pub(crate) active: u64,
    pub(crate) cap: u32,
    pub(crate) rate_per_s: u32,
    pub(crate) burst: u32,
    pub(crate) gate: Gate,
    pub(crate) opens_at: Millis,
    pub(crate) token_ttl_s: u32,
    /// People let in by this act.
    pub(crate) moved: u64,
    /// Whether the act stopped at its bound.
    pub(crate) more: bool,
    pub(crate) admitted_total: u64,
    /// Length of the present window of measurement, and admissions in it.
    pub(crate) window_ms: u64,
    pub(crate) window_admitted: u64,
    /// Whether an operator holds the line, whatever else keeps the gate shut.
    pub(crate) paused: bool,
    /// Whether the control plane wrote limits for this event.
    pub(crate) configured: bool,
    pub(crate) life: Life,
    /// The highest position ever let in: whoever stands behind it waits.
    pub(crate) watermark: u64,
    /// Numbers given out where tier 1 gives none.
    pub(crate) seq: u64,
    /// When the line was first acted on at or after its opening; 0 before.
    pub(crate) opened_at: Millis,
    /// Whether those who were inside before a loss may still take their slots again.
    pub(crate) recovering: bool,
    /// How far the caller's clock is behind the line's.
    pub(crate) behind_ms: u64,
    /// The place of a user who waits, 0 of anybody else.
    pub(crate) position: u64,
    /// The line's instant.
    pub(crate) line_now: Millis,
}

/// Numbers of an answer before the knots of a survey.
const SCALARS: usize = 28;

impl View {
    /// The order is that of the script's last table. What a survey adds comes back beside it, as
    /// rank and place in turn.
    pub(crate) fn parse(answer: &[i64]) -> Option<(Self, &[i64])> {
        let (scalars, knots) = answer.split_at_checked(SCALARS)?;
        let &[
            outcome,
            rank,
            ends_at,
            waiting,
            active,
            cap,
            rate_per_s,
            burst,
            gate,
            opens_at,
            token_ttl_s,
            moved,
            more,
            paused,
            admitted_total,
            window_ms,
            window_admitted,
            configured,
            born,
            clears,
            epoch,
            watermark,
            seq,
            opened_at,
            recovering,
            behind_ms,
            position,
            line_now,
        ] = scalars
        else {
            return None;
        };
        let standing = match outcome {
            0 => Standing::None,
            1 => Standing::Queued {
                ahead: rank.try_into().ok()?,
            },
            2 => Standing::Active {
                ends_at: Millis(ends_at),
            },
            3 => Standing::Full,
            4 => Standing::Taken,
            5 => Standing::NoPlace,
            _ => return None,
        };
        let gate = match gate {
            0 => Gate::Open,
            1 => Gate::Early,
            2 => Gate::Closed,
            3 => Gate::SoldOut,
            4 => Gate::Paused,
            _ => return None,
        };
        let view = Self {
            standing,
            waiting: waiting.try_into().ok()?,
            active: active.try_into().ok()?,
            cap: cap.try_into().ok()?,
            rate_per_s: rate_per_s.try_into().ok()?,
            burst: burst.try_into().ok()?,
            gate,
            opens_at: Millis(opens_at),
            token_ttl_s: token_ttl_s.try_into().ok()?,
            moved: moved.try_into().ok()?,
            more: more != 0,
            admitted_total: admitted_total.try_into().ok()?,
            window_ms: window_ms.try_into().ok()?,
            window_admitted: window_admitted.try_into().ok()?,
            paused: paused != 0,
            configured: configured != 0,
            life: Life {
                born,
                clears,
                epoch: epoch.try_into().ok()?,
            },
            watermark: watermark.try_into().ok()?,
            seq: seq.try_into().ok()?,
            opened_at: Millis(opened_at),
            recovering: recovering != 0,
            behind_ms: behind_ms.try_into().ok()?,
            position: position.try_into().ok()?,
            line_now: Millis(line_now),
        };
        Some((view, knots))
    }
}
