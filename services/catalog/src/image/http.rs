//! Uploading an image, and reading one where this API serves them.

use super::format::{BYTES_MAX, Image, named};
use crate::{App, admin::Act};
use axum::{
    Router,
    body::Body,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use bytes::Bytes;
use multer::{Constraints, Multipart, SizeLimit};
use serde_json::{Value, json};
use urr_kit::{
    ApiError, ApiResult,
    extract::{Json, Path},
    identity::Admin,
};
use uuid::Uuid;

/// The form's field.
const FIELD: &str = "image";
/// What a form may weigh beside its image: boundaries, headers, fields of others.
const FORM_BYTES_MAX: usize = 256 * 1024;
/// What is behind a name never changes.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/api/image/upload", post(upload))
        .route("/api/image/files/{name}", get(file))
}

async fn upload(
    State(app): State<App>,
    Admin(admin): Admin,
    headers: HeaderMap,
    body: Body,
) -> ApiResult<Json<Value>> {
    let Some(images) = &app.images else {
        return Err(ApiError::with_status(
            axum::http::StatusCode::INTERNAL_SERVER_ERROR,
            "Image storage is not configured",
        ));
    };
    let content = sent(&headers, body).await?;
    let image = Image::of(content)
        .ok_or_else(|| ApiError::bad_request("Only image files (JPEG, PNG, WebP, GIF) are allowed"))?;
    let url = images.put(&image).await.map_err(|error| {
        ApiError::bad_gateway("The image could not be stored. Please retry.").with_source(error)
    })?;
    let kept = json!({ "url": url, "key": image.key() });
    // An image is nothing of the database's: what it is about is in the detail.
    let act = Act::begin(&app, &admin).await?;
    act.commit("IMAGE_UPLOADED", Uuid::nil(), &kept).await?;
    Ok(Json(kept))
}

/// The content of the form's image. It is read no further than an image may be long.
async fn sent(headers: &HeaderMap, body: Body) -> ApiResult<Bytes> {
    let boundary = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .and_then(|kind| multer::parse_boundary(kind).ok())
        .ok_or_else(|| ApiError::bad_request("A multipart form with a field `image` is expected"))?;
    let limits = SizeLimit::new()
        .whole_stream((BYTES_MAX + FORM_BYTES_MAX) as u64)
        .for_field(FIELD, BYTES_MAX as u64);
    let constraints = Constraints::new().size_limit(limits);
    let mut form = Multipart::with_constraints(body.into_data_stream(), boundary, constraints);
    while let Some(field) = form.next_field().await.map_err(unreadable)? {
        if field.name() == Some(FIELD) {
            return match field.bytes().await.map_err(unreadable)? {
                content if content.is_empty() => Err(ApiError::bad_request("Image file is required")),
                content => Ok(content),
            };
        }
    }
    Err(ApiError::bad_request("Image file is required"))
}

fn unreadable(error: multer::Error) -> ApiError {
    match error {
        multer::Error::FieldSizeExceeded { .. } | multer::Error::StreamSizeExceeded { .. } => {
            ApiError::bad_request("Image size must be at most 5 MB")
        }
        error => ApiError::bad_request("The form could not be read").with_source(error),
    }
}

async fn file(State(app): State<App>, Path(name): Path<String>) -> ApiResult<Response> {
    let not_found = || ApiError::not_found("Image not found");
    let format = named(&name).ok_or_else(not_found)?;
    let images = app.images.as_ref().ok_or_else(not_found)?;
    let content = images.get(&name).await.map_err(ApiError::internal)?;
    let content = content.ok_or_else(not_found)?;
    let headers = [
        (header::CONTENT_TYPE, format.content_type()),
        (header::CACHE_CONTROL, FOR_EVER),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((headers, content).into_response())
}
