//! The payments service (actix-web): charges cards, except for amounts that no card allows.

use std::collections::VecDeque;
use std::io;
use std::net::TcpListener;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use actix_web::{App, HttpResponse, HttpServer, ResponseError, rt, web};
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use qorrelate_actix::opentelemetry_0_33::server_timing;
use qorrelate_actix::{ServerTimingMiddleware, SessionId, SessionIdMiddleware};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{Span, error, field, info, info_span, instrument, warn};
use tracing_actix_web::{RootSpanBuilder, TracingLogger};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::telemetry::Telemetry;

/// No card of this shop's customers allows more.
const LIMIT_CENTS: u64 = 100_000;

/// Serves until told to stop, on this thread and workers of its own.
pub(crate) fn serve(
    listener: TcpListener,
    telemetry: &Telemetry,
    stop: CancellationToken,
) -> io::Result<()> {
    telemetry.claim_thread();
    let workers = telemetry.clone();
    rt::System::new().block_on(async move {
        let server =
            HttpServer::new(move || {
                // actix-web builds the app once on each of its worker threads: the place to claim them.
                workers.claim_thread();
                App::new()
                    .wrap(ServerTimingMiddleware::new(server_timing))
                    .wrap(TracingLogger::<ChargeSpan>::new())
                    // The last wrap is the outermost: the session is known before the request's span starts.
                    .wrap(SessionIdMiddleware::new())
                    .app_data(web::JsonConfig::default().error_handler(|error, _| {
                        ChargeError::Unreadable(error.to_string()).into()
                    }))
                    .route("/charge", web::post().to(charge))
            })
            .workers(2)
            .disable_signals()
            .shutdown_timeout(3)
            .listen(listener)?
            .run();
        let handle = server.handle();
        rt::spawn(async move {
            stop.cancelled().await;
            handle.stop(true).await;
        });
        server.await
    })
}

#[derive(Debug, Deserialize)]
struct Charge {
    order: String,
    basket: Option<String>,
    amount_cents: u64,
}

#[derive(Debug, Serialize)]
struct Charged {
    receipt: String,
}

async fn charge(charge: web::Json<Charge>) -> Result<web::Json<Charged>, ChargeError> {
    info!(order = charge.order, amount_cents = charge.amount_cents, "charge requested");
    check_card(&charge).await?;
    let receipt = write_ledger(&charge).await?;
    info!(order = charge.order, receipt, "charged");
    Ok(web::Json(Charged { receipt }))
}

#[instrument(
    name = "check the card",
    skip_all,
    fields(
        amount_cents = charge.amount_cents,
        otel.status_code = field::Empty,
        otel.status_description = field::Empty,
    )
)]
async fn check_card(charge: &Charge) -> Result<(), ChargeError> {
    // The bank takes its time.
    sleep(Duration::from_millis(250)).await;
    if charge.amount_cents > LIMIT_CENTS {
        let span = Span::current();
        span.record("otel.status_code", "ERROR");
        span.record("otel.status_description", "over the card's limit");
        warn!(
            amount_cents = charge.amount_cents,
            limit_cents = LIMIT_CENTS,
            "over the card's limit"
        );
        return Err(ChargeError::OverLimit);
    }
    info!("card accepted");
    Ok(())
}

#[instrument(
    name = "write the ledger",
    skip_all,
    fields(receipt, otel.status_code = field::Empty, otel.status_description = field::Empty)
)]
async fn write_ledger(charge: &Charge) -> Result<String, ChargeError> {
    static LAST: AtomicU64 = AtomicU64::new(7000);
    sleep(Duration::from_millis(5)).await;
    if let Some(basket) = &charge.basket
        && !BOOKED.lock().unwrap_or_else(PoisonError::into_inner).insert(basket)
    {
        let error = ChargeError::BookedTwice;
        let span = Span::current();
        span.record("otel.status_code", "ERROR");
        span.record("otel.status_description", field::display(&error));
        error!(order = charge.order, basket, "{error}");
        return Err(error);
    }
    let receipt = format!("R-{}", LAST.fetch_add(1, Ordering::Relaxed) + 1);
    Span::current().record("receipt", &receipt);
    info!(amount_cents = charge.amount_cents, receipt, "booked");
    Ok(receipt)
}

static BOOKED: Mutex<Booked> = Mutex::new(Booked(VecDeque::new()));

/// The latest baskets in the ledger, each once.
struct Booked(VecDeque<String>);

impl Booked {
    const MAX: usize = 1000;

    fn insert(&mut self, basket: &str) -> bool {
        if self.0.iter().any(|booked| booked == basket) {
            return false;
        }
        if self.0.len() == Self::MAX {
            self.0.pop_front();
        }
        self.0.push_back(basket.to_owned());
        true
    }
}

#[derive(Debug, thiserror::Error)]
enum ChargeError {
    #[error("the body is not a charge: {0}")]
    Unreadable(String),
    #[error("over the card's limit")]
    OverLimit,
    #[error("duplicate key: the basket is in the ledger already")]
    BookedTwice,
}

impl ResponseError for ChargeError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Unreadable(_) => StatusCode::BAD_REQUEST,
            Self::OverLimit => StatusCode::PAYMENT_REQUIRED,
            Self::BookedTwice => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn error_response(&self) -> HttpResponse {
        if let Self::Unreadable(_) = self {
            error!(error = %self, "charge refused");
        }
        HttpResponse::build(self.status_code())
            .json(json!({ "error": "declined", "reason": self.to_string() }))
    }
}

/// The span of a request, as part of the caller's trace.
struct ChargeSpan;

impl RootSpanBuilder for ChargeSpan {
    fn on_request_start(request: &ServiceRequest) -> Span {
        let method = request.method().as_str();
        let route = request.match_pattern().unwrap_or_default();
        let span = info_span!(
            "request",
            otel.name = format!("{method} {route}"),
            otel.kind = "server",
            otel.status_code = field::Empty,
            http.request.method = method,
            http.route = route,
            http.response.status_code = field::Empty,
            session.id = SessionId::current().map(field::display),
        );
        let caller = TraceContextPropagator::new().extract(&Headers(request.headers()));
        // It fails only if nothing exports spans, and then there is no trace to continue.
        let _ = span.set_parent(caller);
        span
    }

    fn on_request_end<B: MessageBody>(
        span: Span,
        outcome: &Result<ServiceResponse<B>, actix_web::Error>,
    ) {
        let status = match outcome {
            Ok(response) => response.status(),
            Err(error) => error.as_response_error().status_code(),
        };
        span.record("http.response.status_code", i64::from(status.as_u16()));
        if status.is_server_error() {
            span.record("otel.status_code", "ERROR");
        }
    }
}

/// OpenTelemetry's view of actix-web's headers.
struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(|name| name.as_str()).collect()
    }
}
