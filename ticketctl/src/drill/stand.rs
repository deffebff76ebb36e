//! The sales of a drill, each with everything that is its own: most drills have one, some have ten.

use super::{load_view, venue::Organiser, witness::Witness};
use crate::control::ControlClient;
use anyhow::Context as _;
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};
use urr_core::{
    crowd::CrowdView,
    sale::{Sale, SaleId},
};
use urr_kit::{Secrets, clock::SharedClock};
use urr_loadgen::{Opening, Scenario, Target, measure::Live, report::sale_dir};

use super::services::Services;

/// One sale, from its announcement on.
pub(super) struct Stand {
    /// The scenario of this sale alone.
    pub(super) scenario: Scenario,
    /// The sale, and where its visitors go.
    pub(super) target: Target,
    /// Its control API.
    pub(super) control: ControlClient,
    /// What the drill sees of it.
    pub(super) witness: Witness,
    /// What its visitors see.
    pub(super) live: Arc<Live>,
    /// The same as it was last shown, for whoever needs no newer picture.
    pub(super) shown: Arc<Mutex<CrowdView>>,
    /// Where its files go: the run's directory, or one of its own in it.
    pub(super) dir: PathBuf,
}

impl Stand {
    /// The sale.
    pub(super) const fn sale(&self) -> &Sale {
        &self.target.sale
    }

    /// The visitors' side now.
    pub(super) fn look(&self) -> CrowdView {
        let view = load_view::of(&self.scenario, &self.live.view());
        self.shown
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone_from(&view);
        view
    }

    /// For the load generator.
    pub(super) fn opening(&self) -> Opening<'_> {
        Opening {
            scenario: &self.scenario,
            target: &self.target,
            live: Arc::clone(&self.live),
        }
    }
}

/// Announces the sales whose halls stand; they open in the same instant. A single one keeps its
/// files in `dir` itself.
pub(super) async fn announce(
    halls: Vec<(Scenario, SaleId)>,
    organiser: &Organiser<'_>,
    services: &Services,
    secrets: &Arc<Secrets>,
    clock: &SharedClock,
    dir: &Path,
) -> anyhow::Result<Vec<Stand>> {
    let alone = halls.len() == 1;
    // From here on every instant is fixed.
    let now = clock.now();
    let mut stands = Vec::with_capacity(halls.len());
    for (scenario, id) in halls {
        let sale = scenario.sale(id, now);
        organiser.announce(&scenario, &sale).await?;
        let control = ControlClient::new(&services.settings.urls.control, &secrets.control_api_token, id)
            .context("building an HTTP client")?;
        control.put(&sale).await.context("announcing the sale")?;
        let dir = if alone {
            dir.to_owned()
        } else {
            sale_dir(dir, &scenario.name)
        };
        std::fs::create_dir_all(&dir).with_context(|| format!("making {}", dir.display()))?;
        stands.push(Stand {
            witness: Witness::new(clock.now(), sale.capacity.replicas),
            target: Target {
                base_url: services.public.clone(),
                sale,
                hall: scenario.hall(),
                secrets: Arc::clone(secrets),
                opt_in: None,
            },
            scenario,
            control,
            live: Arc::new(Live::new()),
            shown: Arc::default(),
            dir,
        });
    }
    Ok(stands)
}
