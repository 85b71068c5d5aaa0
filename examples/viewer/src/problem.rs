//! What the viewer answers when it refuses: problem documents (RFC 9457).

use axum::body::to_bytes;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::ViewerError;

/// A refusal: its status, and a sentence on what is wrong with this request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) detail: String,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into() }
    }
}

/// Makes a document of a refusal that is not written here: a malformed query, another method, an unknown encoding.
pub(crate) async fn documents(response: Response) -> Response {
    /// Longer than any of those.
    const TEXT: usize = 4096;
    let status = response.status();
    let media = response.headers().get(CONTENT_TYPE).map_or(&[][..], HeaderValue::as_bytes);
    if !status.is_client_error() || !(media.is_empty() || media.starts_with(b"text/plain")) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let text = to_bytes(body, TEXT).await.unwrap_or_default();
    let detail = match String::from_utf8_lossy(&text) {
        text if text.is_empty() => status.canonical_reason().unwrap_or("refused").to_owned(),
        text => text.into_owned(),
    };
    let mut document = Problem::new(status, detail).into_response();
    parts.headers.remove(CONTENT_TYPE);
    parts.headers.remove(CONTENT_LENGTH);
    document.headers_mut().extend(parts.headers);
    document
}

impl From<ViewerError> for Problem {
    fn from(error: ViewerError) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let document = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or("Refused"),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        let headers = [(CONTENT_TYPE, "application/problem+json")];
        let mut response = (self.status, headers, document.to_string()).into_response();
        if self.status == StatusCode::TOO_MANY_REQUESTS {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
