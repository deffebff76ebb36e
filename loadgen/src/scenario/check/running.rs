//! What runs, what is killed, and the limits of the run itself.

use super::checker::Checker;
use crate::scenario::schema::{self, At};
use crate::scenario::units::{Share, Span};
use crate::scenario::{Fault, Harm, Process, RunLimits, SalePlan};

pub(super) fn processes(c: &mut Checker, names: &[At<Process>]) -> Vec<Process> {
    let mut seen = Vec::new();
    for name in names {
        if seen.contains(&name.value) {
            c.refuse(
                "processes",
                name,
                format!("`{}` is named twice", name.value.name()),
                "name it once",
            );
        } else {
            seen.push(name.value);
        }
    }
    seen
}

pub(super) fn faults(
    c: &mut Checker,
    blocks: &[schema::FaultBlock],
    processes: &[Process],
    sale: &SalePlan,
) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (index, block) in blocks.iter().enumerate() {
        let field = |name: &str| format!("faults[{index}].{name}");
        let at_ms = block.at.value.ms;
        if at_ms < -sale.opens_in_ms || at_ms > sale.duration_ms {
            c.refuse(
                &field("at"),
                &block.at,
                format!("{} from the opening is outside the run", block.at.value),
                "use an instant between the start of the run and the close of the sale",
            );
        }
        let (key, at, harm) = match (&block.kill, &block.slow) {
            (Some(kill), None) => ("kill", kill, killed(c, block, &field)),
            (None, Some(slow)) => ("slow", slow, slowed(c, block, slow, &field)),
            _ => {
                c.refuse(
                    &format!("faults[{index}]"),
                    &block.at,
                    "a fault harms one process in one way",
                    "give it either `kill: PROCESS` or `slow: PROCESS`",
                );
                continue;
            }
        };
        let process = at.value;
        if !process.always_separate() && !processes.contains(&process) {
            c.refuse(
                &field(key),
                at,
                format!("`{}` is not a process of its own here", process.name()),
                format!("add it: `processes: [{}]`", process.name()),
            );
        }
        faults.push(Fault { at_ms, process, harm });
    }
    faults.sort_by_key(|fault| fault.at_ms);
    faults
}

fn killed(c: &mut Checker, block: &schema::FaultBlock, field: &dyn Fn(&str) -> String) -> Harm {
    for (key, at) in [("by", &block.by), ("for", &block.lasts)] {
        if let Some(at) = at {
            c.refuse(
                &field(key),
                at,
                format!("`{key}` says nothing of a kill"),
                "leave it out, or write `slow` for `kill`",
            );
        }
    }
    let restart_after = block.restart_after.as_ref();
    Harm::Kill {
        restart_after_ms: restart_after.map(|at| c.span_u32(&field("restart_after"), at, 0)),
    }
}

fn slowed(
    c: &mut Checker,
    block: &schema::FaultBlock,
    slow: &At<Process>,
    field: &dyn Fn(&str) -> String,
) -> Harm {
    if !slow.value.has_database() {
        c.refuse(
            &field("slow"),
            slow,
            format!("`{}` has no database that could answer late", slow.value.name()),
            "use a service that keeps what it knows in a database, such as `booking`",
        );
    }
    if let Some(at) = &block.restart_after {
        c.refuse(
            &field("restart_after"),
            at,
            "a process that is slow is not restarted",
            "say how long it is slow: `for: 10s`",
        );
    }
    let mut span = |key: &str, at: &Option<At<Span>>, such: &str| match at {
        Some(at) => c.span_u32(&field(key), at, 1),
        None => {
            c.refuse(
                &field(key),
                slow,
                format!("`slow` without `{key}` is no amount"),
                format!("add `{key}: {such}`"),
            );
            1
        }
    };
    Harm::Slow {
        by_ms: span("by", &block.by, "500ms"),
        for_ms: span("for", &block.lasts, "10s"),
    }
}

pub(super) fn limits(
    c: &mut Checker,
    block: &schema::LimitsBlock,
    sale_block: &schema::SaleBlock,
    sale: &SalePlan,
) -> RunLimits {
    let run_at_most_ms = c.span("limits.run_at_most", &block.run_at_most, 1000);
    if run_at_most_ms <= sale.opens_in_ms {
        c.refuse(
            "limits.run_at_most",
            &block.run_at_most,
            format!(
                "the run would end after {} and the sale opens after {}",
                block.run_at_most.value, sale_block.opens_in.value
            ),
            "give the run time to open",
        );
    }
    RunLimits {
        run_at_most_ms,
        connections: block
            .connections
            .as_ref()
            .map_or(256, |at| c.count_u32("limits.connections", at, 1, 15_000)),
        slot_wait_ms: block
            .slot_wait
            .as_ref()
            .map_or(5000, |at| c.span_u32("limits.slot_wait", at, 100)),
        late_at_most: block
            .late_at_most
            .as_ref()
            .map_or(Share { ppm: 50_000 }, |at| at.value),
    }
}
