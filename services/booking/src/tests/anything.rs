//! Whatever happens in whatever order: the laws hold after every step.

use super::{HOLD_MS, World};
use crate::store::settle::{Cancel, Fencing};
use proptest::collection::vec;
use proptest::prelude::{Strategy, any};
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};
use uuid::Uuid;

const USERS: usize = 4;
const SEATS: usize = 5;

#[derive(Debug, Clone)]
enum Op {
    Hold {
        user: usize,
        seats: Vec<usize>,
        key: Option<u8>,
    },
    Confirm(usize),
    Cancel(usize),
    Refund(usize),
    Change {
        at: usize,
        seats: Vec<usize>,
    },
    List(usize),
    Withdraw(usize),
    Buy {
        at: usize,
        user: usize,
        /// Which of his payments: the same one may come again.
        payment: u8,
    },
    Sweep,
    Wait(i64),
}

fn op() -> impl Strategy<Value = Op> {
    let hold =
        (0..USERS, vec(0..SEATS, 1..3), any::<bool>(), 0..6_u8).prop_map(|(user, seats, keyed, key)| {
            Op::Hold {
                user,
                seats,
                key: keyed.then_some(key),
            }
        });
    proptest::prop_oneof![
        6 => hold,
        4 => any::<usize>().prop_map(Op::Confirm),
        2 => any::<usize>().prop_map(Op::Cancel),
        1 => any::<usize>().prop_map(Op::Refund),
        2 => (any::<usize>(), vec(0..SEATS, 1..3)).prop_map(|(at, seats)| Op::Change { at, seats }),
        3 => any::<usize>().prop_map(Op::List),
        1 => any::<usize>().prop_map(Op::Withdraw),
        4 => (any::<usize>(), 0..USERS, 0..2_u8).prop_map(|(at, user, payment)| Op::Buy { at, user, payment }),
        1 => proptest::strategy::Just(Op::Sweep),
        3 => (1..HOLD_MS + 1000).prop_map(Op::Wait),
    ]
}

/// Every law that can be read off the tables at any instant.
pub(super) async fn broken(world: &World) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT 'seat sold without exactly one owner: ' || s.seat_label FROM seats s WHERE s.status = 'reserved'
             AND 1 <> (SELECT count(*) FROM reservation_items i JOIN reservations r ON r.id = i.reservation_id
                       WHERE i.seat_id = s.id AND r.status = 'confirmed' AND r.user_id = s.locked_by
                         AND i.fencing_token = s.fencing_token)
         UNION ALL
         SELECT 'confirmed without its seat: ' || r.id FROM reservations r
             JOIN reservation_items i ON i.reservation_id = r.id JOIN seats s ON s.id = i.seat_id
             WHERE r.status = 'confirmed' AND (s.status <> 'reserved' OR s.fencing_token <> i.fencing_token)
         UNION ALL
         SELECT 'held by nobody: ' || s.seat_label FROM seats s WHERE s.status = 'locked'
             AND NOT EXISTS (SELECT FROM reservation_items i JOIN reservations r ON r.id = i.reservation_id
                             WHERE i.seat_id = s.id AND i.fencing_token = s.fencing_token
                               AND r.status = 'pending' AND r.user_id = s.locked_by)
         UNION ALL
         SELECT 'quota ' || q.tickets || ' of ' || q.user_id FROM ticket_quotas q
             WHERE q.tickets > 4 OR q.tickets <> (
                 SELECT coalesce(sum(i.quantity), 0) FROM reservations r JOIN reservation_items i ON i.reservation_id = r.id
                 WHERE r.user_id = q.user_id AND r.event_id = q.event_id AND r.status IN ('pending', 'confirmed'))
         UNION ALL
         SELECT 'price is not that of the seats: ' || r.id FROM reservations r
             WHERE r.total_amount <> (SELECT sum(subtotal) FROM reservation_items i WHERE i.reservation_id = r.id)
         UNION ALL
         SELECT 'paid but no word of money: ' || r.id FROM reservations r
             WHERE r.status = 'confirmed' AND r.payment_status <> 'completed'",
    )
    .fetch_all(&world.pool)
    .await
    .unwrap()
}

async fn check(world: &World, after: &Op) {
    let broken = [broken(world).await, world.broken_by_transfers().await].concat();
    assert!(broken.is_empty(), "after {after:?}: {broken:?}");
    let (free, held, sold) = world.counts().await;
    assert_eq!(free + held + sold, i64::try_from(SEATS).unwrap());
    assert_eq!(world.sold_twice().await, 0, "after {after:?}");
}

async fn run(world: &World, ops: Vec<Op>) {
    let users: Vec<Uuid> = (0..USERS).map(|_| Uuid::new_v4()).collect();
    let mut made: Vec<Uuid> = Vec::new();
    let mut offers: Vec<(Uuid, Uuid)> = Vec::new();
    let mut tokens: Vec<i64> = vec![0; SEATS];
    for op in ops {
        let pick = |at: usize| made.get(at % made.len().max(1)).copied();
        match &op {
            Op::Hold { user, seats, key } => {
                let wanted: Vec<Uuid> = seats.iter().map(|seat| world.seats[*seat]).collect();
                let key = key.map(|key| key.to_string());
                if let Ok(hold) = world.hold_keyed(users[*user], &wanted, key.as_deref()).await {
                    made.push(hold.id);
                }
            }
            Op::Confirm(at) => {
                if let Some(id) = pick(*at) {
                    let _ = world.confirm(id, Fencing::Compared).await;
                }
            }
            Op::Cancel(at) => {
                if let Some(id) = pick(*at) {
                    let owner = world.owner(id).await;
                    let _ = world.cancel(id, Cancel::ByOwner(owner)).await;
                }
            }
            Op::Refund(at) => {
                if let Some(id) = pick(*at) {
                    let _ = world
                        .cancel(
                            id,
                            Cancel::Refunded {
                                transfer: None,
                                payment: None,
                            },
                        )
                        .await;
                }
            }
            Op::Change { at, seats } => {
                if let Some(id) = pick(*at) {
                    let owner = world.owner(id).await;
                    let wanted: Vec<Uuid> = seats.iter().map(|seat| world.seats[*seat]).collect();
                    let _ = world.change(owner, id, &wanted).await;
                }
            }
            Op::List(at) => {
                if let Some(id) = pick(*at) {
                    let owner = world.owner(id).await;
                    if let Ok(transfer) = world.list(id, owner).await {
                        offers.push((transfer, owner));
                    }
                }
            }
            Op::Withdraw(at) => {
                if let Some((transfer, seller)) = offers.get(at % offers.len().max(1)) {
                    let _ = world.withdraw(*transfer, *seller).await;
                }
            }
            Op::Buy { at, user, payment } => {
                if let Some((transfer, _)) = offers.get(at % offers.len().max(1)) {
                    let of_buyer = u128::from(*payment) << 8 | *user as u128;
                    let payment = Uuid::from_u128(transfer.as_u128() ^ of_buyer);
                    let _ = world.buy(*transfer, users[*user], payment).await;
                }
            }
            Op::Sweep => drop(world.sweep().await),
            Op::Wait(ms) => drop(world.clock.advance_ms(*ms)),
        }
        check(world, &op).await;
        let now: Vec<i64> = sqlx::query_scalar("SELECT fencing_token FROM seats ORDER BY ordinal")
            .fetch_all(&world.pool)
            .await
            .unwrap();
        assert!(
            tokens.iter().zip(&now).all(|(before, now)| before <= now),
            "tokens only grow"
        );
        tokens = now;
    }
}

#[tokio::test]
async fn the_laws_hold_after_every_step_of_any_story() {
    // Laws no-oversell and fenced; requirements.md section 2, states.
    let mut runner = TestRunner::new(Config::default());
    for _ in 0..6 {
        let ops = vec(op(), 80).new_tree(&mut runner).unwrap().current();
        // Printed when the test fails: the story to follow.
        println!("{ops:?}");
        let world = World::new(u32::try_from(SEATS).unwrap(), 2, true).await;
        run(&world, ops).await;
    }
}

#[tokio::test]
async fn the_check_sees_a_seat_that_was_sold_without_fencing() {
    let world = World::new(1, 1, true).await;
    let late = world.hold(Uuid::new_v4(), &world.seats).await.unwrap();
    world.clock.advance_ms(HOLD_MS);
    world.hold(Uuid::new_v4(), &world.seats).await.unwrap();
    assert!(broken(&world).await.is_empty());
    world.confirm(late.id, Fencing::Off).await.unwrap();
    assert!(!broken(&world).await.is_empty());
}
