//! Services behind the gateway in one process, as `urr all` has them, on a clock that the test moves.

use axum::{Router, extract::Request};
use reqwest::Client;
use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};
use tower::ServiceExt as _;
use urr_gateway::{Backend, Backends, Room};
use urr_kit::{
    Ctx,
    service::{Service, routed},
    settings::ServiceUrls,
    testing::TestBed,
};

/// How long anything may take on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// The services that a test wants, and the ways to them.
pub(crate) struct House {
    pub(crate) bed: TestBed,
    pub(crate) http: Client,
    /// Base URL of the public entry.
    pub(crate) gateway: String,
    /// Base URL at which services call each other.
    pub(crate) internal: String,
}

impl House {
    /// With what `start` starts.
    pub(crate) async fn open(start: impl AsyncFnOnce(&Ctx) -> Vec<(Room, Service)>) -> Self {
        let bed = TestBed::new().await;
        // Services call each other at one internal address, which is there before they are.
        let inside: Arc<OnceLock<Router>> = Arc::default();
        let switch = Arc::clone(&inside);
        let internal = Router::new().fallback(async move |request: Request| {
            let router = switch.get().expect("the services have started").clone();
            router.oneshot(request).await
        });
        let internal = bed.serve(internal).await;
        let ctx = bed
            .ctx()
            .with_settings(|settings| settings.urls = ServiceUrls::all_at(&internal));
        let (mut backends, mut routes) = (Backends::new(), Router::new());
        for (room, service) in start(&ctx).await {
            backends.insert(room, Backend::Mounted(routed(service.router)));
            routes = routes.merge(service.internal);
            bed.run(service.tasks);
        }
        inside.set(routes).expect("they start once");
        let gateway = urr_gateway::start(&ctx, &urr_gateway::Config::default(), backends)
            .await
            .unwrap();
        bed.run(gateway.tasks);
        Self {
            http: Client::builder().no_proxy().timeout(SOON).build().unwrap(),
            gateway: bed.serve(gateway.router).await,
            internal,
            bed,
        }
    }
}
