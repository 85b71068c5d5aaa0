//! The receiving end of OTLP over HTTP: `POST /v1/traces` and `POST /v1/logs`, as protobuf or as JSON.
//!
//! What to answer, and when, is the OTLP specification's:
//! <https://opentelemetry.io/docs/specs/otlp/#otlphttp-response>.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use prost::Message;
use serde::Serialize;
use tower_http::decompression::RequestDecompressionLayer;

use crate::problem::Problem;
use crate::store::{Store, StoreError};

use super::body::Budget;
use super::decode;
use super::records::{Encoding, MAX_RECORD, WalkError, walk};

/// The body of one request, inflated.
const MAX_BODY: usize = 16 * 1024 * 1024;

pub(crate) fn routes(store: Store, budget: Budget) -> Router {
    Router::new()
        .route("/v1/traces", post(traces))
        .route("/v1/logs", post(logs))
        .layer(RequestDecompressionLayer::new())
        .with_state(Ingest { store, budget })
}

#[derive(Clone)]
struct Ingest {
    store: Store,
    budget: Budget,
}

async fn traces(State(ingest): State<Ingest>, headers: HeaderMap, body: Body) -> Response {
    ingest
        .receive(&headers, body, |store, encoding, body| {
            let rejected = store.insert(|batch| {
                let mut rejected = 0;
                walk(encoding, body, |found| {
                    match found
                        .and_then(|(resource, scope, span)| decode::span(resource, scope, span))
                    {
                        Some(span) => batch.span(&span),
                        None => {
                            rejected += 1;
                            Ok(())
                        }
                    }
                })?;
                Ok::<i64, Refused>(rejected)
            })?;
            Ok(ExportTraceServiceResponse {
                partial_success: (rejected > 0).then(|| ExportTracePartialSuccess {
                    rejected_spans: rejected,
                    error_message: why_rejected(),
                }),
            })
        })
        .await
}

async fn logs(State(ingest): State<Ingest>, headers: HeaderMap, body: Body) -> Response {
    ingest
        .receive(&headers, body, |store, encoding, body| {
            let rejected = store.insert(|batch| {
                let mut rejected = 0;
                walk(encoding, body, |found| {
                    match found.and_then(|(resource, scope, log)| decode::log(resource, scope, log))
                    {
                        Some(log) => batch.log(&log),
                        None => {
                            rejected += 1;
                            Ok(())
                        }
                    }
                })?;
                Ok::<i64, Refused>(rejected)
            })?;
            Ok(ExportLogsServiceResponse {
                partial_success: (rejected > 0).then(|| ExportLogsPartialSuccess {
                    rejected_log_records: rejected,
                    error_message: why_rejected(),
                }),
            })
        })
        .await
}

fn why_rejected() -> String {
    format!(
        "a record needs a valid trace ID, span ID and time, a session ID and a service name of at most 256 bytes, \
         and at most {MAX_RECORD} bytes, as its resource and its scope do"
    )
}

type Refused = WalkError<StoreError>;

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::Keep(error)
    }
}

impl Ingest {
    async fn receive<Answer>(
        self,
        headers: &HeaderMap,
        body: Body,
        keep: impl FnOnce(&Store, Encoding, &Bytes) -> Result<Answer, Refused> + Send + 'static,
    ) -> Response
    where
        Answer: Message + Serialize + Send + 'static,
    {
        let Some(encoding) = Encoding::of(headers) else {
            return Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "OTLP is application/x-protobuf or application/json",
            )
            .into_response();
        };
        let held = match self.budget.read(body, MAX_BODY).await {
            Ok(held) => held,
            Err(problem) => return encoding.refuse(problem.status, problem.detail),
        };
        let kept =
            tokio::task::spawn_blocking(move || keep(&self.store, encoding, &held.bytes)).await;
        match kept {
            Ok(Ok(answer)) => encoding.answer(StatusCode::OK, &answer),
            Ok(Err(refused)) => encoding.refuse(
                match refused {
                    WalkError::Malformed(_) => StatusCode::BAD_REQUEST,
                    WalkError::TooMany => StatusCode::PAYLOAD_TOO_LARGE,
                    WalkError::Keep(_) => StatusCode::INTERNAL_SERVER_ERROR,
                },
                refused.to_string(),
            ),
            Err(error) => encoding.refuse(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        }
    }
}

impl Encoding {
    fn of(headers: &HeaderMap) -> Option<Self> {
        let content_type = headers.get(CONTENT_TYPE)?.to_str().ok()?;
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        [Self::Protobuf, Self::Json]
            .into_iter()
            .find(|encoding| essence.eq_ignore_ascii_case(encoding.content_type()))
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }

    fn answer(self, status: StatusCode, message: &(impl Message + Serialize)) -> Response {
        let body = match self {
            Self::Protobuf => message.encode_to_vec(),
            Self::Json => serde_json::to_vec(message).unwrap_or_default(),
        };
        (status, [(CONTENT_TYPE, self.content_type())], body).into_response()
    }

    /// As OTLP wants it, which is not a problem document.
    fn refuse(self, status: StatusCode, message: String) -> Response {
        let code = match status {
            StatusCode::PAYLOAD_TOO_LARGE => RpcStatus::RESOURCE_EXHAUSTED,
            StatusCode::TOO_MANY_REQUESTS => RpcStatus::UNAVAILABLE,
            status if status.is_client_error() => RpcStatus::INVALID_ARGUMENT,
            _ => RpcStatus::INTERNAL,
        };
        let mut response = self.answer(status, &RpcStatus { code, message });
        if status == StatusCode::TOO_MANY_REQUESTS {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// `google.rpc.Status`, which OTLP makes the body of every refusal; without its unused details.
#[derive(Clone, PartialEq, Message, Serialize)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

impl RpcStatus {
    const INVALID_ARGUMENT: i32 = 3;
    const RESOURCE_EXHAUSTED: i32 = 8;
    const INTERNAL: i32 = 13;
    const UNAVAILABLE: i32 = 14;
}
