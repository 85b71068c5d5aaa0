//! Taking in a body: bounded as it arrives, bounded again as it is inflated, and bounded over all requests at once.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use http_body_util::{BodyExt as _, LengthLimitError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower_http::timeout::TimeoutError;

use crate::problem::Problem;

/// How much of all requests' bodies may be held at once, inflated.
const IN_FLIGHT: usize = 64 * 1024 * 1024;

/// What all requests together may hold; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Budget(Arc<Semaphore>);

/// A body, and its share of the budget.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) bytes: Bytes,
    _share: Option<OwnedSemaphorePermit>,
}

impl Budget {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(IN_FLIGHT)))
    }

    /// Reads a body to its end.
    ///
    /// # Errors
    ///
    /// 413 as soon as there is more than `max`, 429 as soon as all requests hold too much, 408 if nothing comes for too
    /// long, and 400 if it is not what its `Content-Encoding` says.
    pub(crate) async fn read(&self, mut body: Body, max: usize) -> Result<Held, Problem> {
        let mut bytes = Vec::new();
        let mut share: Option<OwnedSemaphorePermit> = None;
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(refusal)?.into_data() else { continue };
            if bytes.len() + data.len() > max {
                return Err(Problem::new(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    format!("a body may have {max} bytes, and no more after inflating it"),
                ));
            }
            let count = u32::try_from(data.len()).unwrap_or(u32::MAX);
            let more = Arc::clone(&self.0).try_acquire_many_owned(count).map_err(|_| {
                Problem::new(StatusCode::TOO_MANY_REQUESTS, "too much arrives at once: try again")
            })?;
            match &mut share {
                Some(share) => share.merge(more),
                none => *none = Some(more),
            }
            bytes.extend_from_slice(&data);
        }
        Ok(Held { bytes: bytes.into(), _share: share })
    }
}

fn refusal(error: axum::Error) -> Problem {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(error) = cause {
        if error.is::<TimeoutError>() {
            return Problem::new(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time");
        }
        if error.is::<LengthLimitError>() {
            return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large");
        }
        cause = error.source();
    }
    Problem::new(StatusCode::BAD_REQUEST, format!("the body cannot be read: {error}"))
}
