//! When people come: every curve within the run, each from where the one before it ended unless
//! it says otherwise.

use super::checker::Checker;
use crate::arrivals::Curve;
use crate::scenario::schema::At;
use crate::scenario::schema::crowd::ArrivalBlock;
use crate::scenario::units::{Share, Span};
use crate::scenario::{Arrival, SalePlan};

/// When people may come at all, ms from the opening.
pub(super) struct Window {
    from: Span,
    to: Span,
}

impl Window {
    /// From the start of the run to the close of the sale.
    pub(super) fn of(sale: &SalePlan) -> Self {
        Self {
            from: Span {
                ms: -sale.opens_in_ms,
            },
            to: Span { ms: sale.duration_ms },
        }
    }
}

/// The curves of the list `blocks`, which the file calls `list`.
pub(super) fn arrivals(
    c: &mut Checker,
    list: &str,
    blocks: &At<Vec<ArrivalBlock>>,
    run: &Window,
) -> Vec<Arrival> {
    let mut chain = Chain { run, ended_ms: None };
    let arrivals: Vec<Arrival> = blocks
        .value
        .iter()
        .enumerate()
        .map(|(index, block)| chain.link(c, &format!("{list}[{index}]"), block))
        .collect();
    let shares: Vec<Share> = arrivals.iter().map(|arrival| arrival.share).collect();
    c.shares(list, blocks, &shares);
    arrivals
}

/// Curves one after another.
struct Chain<'a> {
    run: &'a Window,
    /// Where the last curve ended.
    ended_ms: Option<i64>,
}

/// The ends of a curve as written.
#[derive(Clone, Copy)]
struct Ends<'a> {
    share: &'a At<Share>,
    from: Option<&'a At<Span>>,
    to: Option<&'a At<Span>>,
    lasts: Option<&'a At<Span>>,
}

macro_rules! ends {
    ($block:expr) => {
        Ends {
            share: &$block.share,
            from: $block.from.as_ref(),
            to: $block.to.as_ref(),
            lasts: $block.lasts.as_ref(),
        }
    };
}

impl Chain<'_> {
    fn link(&mut self, c: &mut Checker, entry: &str, block: &ArrivalBlock) -> Arrival {
        let (share, curve) = match block {
            ArrivalBlock::AtOnce(b) => {
                let at_ms = self.from(c, &format!("{entry}.at"), &b.share, b.at.as_ref());
                self.ended_ms = Some(at_ms);
                (b.share.value, Curve::AtOnce { at_ms })
            }
            ArrivalBlock::Steady(b) => {
                let (from_ms, to_ms) = self.window(c, entry, ends!(b));
                (b.share.value, Curve::Steady { from_ms, to_ms })
            }
            ArrivalBlock::Rush(b) => {
                let (from_ms, to_ms) = self.window(c, entry, ends!(b));
                (b.share.value, Curve::Rush { from_ms, to_ms })
            }
            ArrivalBlock::Peak(b) => {
                let (from_ms, to_ms) = self.window(c, entry, ends!(b));
                (b.share.value, Curve::Peak { from_ms, to_ms })
            }
            ArrivalBlock::Poisson(b) => {
                let (from_ms, to_ms) = self.window(c, entry, ends!(b));
                (b.share.value, Curve::Poisson { from_ms, to_ms })
            }
            ArrivalBlock::Ramp(b) => {
                let (from_ms, to_ms) = self.window(c, entry, ends!(b));
                let level = |at: &Option<At<Share>>, default| at.as_ref().map_or(default, |at| at.value.ppm);
                let (start, end) = (level(&b.start, 0), level(&b.end, Share::WHOLE_PPM));
                if let (0, 0, Some(at)) = (start, end, &b.end) {
                    c.refuse(
                        &format!("{entry}.end"),
                        at,
                        "a ramp from nothing to nothing brings nobody",
                        "let `start` or `end` be above 0%",
                    );
                }
                let curve = Curve::Ramp {
                    from_ms,
                    to_ms,
                    start: Share { ppm: start },
                    end: Share { ppm: end },
                };
                (b.share.value, curve)
            }
            ArrivalBlock::Stairs(b) => {
                let (from_ms, to_ms) = self.window(c, entry, ends!(b));
                let steps = c.count_u32(&format!("{entry}.steps"), &b.steps, 1, 1000);
                let curve = Curve::Stairs {
                    from_ms,
                    to_ms,
                    steps,
                };
                (b.share.value, curve)
            }
        };
        Arrival { share, curve }
    }

    /// Where a curve begins: as written, or where the one before ended.
    fn from(&self, c: &mut Checker, field: &str, share: &At<Share>, from: Option<&At<Span>>) -> i64 {
        match (from, self.ended_ms) {
            (Some(at), _) => self.within(c, field, at),
            (None, Some(ended_ms)) => ended_ms,
            (None, None) => {
                c.refuse(
                    field,
                    share,
                    "the first curve has nothing to follow",
                    format!("say when it begins, from {} to {}", self.run.from, self.run.to),
                );
                0
            }
        }
    }

    fn window(&mut self, c: &mut Checker, entry: &str, ends: Ends<'_>) -> (i64, i64) {
        let field = |name: &str| format!("{entry}.{name}");
        let from_ms = self.from(c, &field("from"), ends.share, ends.from);
        let to_ms = match (ends.to, ends.lasts) {
            (Some(to), None) => {
                let known = c.problems.len();
                let to_ms = self.within(c, &field("to"), to);
                if c.problems.len() > known {
                    // Said already what is wrong with it.
                } else if let Some(from) = ends.from.filter(|from| from.value.ms >= to.value.ms) {
                    c.refuse(
                        &field("to"),
                        to,
                        format!(
                            "the curve ends at {} before it starts at {}",
                            to.value, from.value
                        ),
                        "make `to` later than `from`",
                    );
                } else if to_ms <= from_ms {
                    let from = Span { ms: from_ms };
                    c.refuse(
                        &field("to"),
                        to,
                        format!("the curve ends at {} and the one before it at {from}", to.value),
                        "make `to` later, or say `from`",
                    );
                }
                to_ms
            }
            (None, Some(lasts)) => {
                let end = Span {
                    ms: from_ms + c.span(&field("for"), lasts, 1),
                };
                if end > self.run.to {
                    c.refuse(
                        &field("for"),
                        lasts,
                        format!("the curve would end at {end}, after the run"),
                        format!("let it end by {}", self.run.to),
                    );
                }
                end.ms
            }
            (Some(_), Some(lasts)) => {
                c.refuse(
                    &field("for"),
                    lasts,
                    "the curve has two ends",
                    "keep one of `to` and `for`",
                );
                from_ms + 1
            }
            (None, None) => {
                c.refuse(
                    &field("to"),
                    ends.share,
                    "the curve has no end",
                    "add `to: 5s` (from the opening) or `for: 5s` (from its start)",
                );
                from_ms + 1
            }
        };
        self.ended_ms = Some(to_ms);
        (from_ms, to_ms)
    }

    fn within(&self, c: &mut Checker, field: &str, at: &At<Span>) -> i64 {
        if at.value < self.run.from || at.value > self.run.to {
            c.refuse(
                field,
                at,
                format!("{} from the opening is outside the run", at.value),
                format!("use an instant from {} to {}", self.run.from, self.run.to),
            );
            return 0;
        }
        at.value.ms
    }
}
