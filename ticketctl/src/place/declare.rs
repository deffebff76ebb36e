//! Announcing sales in a cluster: what an apply would change, told before anybody is asked, and the
//! server-side apply itself.

use super::cluster::{Cluster, MANAGER, note, refused};
use crate::{ask::SaidBy, cli::DryRun, commands, failure::Failure, source};
use kube::api::{Patch, PatchParams};
use serde_json::Value;
use urr_api::TicketSale;
use urr_core::sale::Sale;
use urr_operator::mapping;

/// An object to apply, and what that does.
pub(crate) struct Change {
    name: String,
    document: Value,
    known: Option<TicketSale>,
    differences: Vec<String>,
}

impl Change {
    /// What it does: `created`, or `configured` with what it changes from what to what.
    pub(crate) fn told(&self) -> String {
        let verb = if self.known.is_some() {
            "configured"
        } else {
            "created"
        };
        let what = match self.differences.as_slice() {
            [] => String::new(),
            some => format!(": {}", some.join(", ")),
        };
        format!("ticketsale/{} {verb}{what}", self.name)
    }
}

impl Cluster {
    /// What applying the objects in `texts` would change; objects of other kinds are left alone.
    pub(crate) async fn changes(&self, texts: &[&str]) -> Result<Vec<Change>, Failure> {
        let mut changes = Vec::new();
        for text in texts {
            for document in source::documents(text)? {
                if document["kind"] == "TicketSale" {
                    changes.push(self.change(document).await?);
                }
            }
        }
        Ok(changes)
    }

    async fn change(&self, document: Value) -> Result<Change, Failure> {
        let name = document["metadata"]["name"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let known = self.sales.get_opt(&name).await.map_err(|error| refused(&error))?;
        let is = known.as_ref().and_then(sale);
        let wanted = serde_json::from_value(document.clone())
            .ok()
            .as_ref()
            .and_then(sale);
        let differences = match (is, wanted) {
            (Some(is), Some(wanted)) => commands::apply::differences(&is, &wanted),
            _ => Vec::new(),
        };
        Ok(Change {
            name,
            document,
            known,
            differences,
        })
    }

    /// Applies what [`Cluster::changes`] found, ours server-side; says what became of each.
    pub(crate) async fn apply(
        &self,
        changes: Vec<Change>,
        said: &SaidBy,
        dry_run: DryRun,
    ) -> Result<Vec<(String, Value)>, Failure> {
        let mut applied = Vec::with_capacity(changes.len());
        for change in changes {
            applied.push(self.apply_one(change, said, dry_run).await?);
        }
        Ok(applied)
    }

    async fn apply_one(
        &self,
        mut change: Change,
        said: &SaidBy,
        dry_run: DryRun,
    ) -> Result<(String, Value), Failure> {
        let told = change.told();
        match dry_run {
            DryRun::Client => return Ok((format!("{told} (dry run)"), change.document)),
            DryRun::None => note(&mut change.document, said),
            DryRun::Server => {}
        }
        let mut params = PatchParams::apply(MANAGER);
        params.dry_run = dry_run == DryRun::Server;
        let after = self
            .sales
            .patch(&change.name, &params, &Patch::Apply(&change.document))
            .await
            .map_err(|error| refused(&error))?;
        let mark = if dry_run == DryRun::Server {
            " (server dry run)"
        } else {
            ""
        };
        let line = match &change.known {
            Some(known) if known.spec == after.spec => format!("ticketsale/{} unchanged{mark}", change.name),
            _ => format!("{told}{mark}"),
        };
        Ok((line, commands::document(&after)?))
    }
}

fn sale(object: &TicketSale) -> Option<Sale> {
    let name = object.metadata.name.as_deref().unwrap_or_default();
    mapping::sale(name, &object.spec).ok()
}
