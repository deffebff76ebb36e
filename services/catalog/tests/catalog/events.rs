//! Events from the admin's form to the visitor's page.

use crate::world::{World, answer};
use axum::{
    body::Body,
    http::{Method, Request, StatusCode},
};
use serde_json::{Value, json};
use urr_kit::{clock::Clock, identity::Role, wire};
use uuid::Uuid;

#[tokio::test]
async fn a_new_event_gets_its_seats_and_opens_by_the_clock() {
    let world = World::new().await;
    let mut draft = world.draft("Spring Tour", 60);
    draft["seatLayoutId"] = json!(world.layout().await);
    // R-MEM-04: long enough for a presale.
    let end = world.bed.clock().now().plus_s(72 * 3600);
    draft["saleEndDate"] = json!(wire::text(wire::at(end)));
    assert_eq!(
        world
            .call(
                Method::POST,
                "/api/admin/events",
                Some(Role::User),
                Some(draft.clone())
            )
            .await
            .0,
        StatusCode::FORBIDDEN
    );
    let (status, made) = world.admin(Method::POST, "/api/admin/events", Some(draft)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let id = made["event"]["id"].as_str().unwrap().to_owned();

    let (_, detail) = world.get(&format!("/api/events/{id}")).await;
    assert_eq!(detail["event"]["status"], "upcoming");
    assert!(
        detail["event"]["artist_id"].is_string(),
        "quirk 28: the artist is linked"
    );
    assert!(detail["preSaleSchedule"]["bronze"].is_string());
    assert_eq!(detail["ticketTypes"], detail["event"]["ticket_types"]);
    // R-CAT-03: the sale window decides, not a job.
    world.bed.clock().advance_ms(60_000);
    assert_eq!(
        world.get(&format!("/api/events/{id}")).await.1["event"]["status"],
        "on_sale"
    );

    let (_, list) = world.get("/api/events?q=spring&status=on_sale").await;
    assert_eq!(list["events"][0]["id"], id);
    assert_eq!(
        (&list["events"][0]["min_price"], &list["events"][0]["max_price"]),
        (&json!(55_000), &json!(99_000))
    );

    let seats: Value = world
        .bed
        .ctx()
        .internal()
        .get_json(&format!("{}/internal/seats/count/{id}", world.booking))
        .await
        .unwrap();
    assert_eq!(seats["count"], 14);
    let again = world
        .admin(
            Method::POST,
            &format!("/api/admin/events/{id}/generate-seats"),
            None,
        )
        .await;
    assert_eq!(again.0, StatusCode::BAD_REQUEST, "{}", again.1);
    let (_, dashboard) = world.admin(Method::GET, "/api/admin/dashboard", None).await;
    assert_eq!(dashboard["stats"]["totalEvents"], 1, "{dashboard}");
    let (status, page) = world
        .admin(
            Method::GET,
            "/api/admin/reservations?limit=5&status=pending",
            None,
        )
        .await;
    assert_eq!(
        (status, &page["reservations"]),
        (StatusCode::OK, &json!([])),
        "{page}"
    );
}

#[tokio::test]
async fn standing_tickets_show_in_detail_and_list() {
    let world = World::new().await;
    let mut draft = world.draft("Club", 0);
    draft["ticketTypes"] = json!([{"name": "Standing", "price": 44_000, "totalQuantity": 300}]);
    let (_, made) = world.admin(Method::POST, "/api/admin/events", Some(draft)).await;
    let id = made["event"]["id"].as_str().unwrap().to_owned();
    let more = json!({"name": "Balcony", "price": 66_000, "totalQuantity": 50});
    let (status, kind) = world
        .admin(
            Method::POST,
            &format!("/api/admin/events/{id}/tickets"),
            Some(more),
        )
        .await;
    assert_eq!(status, StatusCode::CREATED, "{kind}");
    let (_, detail) = world.get(&format!("/api/events/{id}")).await;
    let names: Vec<&str> = detail["ticketTypes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|kind| kind["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["Balcony", "Standing"], "dearest first");
    let (_, list) = world.get("/api/events").await;
    let row = &list["events"][0];
    assert_eq!(
        (&row["ticket_type_count"], &row["max_price"]),
        (&json!(2), &json!(66_000))
    );
}

#[tokio::test]
async fn a_form_that_is_wrong_is_refused_by_field() {
    let world = World::new().await;
    let broken = |field: &str, value: Value| {
        let mut draft = world.draft("X", 0);
        draft[field] = value;
        draft
    };
    for (draft, word) in [
        (broken("title", json!("  ")), "title"),
        (broken("venue", Value::Null), "venue"),
        (broken("eventDate", Value::Null), "eventDate"),
        (
            broken("saleEndDate", json!("2001-01-01T00:00:00+09:00")),
            "saleEndDate",
        ),
        (
            broken(
                "ticketTypes",
                json!([{"name": "S", "price": -1, "totalQuantity": 1}]),
            ),
            "price",
        ),
        (
            broken(
                "ticketTypes",
                json!([{"name": "S", "price": 1, "totalQuantity": 0}]),
            ),
            "totalQuantity",
        ),
    ] {
        let (status, body) = world.admin(Method::POST, "/api/admin/events", Some(draft)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
        assert!(body["error"].as_str().unwrap().contains(word), "{word}: {body}");
    }
    assert_eq!(
        world.get("/api/events").await.1["pagination"]["total"],
        0,
        "nothing was half made"
    );
}

#[tokio::test]
async fn an_unknown_layout_leaves_no_event_behind() {
    let world = World::new().await;
    let mut draft = world.draft("X", 0);
    draft["seatLayoutId"] = json!(Uuid::new_v4());
    let (status, body) = world.admin(Method::POST, "/api/admin/events", Some(draft)).await;
    assert!(status.is_client_error(), "{status} {body}");
    assert_eq!(world.get("/api/events").await.1["pagination"]["total"], 0);
}

#[tokio::test]
async fn change_cancel_and_delete_are_seen_at_once() {
    let world = World::new().await;
    let (_, made) = world
        .admin(Method::POST, "/api/admin/events", Some(world.draft("Old", 0)))
        .await;
    let id = made["event"]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/admin/events/{id}");
    world.get(&format!("/api/events/{id}")).await;
    let (status, _) = world.admin(Method::PUT, &path, Some(world.draft("New", 0))).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        world.get(&format!("/api/events/{id}")).await.1["event"]["title"],
        "New"
    );
    let (_, cancelled) = world.admin(Method::POST, &format!("{path}/cancel"), None).await;
    assert_eq!(
        (&cancelled["event"]["status"], &cancelled["cancelledReservations"]),
        (&json!("cancelled"), &json!(0))
    );
    assert_eq!(
        world.admin(Method::POST, &format!("{path}/cancel"), None).await.0,
        StatusCode::NOT_FOUND
    );
    assert_eq!(world.admin(Method::DELETE, &path, None).await.0, StatusCode::OK);
    assert_eq!(
        world.get(&format!("/api/events/{id}")).await.0,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn r_adm_01_an_event_ends_whether_or_not_booking_answers_and_others_are_told() {
    // R-RES-03. What booking is not told at once it hears by the news; nothing says that nothing was changed.
    let world = World::without_booking().await;
    let mut paths = Vec::new();
    for title in ["Off", "Gone"] {
        let draft = Some(world.draft(title, 0));
        let (status, made) = world.admin(Method::POST, "/api/admin/events", draft).await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
        paths.push(format!("events/{}", made["event"]["id"].as_str().unwrap()));
    }
    let cancel = format!("/api/admin/{}/cancel", paths[0]);
    let delete = format!("/api/admin/{}", paths[1]);
    for (method, path) in [(Method::POST, &cancel), (Method::DELETE, &delete)] {
        let (status, body) = world.admin(method, path, None).await;
        assert_eq!(
            (status, &body["cancelledReservations"]),
            (StatusCode::OK, &json!(0)),
            "{body}"
        );
        assert!(
            body["message"]
                .as_str()
                .unwrap()
                .contains("Booking did not answer"),
            "{body}"
        );
    }
    assert_eq!(
        world.get(&format!("/api/{}", paths[0])).await.1["event"]["status"],
        "cancelled"
    );
    assert_eq!(
        world.get(&format!("/api/{}", paths[1])).await.0,
        StatusCode::NOT_FOUND
    );
    // An edit in between opens it to nobody.
    let edit = format!("/api/admin/{}", paths[0]);
    let (status, _) = world
        .admin(Method::PUT, &edit, Some(world.draft("Off still", 0)))
        .await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        world.told().await,
        ["on_sale", "on_sale", "cancelled", "cancelled", "cancelled"]
    );
}

#[tokio::test]
async fn pages_are_clamped_and_searched_literally() {
    let world = World::new().await;
    for title in ["100% Live", "1000 Lives"] {
        world
            .admin(Method::POST, "/api/admin/events", Some(world.draft(title, 0)))
            .await;
    }
    let (_, list) = world.get("/api/events?page=0&limit=100000").await;
    assert_eq!(
        list["pagination"],
        json!({"page": 1, "limit": 100, "total": 2, "totalPages": 1})
    );
    let (_, found) = world.get("/api/events?q=100%25").await;
    assert_eq!(found["pagination"]["total"], 1, "{found}");
    assert_eq!(
        world.get("/api/events/not-a-uuid").await.0,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn the_queue_hears_what_it_shows_and_strangers_do_not() {
    let world = World::new().await;
    let (_, made) = world
        .admin(Method::POST, "/api/admin/events", Some(world.draft("Night", 0)))
        .await;
    let path = format!(
        "/internal/events/{}/queue-info",
        made["event"]["id"].as_str().unwrap()
    );
    let call = |token: Option<String>| {
        let mut request = Request::builder().uri(&path);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        request.body(Body::empty()).unwrap()
    };
    assert_eq!(
        answer(&world.internal, call(None)).await.0,
        StatusCode::UNAUTHORIZED
    );
    let token = world.bed.ctx().secrets.internal_api_token.clone();
    let (_, info) = answer(&world.internal, call(Some(token))).await;
    assert_eq!(info, json!({"title": "Night", "artist": "The Waves"}));
}

#[tokio::test]
async fn quirk_14_an_admin_ends_a_reservation_through_booking_and_is_audited() {
    // R-ADM-02; api-contract.md section 8.
    let world = World::new().await;
    let mut draft = world.draft("Autumn Tour", 0);
    draft["ticketTypes"] = json!([{"name": "Standing", "price": 50_000, "totalQuantity": 5}]);
    let (status, made) = world.admin(Method::POST, "/api/admin/events", Some(draft)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let unknown = format!("/api/admin/reservations/{}/status", Uuid::new_v4());
    let wish = Some(json!({"status": "cancelled"}));
    let (status, _) = world
        .call(Method::PATCH, &unknown, Some(Role::User), wish.clone())
        .await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert_eq!(
        world.admin(Method::PATCH, &unknown, wish.clone()).await.0,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        world.admin(Method::PATCH, &unknown, Some(json!({}))).await.0,
        StatusCode::BAD_REQUEST
    );
    let pool = world
        .bed
        .ctx()
        .postgres("booking", &urr_booking::store::MIGRATOR)
        .await
        .unwrap();
    let id: Uuid = sqlx::query_scalar(
        "INSERT INTO reservations (id, user_id, event_id, reservation_number, total_amount, status, expires_at,
             operation, created_at, updated_at)
         VALUES (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'R1', 1, 'pending', now(), 'standing',
             now(), now()) RETURNING id",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    let path = format!("/api/admin/reservations/{id}/status");
    let (status, refused) = world
        .admin(Method::PATCH, &path, Some(json!({"status": "confirmed"})))
        .await;
    assert_eq!(status, StatusCode::CONFLICT, "{refused}");
    let (status, ended) = world.admin(Method::PATCH, &path, wish).await;
    assert_eq!(
        (status, &ended["reservation"]["status"]),
        (StatusCode::OK, &json!("cancelled")),
        "{ended}"
    );
    let catalog = world
        .bed
        .ctx()
        .postgres("catalog", &urr_catalog::MIGRATOR)
        .await
        .unwrap();
    let audited: Vec<Uuid> =
        sqlx::query_scalar("SELECT target_id FROM admin_audit_logs WHERE action = 'RESERVATION_STATUS'")
            .fetch_all(&catalog)
            .await
            .unwrap();
    assert_eq!(audited, [id], "what was done, and nothing that was not");
}

#[tokio::test]
async fn r_mem_01_booking_is_told_what_an_artist_is_called_and_costs() {
    let world = World::new().await;
    let (_, made) = world
        .admin(Method::POST, "/api/admin/events", Some(world.draft("Tour", 60)))
        .await;
    let artist = made["event"]["artist_id"].as_str().unwrap();
    // R-MEM-04: an hour's sale has no presale, and none is promised.
    let id = made["event"]["id"].as_str().unwrap();
    let (_, detail) = world.get(&format!("/api/events/{id}")).await;
    assert_eq!(detail["preSaleSchedule"], Value::Null);
    let ask = |path: String| {
        let token = format!("Bearer {}", world.bed.ctx().secrets.internal_api_token);
        let request = Request::builder().uri(path).header("authorization", token);
        answer(&world.internal, request.body(Body::empty()).unwrap())
    };
    let (status, told) = ask(format!("/internal/artists/{artist}")).await;
    assert_eq!(
        (status, &told["name"], &told["membership_price"]),
        (StatusCode::OK, &json!("The Waves"), &json!(30_000))
    );
    let (status, _) = ask(format!("/internal/artists/{}", Uuid::new_v4())).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}
