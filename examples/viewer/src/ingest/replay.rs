//! The receiving end of recordings: `POST /v1/replay`, from pages of the organisations' origins.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ORIGIN, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use axum::routing::post;
use axum::{Router, middleware};
use http_body_util::Limited;
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::decompression::RequestDecompressionLayer;

use crate::problem::{self, Problem};
use crate::store::{Store, StoreError, now};
use crate::{ViewerError, blocking};

use super::batch::{Batch, BatchError};
use super::body::Budget;
use super::orgs::Orgs;

/// A body as it is sent.
const MAX_SENT: usize = 2 * 1024 * 1024;

/// A body inflated.
const MAX_BODY: usize = 8 * 1024 * 1024;

/// How long browsers may remember what is allowed.
const PREFLIGHT: Duration = Duration::from_secs(7_200);

pub(crate) fn routes(store: Store, orgs: Orgs, budget: Budget) -> Router {
    let cors = CorsLayer::new()
        .allow_origin(AllowOrigin::list(orgs.origins().cloned()))
        .allow_methods([Method::POST])
        .allow_headers([CONTENT_TYPE, CONTENT_ENCODING])
        .expose_headers([RETRY_AFTER])
        .max_age(PREFLIGHT);
    Router::new()
        .route("/v1/replay", post(take))
        .layer(RequestDecompressionLayer::new())
        .layer(middleware::map_request(bounded))
        .layer(middleware::map_response(problem::documents))
        .layer(cors)
        .with_state(Ingest { store, orgs: Arc::new(orgs), budget })
}

#[derive(Clone)]
struct Ingest {
    store: Store,
    orgs: Arc<Orgs>,
    budget: Budget,
}

/// Bounds a body before it is inflated.
async fn bounded(request: Request<Body>) -> Result<Request<Body>, Problem> {
    let length = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if length.and_then(|length| length.parse().ok()).is_some_and(|length: usize| length > MAX_SENT)
    {
        return Err(too_large());
    }
    Ok(request.map(|body| Body::new(Limited::new(body, MAX_SENT))))
}

fn too_large() -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        format!("a batch may have {MAX_SENT} bytes as it is sent, and {MAX_BODY} inflated"),
    )
}

/// Answers 204 also if the batch was taken before: the answer to that may have been lost.
async fn take(
    State(ingest): State<Ingest>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Problem> {
    let Some(origin) = headers.get(ORIGIN).cloned() else {
        return Err(forbidden("only pages send replays: there is no `Origin`"));
    };
    if !is_json(&headers) {
        let detail = "a batch is application/json";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    let held = ingest.budget.read(body, MAX_BODY).await?;
    let arrived = now();
    let kept = blocking(move || {
        let batch: Batch<'_> = match serde_json::from_slice(&held.bytes) {
            Ok(batch) => batch,
            Err(error) => return Ok(Err(Refused::Malformed(error.into()))),
        };
        if !ingest.orgs.has(&batch.org, &origin) {
            return Ok(Err(Refused::Stranger));
        }
        let recording = match batch.check(arrived) {
            Ok(recording) => recording,
            Err(error) => return Ok(Err(Refused::Malformed(error))),
        };
        drop(held);
        match ingest.store.insert(|batch| batch.recording(&recording)) {
            Err(error @ StoreError::TooManyPages(_)) => Ok(Err(Refused::TooMuch(error))),
            kept => kept.map(Ok),
        }
    });
    match kept.await.map_err(|error: ViewerError| Problem::from(error))? {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(Refused::Stranger) => {
            Err(forbidden("this organisation takes no replays of this origin"))
        }
        Err(Refused::Malformed(error)) => {
            Err(Problem::new(StatusCode::BAD_REQUEST, error.to_string()))
        }
        Err(Refused::TooMuch(error)) => {
            Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, error.to_string()))
        }
    }
}

enum Refused {
    Stranger,
    Malformed(BatchError),
    TooMuch(StoreError),
}

fn forbidden(detail: &str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, detail)
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).map_or(&[][..], HeaderValue::as_bytes);
    let essence = value.split(|byte| *byte == b';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case(b"application/json")
}
