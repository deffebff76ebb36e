//! What people may write: not blank, not longer than the columns or a reader bear.

use urr_kit::{ApiError, ApiResult};

const TITLE_CHARS_MAX: usize = 255;
const CONTENT_CHARS_MAX: usize = 20_000;

pub(crate) fn title(text: &str) -> ApiResult<String> {
    checked("title", text, TITLE_CHARS_MAX)
}

pub(crate) fn content(text: &str) -> ApiResult<String> {
    checked("content", text, CONTENT_CHARS_MAX)
}

pub(crate) fn author(text: &str) -> ApiResult<String> {
    checked("author", text, 100)
}

fn checked(field: &str, text: &str, chars_max: usize) -> ApiResult<String> {
    let text = text.trim();
    if text.is_empty() {
        return Err(ApiError::bad_request(format!("{field} must not be blank")));
    }
    // Postgres cannot store NUL.
    if text.contains('\0') {
        return Err(ApiError::bad_request(format!(
            "{field} contains a NUL character; remove it"
        )));
    }
    if text.chars().count() > chars_max {
        return Err(ApiError::bad_request(format!(
            "{field} is longer than {chars_max} characters"
        )));
    }
    Ok(text.to_owned())
}
