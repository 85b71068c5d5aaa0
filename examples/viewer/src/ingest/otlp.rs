//! The receiving end of OTLP over HTTP: `POST /v1/traces` and `POST /v1/logs`, as protobuf or as JSON.
//!
//! What to answer, and when, is the OTLP specification's:
//! <https://opentelemetry.io/docs/specs/otlp/#otlphttp-response>.

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tower_http::decompression::RequestDecompressionLayer;

use crate::store::{Store, StoreError};

use super::decode;

/// Counted after decompression, so that a small gzip bomb is no way around it.
const MAX_BODY: usize = 16 * 1024 * 1024;

const WHY_REJECTED: &str = "a record needs a valid trace ID, span ID and time";

pub(crate) fn routes(store: Store) -> Router {
    Router::new()
        .route("/v1/traces", post(traces))
        .route("/v1/logs", post(logs))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(RequestDecompressionLayer::new())
        .with_state(store)
}

async fn traces(
    State(store): State<Store>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    receive(&headers, body, move |request: ExportTraceServiceRequest| {
        let spans = decode::spans(request);
        store.insert_spans(&spans.records)?;
        Ok(ExportTraceServiceResponse {
            partial_success: (spans.rejected > 0).then(|| ExportTracePartialSuccess {
                rejected_spans: i64::try_from(spans.rejected).unwrap_or(i64::MAX),
                error_message: WHY_REJECTED.to_owned(),
            }),
        })
    })
    .await
}

async fn logs(
    State(store): State<Store>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    receive(&headers, body, move |request: ExportLogsServiceRequest| {
        let logs = decode::logs(request);
        store.insert_logs(&logs.records)?;
        Ok(ExportLogsServiceResponse {
            partial_success: (logs.rejected > 0).then(|| ExportLogsPartialSuccess {
                rejected_log_records: i64::try_from(logs.rejected).unwrap_or(i64::MAX),
                error_message: WHY_REJECTED.to_owned(),
            }),
        })
    })
    .await
}

async fn receive<Request, Answer>(
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
    keep: impl FnOnce(Request) -> Result<Answer, StoreError> + Send + 'static,
) -> Response
where
    Request: Message + Default + DeserializeOwned + 'static,
    Answer: Message + Serialize + Send + 'static,
{
    let Some(encoding) = Encoding::of(headers) else {
        return (
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "OTLP is application/x-protobuf or application/json\n",
        )
            .into_response();
    };
    let body = match body {
        Ok(body) => body,
        Err(rejection) => return encoding.refuse(rejection.status(), rejection.body_text()),
    };
    let request = match encoding.decode(&body) {
        Ok(request) => request,
        Err(reason) => return encoding.refuse(StatusCode::BAD_REQUEST, reason),
    };
    match tokio::task::spawn_blocking(move || keep(request)).await {
        Ok(Ok(answer)) => encoding.answer(StatusCode::OK, &answer),
        Ok(Err(error)) => encoding.refuse(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        Err(error) => encoding.refuse(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

#[derive(Clone, Copy)]
enum Encoding {
    Protobuf,
    Json,
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

    fn decode<T: Message + Default + DeserializeOwned>(self, body: &[u8]) -> Result<T, String> {
        match self {
            Self::Protobuf => T::decode(body).map_err(|error| error.to_string()),
            Self::Json => serde_json::from_slice(body).map_err(|error| error.to_string()),
        }
    }

    fn answer(self, status: StatusCode, message: &(impl Message + Serialize)) -> Response {
        let body = match self {
            Self::Protobuf => message.encode_to_vec(),
            Self::Json => serde_json::to_vec(message).unwrap_or_default(),
        };
        (status, [(CONTENT_TYPE, self.content_type())], body).into_response()
    }

    fn refuse(self, status: StatusCode, message: String) -> Response {
        let code = match status {
            StatusCode::PAYLOAD_TOO_LARGE => RpcStatus::RESOURCE_EXHAUSTED,
            status if status.is_client_error() => RpcStatus::INVALID_ARGUMENT,
            _ => RpcStatus::INTERNAL,
        };
        self.answer(status, &RpcStatus { code, message })
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
}
