//! What was reported last, until the watch has caught up with it.
//!
//! A look works on the watch's copy of a sale. Right after a report that copy is still the old one, and a
//! look that some Deployment has caused would report the same again: a write when nothing changed. So the
//! API server's answer to each report is kept, and the newer of the two counts. And when the watch tells of
//! our own report, that is no reason to look. Nothing is decided from it; lost at a restart, it costs one look
//! and one write that changes nothing.

use kube::ResourceExt as _;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use urr_api::{TicketSale, TicketSaleStatus};

/// The last reports, one for each sale there is. Cheap to clone.
#[derive(Default, Clone)]
pub struct Reports {
    by_uid: Arc<Mutex<HashMap<String, Report>>>,
}

#[derive(Default)]
struct Report {
    /// What was or is being written.
    said: Option<TicketSaleStatus>,
    /// What the API server answered to the last that it took.
    answer: Option<TicketSale>,
}

impl Reports {
    /// The newest status known of `seen`: its own, or what was reported since.
    #[must_use]
    pub fn newest(&self, seen: &TicketSale) -> Option<TicketSaleStatus> {
        let uid = seen.uid().unwrap_or_default();
        match self.lock().get(&uid).and_then(|report| report.answer.as_ref()) {
            Some(reported) if version(reported) > version(seen) => reported.status.clone(),
            _ => seen.status.clone(),
        }
    }

    /// Before `status` of `sale` is written: the watch may tell of it before there is an answer.
    pub fn say(&self, sale: &TicketSale, status: &TicketSaleStatus) {
        if let Some(uid) = sale.uid() {
            self.lock().entry(uid).or_default().said = Some(status.clone());
        }
    }

    /// Whether the status of `seen` is what was said of it last.
    #[must_use]
    pub fn is_said(&self, seen: &TicketSale) -> bool {
        let uid = seen.uid().unwrap_or_default();
        let reports = self.lock();
        let said = reports.get(&uid).and_then(|report| report.said.as_ref());
        said.is_some() && said == seen.status.as_ref()
    }

    /// Keeps the API server's answer to a report.
    pub fn remember(&self, answer: TicketSale) {
        if let Some(uid) = answer.uid() {
            self.lock().entry(uid).or_default().answer = Some(answer);
        }
    }

    /// For a sale that goes.
    pub fn forget(&self, sale: &TicketSale) {
        if let Some(uid) = sale.uid() {
            self.lock().remove(&uid);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Report>> {
        self.by_uid.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Versions of one resource are comparable numbers (Kubernetes 1.35 promises it; they always were).
fn version(sale: &TicketSale) -> u64 {
    sale.resource_version()
        .and_then(|version| version.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::tests::spec;

    fn at(version: u64, phase: &str) -> TicketSale {
        let mut sale = TicketSale::new("club-night", spec());
        sale.metadata.uid = Some("u".into());
        sale.metadata.resource_version = Some(version.to_string());
        sale.status = Some(TicketSaleStatus {
            phase: Some(phase.into()),
            ..TicketSaleStatus::default()
        });
        sale
    }

    #[test]
    fn a_report_counts_until_the_watch_has_something_newer() {
        let reports = Reports::default();
        let phase = |seen: &TicketSale| reports.newest(seen).unwrap().phase.unwrap();
        assert_eq!(phase(&at(5, "Scheduled")), "Scheduled");
        reports.remember(at(9, "PreQueue"));
        assert_eq!(phase(&at(5, "Scheduled")), "PreQueue");
        assert_eq!(
            phase(&at(10, "Open")),
            "Open",
            "somebody wrote after us, and 10 is more than 9"
        );
        assert!(!reports.is_said(&at(9, "PreQueue")), "an answer to whom?");
        let said = at(10, "Open");
        reports.say(&said, said.status.as_ref().unwrap());
        assert!(reports.is_said(&said) && !reports.is_said(&at(11, "Closed")));
        reports.forget(&at(9, "PreQueue"));
        assert!(!reports.is_said(&said));
        assert_eq!(phase(&at(5, "Scheduled")), "Scheduled");
    }
}
