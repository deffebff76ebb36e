//! Which services run here and where the others are.

use crate::cli::AllArgs;
use urr_gateway::{Backend, Backends, Room};
use urr_kit::{
    StartError,
    ctx::Ctx,
    service::{Service, routed},
    settings::ServiceUrls,
};

/// The gateway and every service it mounts.
pub(crate) struct All {
    pub(crate) gateway: Service,
    pub(crate) mounted: Vec<Service>,
}

/// Starts every service but those that run elsewhere, and the gateway in front of all of them.
pub(crate) async fn all(ctx: &Ctx, args: &AllArgs) -> Result<All, StartError> {
    let mut backends = Backends::new();
    let mut mounted = Vec::new();
    for room in Room::ALL {
        if args.without.contains(&room) {
            backends.insert(room, elsewhere(&ctx.settings.urls, room));
            continue;
        }
        let service = start(ctx, args, room).await?;
        backends.insert(room, Backend::Mounted(routed(service.router.clone())));
        mounted.push(service);
    }
    let gateway = urr_gateway::start(ctx, &args.gateway, backends).await?;
    Ok(All { gateway, mounted })
}

/// Every service at the address the settings name.
pub(crate) fn remote(ctx: &Ctx) -> Backends {
    Room::ALL
        .into_iter()
        .map(|room| (room, elsewhere(&ctx.settings.urls, room)))
        .collect()
}

async fn start(ctx: &Ctx, args: &AllArgs, room: Room) -> Result<Service, StartError> {
    match room {
        Room::Auth => urr_auth::start(ctx, args.auth.clone()).await,
        Room::Catalog => urr_catalog::start(ctx, args.catalog.clone()).await,
        Room::Vwr => urr_vwr::start(ctx, args.vwr.clone()).await,
        Room::Queue => urr_queue::start(ctx, args.queue.clone()).await,
        Room::Booking => urr_booking::start(ctx, args.booking.clone()).await,
        Room::Payment => urr_payment::start(ctx, args.payment.clone()).await,
        Room::Stats => urr_stats::start(ctx, args.stats.clone()).await,
        Room::Community => urr_community::start(ctx, args.community.clone()).await,
        Room::Notification => urr_notification::start(ctx, args.notification.clone()).await,
        Room::Page => urr_page::start(ctx, args.page.clone()).await,
    }
}

fn elsewhere(urls: &ServiceUrls, room: Room) -> Backend {
    let url = match room {
        Room::Auth => &urls.auth,
        Room::Catalog => &urls.catalog,
        Room::Vwr => &urls.vwr,
        Room::Queue => &urls.queue,
        Room::Booking => &urls.booking,
        Room::Payment => &urls.payment,
        Room::Stats => &urls.stats,
        Room::Community => &urls.community,
        Room::Notification => &urls.notification,
        Room::Page => &urls.page,
    };
    Backend::Remote(url.to_string())
}
