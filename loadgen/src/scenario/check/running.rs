//! What runs, what is killed, and the limits of the run itself.

use super::checker::Checker;
use crate::scenario::schema::{self, At};
use crate::scenario::units::Share;
use crate::scenario::{Fault, Process, RunLimits, SalePlan};

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
        let kill = block.kill.value;
        if !kill.always_separate() && !processes.contains(&kill) {
            c.refuse(
                &field("kill"),
                &block.kill,
                format!("`{}` is not a process of its own here", kill.name()),
                format!("add it: `processes: [{}]`", kill.name()),
            );
        }
        let at_ms = block.at.value.ms;
        if at_ms < -sale.opens_in_ms || at_ms > sale.duration_ms {
            c.refuse(
                &field("at"),
                &block.at,
                format!("{} from the opening is outside the run", block.at.value),
                "use an instant between the start of the run and the close of the sale",
            );
        }
        let restart_after_ms = block
            .restart_after
            .as_ref()
            .map(|at| c.span_u32(&field("restart_after"), at, 0));
        faults.push(Fault {
            at_ms,
            kill,
            restart_after_ms,
        });
    }
    faults.sort_by_key(|fault| fault.at_ms);
    faults
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
