//! The schedule, instant by instant, without waiting for any.

use crate::world::World;
use std::sync::atomic::Ordering;
use urr_controlplane::observe::Observer;
use urr_controlplane::reconcile::{Applied, Outcome, Reconciler};
use urr_controlplane::store::SaleRecord;
use urr_core::room::Mode;
use urr_core::sale::{Phase, Sale, SaleId};
use urr_kit::Clock as _;

async fn stored(world: &World) -> Sale {
    store(world, world.sale()).await
}

async fn store(world: &World, sale: Sale) -> Sale {
    let now = world.bed.clock().now();
    world
        .sales
        .write(&SaleRecord::new(sale.clone(), now), None, now)
        .await
        .unwrap();
    sale
}

async fn step(reconciler: &Reconciler, sale: SaleId) -> Applied {
    match reconciler.step(sale).await.unwrap() {
        Outcome::Applied(applied) => *applied,
        Outcome::Gone => panic!("the sale is gone"),
    }
}

#[tokio::test]
async fn a_sale_goes_through_its_phases_and_each_is_logged_once() {
    let world = World::new().await;
    let sale = stored(&world).await;
    let reconciler = world.reconciler();
    let schedule = sale.schedule;
    for (now, phase) in [
        (schedule.pre_queue_at.plus_ms(-1), Phase::Scheduled),
        (schedule.pre_queue_at, Phase::PreQueue),
        (schedule.opens_at, Phase::Open),
        (schedule.opens_at.plus_s(9), Phase::Open),
        (schedule.closes_at, Phase::Closed),
    ] {
        world.at(now);
        let applied = step(&reconciler, sale.id).await;
        assert_eq!(applied.plan.phase, phase);
        if phase != Phase::Closed {
            assert!(
                applied.plan.next_transition_at.unwrap() > now,
                "it is woken for the next one"
            );
        }
    }
    let room = world.room(sale.id).await;
    assert_eq!((room.mode, room.clock.rate_per_s), (Mode::Inactive, 0));
    assert_eq!(world.limits(sale.id).await.rate_per_s, 0);
    let log = world.sales.audit(sale.id, 100).await.unwrap();
    let phases: Vec<_> = log
        .iter()
        .filter(|entry| entry.action == "phase")
        .map(|entry| entry.new.as_str())
        .collect();
    assert_eq!(phases, ["scheduled", "pre-queue", "open", "closed"]);
}

#[tokio::test]
async fn a_step_when_nothing_changed_writes_nothing() {
    let world = World::new().await;
    let sale = stored(&world).await;
    let reconciler = world.reconciler();
    step(&reconciler, sale.id).await;
    let before = (
        world.sales.get(sale.id).await.unwrap(),
        world.room(sale.id).await,
        world.limits(sale.id).await,
    );
    step(&reconciler, sale.id).await;
    let after = (
        world.sales.get(sale.id).await.unwrap(),
        world.room(sale.id).await,
        world.limits(sale.id).await,
    );
    assert_eq!(before, after);
}

#[tokio::test]
async fn the_line_that_was_written_ahead_moves_at_the_opening_with_no_control_plane_alive() {
    // Law on-time: the only step is taken long before; replicas read the record and the time.
    let world = World::new().await;
    let sale = stored(&world).await;
    step(&world.reconciler(), sale.id).await;
    let room = world.room(sale.id).await;
    let room = urr_core::room::Room { issued: 1000, ..room };
    assert_eq!(room.serving(sale.schedule.opens_at), 0);
    assert_eq!(room.serving(sale.schedule.opens_at.plus_s(1)), 20);
}

#[tokio::test]
async fn sold_out_stops_admission_and_a_returned_seat_starts_it_again() {
    let world = World::new().await;
    let sale = stored(&world).await;
    let reconciler = world.reconciler();
    world.at(sale.schedule.opens_at.plus_s(5));
    world.services.set_seats(0, 1, 99);
    assert_eq!(
        step(&reconciler, sale.id).await.plan.phase,
        Phase::Open,
        "a held seat may come back"
    );
    world.services.set_seats(0, 0, 100);
    assert_eq!(step(&reconciler, sale.id).await.plan.phase, Phase::SoldOut);
    let limits = world.limits(sale.id).await;
    assert!(limits.sold_out && limits.rate_per_s == 0);
    assert_eq!(world.room(sale.id).await.mode, Mode::Draining);

    // Booking falls silent: what was known stays.
    *world.services.seats.lock().unwrap() = None;
    assert_eq!(step(&reconciler, sale.id).await.plan.phase, Phase::SoldOut);
    assert!(world.limits(sale.id).await.sold_out);

    world.services.set_seats(1, 0, 99);
    assert_eq!(step(&reconciler, sale.id).await.plan.phase, Phase::Open);
    let limits = world.limits(sale.id).await;
    assert!(!limits.sold_out && limits.rate_per_s == 20);
    assert_eq!(world.room(sale.id).await.mode, Mode::Active);
}

#[tokio::test]
async fn for_the_last_seats_the_line_goes_in_as_they_do_also_while_booking_is_silent() {
    let world = World::new().await;
    let mut sale = world.sale();
    (sale.admission.rate_per_s, sale.admission.cap) = (50, 1000);
    sale.capacity.rate_per_replica = 50;
    let sale = store(&world, sale).await;
    let reconciler = world.reconciler();
    world.at(sale.schedule.opens_at.plus_s(5));
    let in_force = async || {
        step(&reconciler, sale.id).await;
        let limits = world.limits(sale.id).await;
        (
            limits.rate_per_s,
            limits.cap,
            world.room(sale.id).await.clock.rate_per_s,
        )
    };
    world.services.set_seats(6, 0, 94);
    assert_eq!(
        in_force().await,
        (50, 1000, 50),
        "more than one in twenty is left"
    );
    world.services.set_seats(3, 2, 95);
    let gently = (32, 128, 32);
    assert_eq!(in_force().await, gently);
    *world.services.seats.lock().unwrap() = None;
    assert_eq!(in_force().await, gently, "no answer is no seat");
    world.services.set_seats(30, 0, 70);
    assert_eq!(in_force().await, (50, 1000, 50), "many came back");
}

#[tokio::test]
async fn a_bad_moment_changes_nothing_and_a_service_that_stays_unwell_stops_the_line() {
    // Law capacity-first.
    let world = World::new().await;
    let sale = stored(&world).await;
    let reconciler = world.reconciler();
    world.at(sale.schedule.opens_at.plus_s(1));
    world.services.unwell.store(true, Ordering::SeqCst);
    for _ in 0..9 {
        world.observer.poll_readiness().await;
    }
    step(&reconciler, sale.id).await;
    assert_eq!(world.limits(sale.id).await.rate_per_s, 20);
    world.observer.poll_readiness().await;
    step(&reconciler, sale.id).await;
    assert_eq!(world.limits(sale.id).await.rate_per_s, 0);
    assert_eq!(world.room(sale.id).await.clock.rate_per_s, 0);
    world.services.unwell.store(false, Ordering::SeqCst);
    world.observer.poll_readiness().await;
    step(&reconciler, sale.id).await;
    assert_eq!(world.limits(sale.id).await.rate_per_s, 20);
}

#[tokio::test]
async fn a_service_that_is_gone_is_noticed_at_the_third_poll() {
    let world = World::new().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let ctx = world.bed.ctx();
    let observer = Observer::new(
        ctx.internal(),
        ctx.http(),
        &nobody,
        &nobody,
        &[format!("{nobody}/health")],
    );
    observer.poll_readiness().await;
    observer.poll_readiness().await;
    assert_eq!(observer.silent(), [] as [&str; 0]);
    observer.poll_readiness().await;
    assert_eq!(observer.silent().len(), 1);
}
