//! What every process of a drill takes: CPU and memory of services, engines and of this one, the
//! generator, as the kernel tells it (`/proc`). Elsewhere than on Linux nothing is told.
//!
//! The tree below this process is looked at once a second. A process is named by the fleet, or by its
//! program if it is an engine; what an engine starts (PostgreSQL has a process for each connection)
//! counts as the engine. Pages that an engine's processes share are counted once: adding up
//! resident sizes would count PostgreSQL's buffers for every connection.

use super::fleet::Fleet;
use std::{
    collections::{BTreeMap, HashMap},
    fs,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::{CancellationToken, DropGuard};
use urr_loadgen::report::ProcessUse;

/// `USER_HZ`: the unit of CPU time in `/proc`, 100 a second wherever Linux runs.
const TICKS_PER_S: f64 = 100.0;
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// What this process is called: it brings the visitors, and holds DynamoDB's emulator and the screen.
const OURSELVES: &str = "ticketctl (generator, DynamoDB)";

/// What was taken so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Taken {
    /// By name.
    pub(super) processes: Vec<ProcessUse>,
    /// The most memory of all of them in one look, bytes; `None` where nothing is told.
    pub(super) memory_most_bytes: Option<u64>,
}

/// Looks until it is dropped.
#[derive(Debug)]
pub(super) struct Watch {
    seen: Arc<Mutex<Seen>>,
    fleet: Fleet,
    _stop: DropGuard,
}

impl Watch {
    /// Starts looking, on the current runtime.
    pub(super) fn start(fleet: &Fleet) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let stop = CancellationToken::new();
        let watch = Self {
            seen: Arc::clone(&seen),
            fleet: fleet.clone(),
            _stop: stop.clone().drop_guard(),
        };
        let fleet = fleet.clone();
        tokio::spawn(async move {
            let mut every = tokio::time::interval(LOOK_EVERY);
            every.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    _ = every.tick() => {}
                }
                look(&seen, &fleet);
            }
        });
        watch
    }

    /// All that was taken, with one last look.
    pub(super) fn taken(&self) -> Taken {
        look(&self.seen, &self.fleet);
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).taken()
    }
}

fn look(seen: &Mutex<Seen>, fleet: &Fleet) {
    let now = all();
    let names = fleet.pids().into_iter().collect();
    seen.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take(std::process::id(), &now, &names);
}

/// One process at one instant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Reading {
    pid: u32,
    parent: u32,
    program: String,
    /// CPU of it alone, ticks.
    own_ticks: u64,
    /// CPU of its children that have ended, ticks.
    ended_ticks: u64,
    /// Memory of its own, KiB.
    own_kib: u64,
    /// Memory that others may have mapped too, KiB.
    shared_kib: u64,
}

#[derive(Debug, Default)]
struct Seen {
    /// Ticks of processes directly below us, as last seen: what they leave behind when they end.
    /// There are as many as were started, so it is bounded by the scenario's faults.
    direct: BTreeMap<u32, (String, u64)>,
    /// The most memory by name, KiB.
    most_kib: BTreeMap<String, u64>,
    /// Ticks by name as of the last look.
    ticks: BTreeMap<String, u64>,
    all_most_kib: u64,
}

impl Seen {
    /// Takes in one look at `processes`; `names` are the fleet's, by pid.
    fn take(&mut self, ourselves: u32, processes: &[Reading], names: &HashMap<u32, &'static str>) {
        let by_pid: HashMap<u32, &Reading> = processes.iter().map(|process| (process.pid, process)).collect();
        let mut memory: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        let mut living: BTreeMap<String, u64> = BTreeMap::new();
        for process in processes {
            let Some(head) = head(process, ourselves, &by_pid) else {
                continue;
            };
            let name = if head.pid == ourselves {
                OURSELVES.to_owned()
            } else {
                let fleets = names.get(&head.pid).map(|name| (*name).to_owned());
                fleets.unwrap_or_else(|| head.program.clone())
            };
            let (own, shared) = memory.entry(name.clone()).or_default();
            *own += process.own_kib;
            *shared = (*shared).max(process.shared_kib);
            if process.pid == ourselves {
                *living.entry(name).or_default() += process.own_ticks;
            } else if process.pid == head.pid {
                self.direct
                    .insert(process.pid, (name, process.own_ticks + process.ended_ticks));
            } else {
                *living.entry(name).or_default() += process.own_ticks;
            }
        }
        for (name, ticks) in self.direct.values() {
            *living.entry(name.clone()).or_default() += ticks;
        }
        // A look between the end of a process and its parent's hearing of it misses its ticks once.
        for (name, ticks) in living {
            let seen = self.ticks.entry(name).or_default();
            *seen = (*seen).max(ticks);
        }
        let mut all = 0;
        for (name, (own, shared)) in memory {
            let kib = own + shared;
            all += kib;
            let most = self.most_kib.entry(name).or_default();
            *most = (*most).max(kib);
        }
        self.all_most_kib = self.all_most_kib.max(all);
    }

    fn taken(&self) -> Taken {
        let processes = self.ticks.iter().map(|(name, ticks)| ProcessUse {
            name: name.clone(),
            cpu_s: *ticks as f64 / TICKS_PER_S,
            memory_most_bytes: self.most_kib.get(name).copied().unwrap_or(0) * 1024,
        });
        let mut processes: Vec<ProcessUse> = processes.collect();
        processes.sort_by(|a, b| b.cpu_s.total_cmp(&a.cpu_s));
        Taken {
            processes,
            memory_most_bytes: (self.all_most_kib > 0).then_some(self.all_most_kib * 1024),
        }
    }
}

/// The process directly below us to which `process` belongs, or we ourselves; `None`: a stranger.
fn head<'a>(process: &'a Reading, ourselves: u32, by_pid: &HashMap<u32, &'a Reading>) -> Option<&'a Reading> {
    /// Deeper than any tree of ours; a look is no snapshot, so it might go in a circle.
    const DEEP: usize = 16;
    let mut at = process;
    if at.pid == ourselves {
        return Some(at);
    }
    for _ in 0..DEEP {
        if at.parent == ourselves {
            return Some(at);
        }
        at = by_pid.get(&at.parent)?;
    }
    None
}

/// Every process of this machine that can be read.
fn all() -> Vec<Reading> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let pids = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid: u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        reading(pid, &stat, &status)
    })
    .collect()
}

/// `stat`: pid (program) state parent ... utime stime cutime cstime as the fields 14 to 17.
fn reading(pid: u32, stat: &str, status: &str) -> Option<Reading> {
    // A program's name may hold spaces and brackets, so the last bracket ends it.
    let (head, rest) = stat.rsplit_once(')')?;
    let program = head.split_once('(')?.1.to_owned();
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let number = |nth: usize| fields.get(nth).and_then(|field| field.parse::<u64>().ok());
    let kib = |name: &str| -> u64 {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok())
            .unwrap_or(0)
    };
    Some(Reading {
        pid,
        parent: u32::try_from(number(1)?).ok()?,
        program,
        own_ticks: number(11)? + number(12)?,
        ended_ticks: number(13)? + number(14)?,
        own_kib: kib("RssAnon:"),
        shared_kib: kib("RssFile:") + kib("RssShmem:"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_lines_are_read_as_it_writes_them() {
        let stat = "42 (my (odd) name) S 7 42 42 0 -1 4194560 100 0 0 0 11 22 33 44 20 0 1 0 5 6 7";
        let status = "Name:\tx\nVmHWM:\t  999 kB\nRssAnon:\t  100 kB\nRssFile:\t  20 kB\nRssShmem:\t  3 kB\n";
        assert_eq!(
            reading(42, stat, status),
            Some(Reading {
                pid: 42,
                parent: 7,
                program: "my (odd) name".to_owned(),
                own_ticks: 33,
                ended_ticks: 77,
                own_kib: 100,
                shared_kib: 23,
            })
        );
        let ourselves = std::process::id();
        let found = all().into_iter().find(|process| process.pid == ourselves);
        assert!(found.is_some_and(|process| process.own_kib > 0));
    }

    fn process(pid: u32, parent: u32, ticks: u64, own_kib: u64, shared_kib: u64) -> Reading {
        Reading {
            pid,
            parent,
            program: "postgres".to_owned(),
            own_ticks: ticks,
            ended_ticks: 0,
            own_kib,
            shared_kib,
        }
    }

    #[test]
    fn an_engine_is_one_with_its_children_and_shared_pages_count_once() {
        let mut seen = Seen::default();
        let gateway = process(3, 1, 50, 300, 40);
        let first = [
            process(1, 0, 10, 100, 5),
            process(2, 1, 1, 10, 1000),
            process(20, 2, 7, 30, 1000),
            gateway,
            process(99, 98, 1000, 9999, 9999),
        ];
        let names = HashMap::from([(3, "gateway")]);
        seen.take(1, &first, &names);
        // A connection ended, and its ticks went to the engine; the gateway was killed and is back.
        let mut engine = process(2, 1, 1, 10, 1000);
        engine.ended_ticks = 8;
        let again = [process(1, 0, 12, 80, 5), engine, process(4, 1, 5, 200, 40)];
        seen.take(1, &again, &HashMap::from([(4, "gateway")]));
        let taken = seen.taken();
        let of = |name: &str| {
            let found = taken.processes.iter().find(|process| process.name == name);
            found.unwrap_or_else(|| panic!("{name} in {taken:?}")).clone()
        };
        let ticks = |name: &str| (of(name).cpu_s * TICKS_PER_S).round();
        assert_eq!(
            (ticks("postgres"), ticks("gateway"), ticks(OURSELVES)),
            (9.0, 55.0, 12.0)
        );
        assert_eq!(of("postgres").memory_most_bytes, 1040 * 1024);
        assert_eq!(taken.memory_most_bytes, Some((105 + 1040 + 340) * 1024));
        assert_eq!(taken.processes.len(), 3, "strangers are not ours");
    }
}
