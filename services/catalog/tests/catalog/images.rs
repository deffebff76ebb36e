//! Images: what is taken, where it goes, and how it is read (R-CAT-06, R-ADM-01).

use crate::world::World;
use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode},
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex},
};
use urr_catalog::{Config, ImageConfig};
use urr_kit::{identity::Role, testing::TestBed};

const GIF: &[u8] = b"GIF89a\x01\0\x01\0\0\0\0;";
const MIB: usize = 1024 * 1024;

/// A form as browsers send it: some other field, and the image under a name and a type that mean nothing.
fn form(field: &str, content: &[u8]) -> Request {
    let mut body =
        b"--b0und\r\ncontent-disposition: form-data; name=\"note\"\r\n\r\nhello\r\n--b0und\r\n".to_vec();
    body.extend(
        format!("content-disposition: form-data; name=\"{field}\"; filename=\"a.png\"\r\ncontent-type: text/html\r\n\r\n")
            .into_bytes(),
    );
    body.extend(content);
    body.extend(b"\r\n--b0und--\r\n");
    Request::builder()
        .method(Method::POST)
        .uri("/api/image/upload")
        .header("content-type", "multipart/form-data; boundary=b0und")
        .body(Body::from(body))
        .unwrap()
}

fn in_directory(dir: &Path) -> Config {
    Config {
        image: ImageConfig {
            image_dir: Some(dir.join("images")),
            ..ImageConfig::default()
        },
        ..Config::default()
    }
}

#[tokio::test]
async fn without_a_store_an_upload_is_refused_and_says_why() {
    let world = World::new().await;
    let (status, body) = world.raw(form("image", GIF), Role::Admin).await;
    assert_eq!(
        (status, &body["error"]),
        (
            StatusCode::INTERNAL_SERVER_ERROR,
            &json!("Image storage is not configured")
        )
    );
}

#[tokio::test]
async fn an_image_is_kept_under_its_hash_and_read_as_what_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::on(TestBed::new().await, in_directory(dir.path())).await;
    let (status, kept) = world.raw(form("image", GIF), Role::Admin).await;
    assert_eq!(status, StatusCode::OK, "{kept}");
    let key = kept["key"].as_str().unwrap();
    assert!(key.starts_with("files/") && key.ends_with(".gif"), "{key}");
    assert_eq!(kept["url"], format!("/api/v1/image/{key}"));
    assert_eq!(
        world.raw(form("image", GIF), Role::Admin).await.1,
        kept,
        "again is the same"
    );
    let read = world.fetch(&format!("/api/image/{key}")).await;
    let header = |name: &str| read.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(
        (header("content-type"), header("x-content-type-options")),
        ("image/gif".to_owned(), "nosniff".to_owned())
    );
    assert!(header("cache-control").contains("immutable"));
    assert_eq!(read.into_body().collect().await.unwrap().to_bytes(), GIF);
    assert_eq!(world.audited("IMAGE_UPLOADED").await, [kept.clone(), kept]);
    for missing in [
        "files/0123456789abcdef0123456789abcdef.gif",
        "files/..%2f..%2fetc%2fpasswd",
        "files/a.gif",
    ] {
        let status = world.fetch(&format!("/api/image/{missing}")).await.status();
        assert_eq!(status, StatusCode::NOT_FOUND, "{missing}");
    }
}

#[tokio::test]
async fn what_is_no_image_or_too_long_is_refused_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::on(TestBed::new().await, in_directory(dir.path())).await;
    let padded = |length: usize| {
        let mut content = GIF.to_vec();
        content.resize(length, 0);
        content
    };
    let said = |body: &Value| body["error"].as_str().unwrap().to_owned();
    for (request, word) in [
        (form("image", b"<svg onload=alert(1)>"), "Only image files"),
        (form("image", b""), "required"),
        (form("picture", GIF), "required"),
        (form("image", &padded(5 * MIB + 1)), "5 MB"),
        (form("picture", &padded(6 * MIB)), "5 MB"),
    ] {
        let (status, body) = world.raw(request, Role::Admin).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{word}: {body}");
        assert!(said(&body).contains(word), "{word}: {body}");
    }
    let mut no_form = form("image", GIF);
    no_form.headers_mut().remove("content-type");
    assert_eq!(world.raw(no_form, Role::Admin).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(
        world.raw(form("image", GIF), Role::User).await.0,
        StatusCode::FORBIDDEN
    );
    assert_eq!(std::fs::read_dir(dir.path().join("images")).unwrap().count(), 0);
    let (status, kept) = world.raw(form("image", &padded(5 * MIB)), Role::Admin).await;
    assert_eq!(status, StatusCode::OK, "{kept}");
    assert_eq!(std::fs::read_dir(dir.path().join("images")).unwrap().count(), 1);
}

/// A store that speaks S3: keeps what is signed by `key-id` with `secret`, by the published rules (Signature Version 4),
/// worked out here without the crate that signs.
#[derive(Clone, Default)]
struct Bucket(Arc<Mutex<BTreeMap<String, (String, Bytes)>>>);

impl Bucket {
    async fn put(State(bucket): State<Self>, request: Request) -> (StatusCode, String) {
        let (parts, body) = request.into_parts();
        let content = body.collect().await.unwrap().to_bytes();
        let expected = signature(parts.method.as_str(), parts.uri.path(), &parts.headers, &content);
        let given = parts.headers["authorization"].to_str().unwrap();
        if !given.ends_with(&format!("Signature={expected}")) {
            return (
                StatusCode::FORBIDDEN,
                "<Code>SignatureDoesNotMatch</Code>".to_owned(),
            );
        }
        let kind = parts.headers["content-type"].to_str().unwrap().to_owned();
        let path = parts.uri.path().to_owned();
        bucket.0.lock().unwrap().insert(path, (kind, content));
        (StatusCode::OK, String::new())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn signature(method: &str, path: &str, headers: &HeaderMap, content: &[u8]) -> String {
    let text = |name: &str| headers[name].to_str().unwrap();
    let given = text("authorization").strip_prefix("AWS4-HMAC-SHA256 ").unwrap();
    let part = |name: &str| {
        let mut parts = given.split(", ").filter_map(|part| part.split_once('='));
        parts.find(|(key, _)| *key == name).unwrap().1
    };
    let scope = part("Credential").strip_prefix("key-id/").unwrap();
    let signed = part("SignedHeaders");
    assert!(
        signed.contains("host") && signed.contains("x-amz-content-sha256"),
        "{signed}"
    );
    let lines: String = signed
        .split(';')
        .map(|name| format!("{name}:{}\n", text(name).trim()))
        .collect();
    let hash = hex(&Sha256::digest(content));
    assert_eq!(text("x-amz-content-sha256"), hash);
    let canonical = format!("{method}\n{path}\n\n{lines}\n{signed}\n{hash}");
    let to_sign = format!(
        "AWS4-HMAC-SHA256\n{}\n{scope}\n{}",
        text("x-amz-date"),
        hex(&Sha256::digest(canonical.as_bytes()))
    );
    let mac = |key: &[u8], text: &str| {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        mac.update(text.as_bytes());
        mac.finalize().into_bytes().to_vec()
    };
    // Date, region, service, aws4_request: each keys the next.
    let key = scope
        .split('/')
        .fold(b"AWS4secret".to_vec(), |key, part| mac(&key, part));
    hex(&mac(&key, &to_sign))
}

fn in_bucket(endpoint: &str, secret: &str) -> Config {
    Config {
        image: ImageConfig {
            image_bucket: Some("urr-images".to_owned()),
            image_bucket_endpoint: Some(endpoint.to_owned()),
            image_bucket_region: Some("ap-northeast-2".to_owned()),
            image_bucket_key_id: Some("key-id".to_owned()),
            image_bucket_secret: Some(secret.to_owned()),
            ..ImageConfig::default()
        },
        ..Config::default()
    }
}

#[tokio::test]
async fn a_bucket_gets_it_signed_and_one_that_refuses_is_no_success() {
    let bed = TestBed::new().await;
    let bucket = Bucket::default();
    let router = Router::new().fallback(Bucket::put).with_state(bucket.clone());
    let endpoint = bed.serve(router).await;
    let world = World::on(bed, in_bucket(&endpoint, "secret")).await;
    let (status, kept) = world.raw(form("image", GIF), Role::Admin).await;
    assert_eq!(status, StatusCode::OK, "{kept}");
    let path = format!("/urr-images/{}", kept["key"].as_str().unwrap());
    assert_eq!(kept["url"], format!("{endpoint}{path}"));
    let stored = bucket.0.lock().unwrap().clone();
    assert_eq!(
        stored,
        BTreeMap::from([(path, ("image/gif".to_owned(), Bytes::from_static(GIF)))])
    );

    let world = World::on(TestBed::new().await, in_bucket(&endpoint, "wrong")).await;
    let (status, body) = world.raw(form("image", GIF), Role::Admin).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY, "{body}");
    assert!(
        !body.to_string().contains("SignatureDoesNotMatch"),
        "nobody sees the store's words"
    );
    assert_eq!(world.audited("IMAGE_UPLOADED").await, [] as [Value; 0]);
}

#[tokio::test]
async fn two_places_or_a_name_that_is_none_stop_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let mut both = in_bucket("http://127.0.0.1:9", "secret");
    both.image.image_dir = Some(dir.path().to_owned());
    let mut unnamed = in_bucket("http://127.0.0.1:9", "secret");
    unnamed.image.image_bucket = Some("Not A Bucket".to_owned());
    for (config, word) in [(both, "IMAGE_DIR"), (unnamed, "IMAGE_BUCKET")] {
        let bed = TestBed::new().await;
        let refused = urr_catalog::start(&bed.ctx(), config)
            .await
            .err()
            .unwrap()
            .to_string();
        assert!(refused.contains(word), "{refused}");
    }
}
