//! The lines this process takes joins for, by sale.

use crate::{
    cache::Watched,
    line::{Line, Shared},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};
use urr_core::sale::SaleId;

/// Lines kept before idle ones are dropped; as many as sales are watched.
const LINES_MAX: usize = 1024;

/// All lines of this process.
pub(crate) struct Lines {
    shared: Arc<Shared>,
    lines: Mutex<HashMap<SaleId, Arc<Line>>>,
}

impl Lines {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            lines: Mutex::default(),
        }
    }

    /// The line of `sale`, whose room is `room`. Two lines of one sale would only cost order
    /// within this replica, never a number; still there is one.
    pub(crate) fn of(&self, sale: SaleId, room: &Arc<Watched>) -> Arc<Line> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = lines.get(&sale)
            && line.reads(room)
        {
            return Arc::clone(line);
        }
        if lines.len() >= LINES_MAX {
            lines.retain(|_, line| !line.is_idle());
        }
        let line = Arc::new(Line::new(sale, Arc::clone(room), Arc::clone(&self.shared)));
        lines.insert(sale, Arc::clone(&line));
        line
    }
}
