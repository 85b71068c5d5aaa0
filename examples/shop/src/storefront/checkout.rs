//! `POST /api/checkout`: price the basket, reserve the stock, have payments charge the card.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use opentelemetry::Context;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry_http::HeaderInjector;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use qorrelate_tower::{PropagateSessionIdExt, PropagateSessionIdLayer, SessionClient};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::sleep;
use tracing::{Span, field, info, instrument, warn};

use super::basket::{Basket, BasketError};
use super::products;

/// The way to the payments service.
#[derive(Clone, Debug)]
pub(super) struct Payments {
    client: SessionClient,
    charge: Arc<str>,
}

impl Payments {
    pub(super) fn at(url: &str) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let uri: Uri = url.parse()?;
        // The session is forwarded to payments, and to no one else.
        let session = PropagateSessionIdLayer::to_hosts(uri.authority())?;
        // It is on this machine, whatever proxy leads out of it; and it must not hang a checkout for ever.
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(10))
            .build_propagating(session)?;
        Ok(Self { client, charge: format!("{url}/charge").into() })
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Order {
    order: String,
    items: u32,
    total_cents: u64,
    receipt: String,
}

pub(super) async fn checkout(
    State(payments): State<Payments>,
    body: Bytes,
) -> Result<Json<Order>, CheckoutError> {
    let basket = Basket::from_json(&body)?;
    let order = next_order();
    info!(order, items = basket.pieces(), "checkout started");

    let total_cents = price(&basket).await;
    reserve_stock(&order, &basket).await;
    let receipt = charge(&payments, &order, basket.id.as_deref(), total_cents).await?;

    info!(order, receipt, "order placed");
    Ok(Json(Order { order, items: basket.pieces(), total_cents, receipt }))
}

fn next_order() -> String {
    static LAST: AtomicU64 = AtomicU64::new(1000);
    format!("A-{}", LAST.fetch_add(1, Ordering::Relaxed) + 1)
}

#[instrument(name = "price the basket", skip_all, fields(total_cents))]
async fn price(basket: &Basket) -> u64 {
    sleep(Duration::from_millis(3)).await;
    let mut total_cents = 0;
    for line in &basket.lines {
        let price_cents = products::price_cents(&line.sku).unwrap_or_else(|| {
            warn!(sku = line.sku, "not on the shelf: priced as a special order");
            products::SPECIAL_ORDER_CENTS
        });
        total_cents += price_cents * u64::from(line.quantity);
    }
    Span::current().record("total_cents", total_cents);
    info!(total_cents, "basket priced");
    total_cents
}

#[instrument(name = "reserve the stock", skip_all, fields(order = order, lines = basket.lines.len()))]
async fn reserve_stock(order: &str, basket: &Basket) {
    for line in &basket.lines {
        sleep(Duration::from_millis(2)).await;
        info!(sku = line.sku, quantity = line.quantity, "reserved");
    }
}

#[instrument(
    name = "call payments",
    skip_all,
    fields(
        otel.kind = "client",
        otel.status_code = field::Empty,
        otel.status_description = field::Empty,
        http.request.method = "POST",
        url.full = %payments.charge,
        http.response.status_code = field::Empty,
    )
)]
async fn charge(
    payments: &Payments,
    order: &str,
    basket: Option<&str>,
    amount_cents: u64,
) -> Result<String, CheckoutError> {
    let outcome = request_charge(payments, order, basket, amount_cents).await;
    if let Err(error) = &outcome {
        let span = Span::current();
        span.record("otel.status_code", "ERROR");
        span.record("otel.status_description", field::display(error));
        warn!(order, amount_cents, %error, "the card was not charged");
    }
    outcome
}

async fn request_charge(
    payments: &Payments,
    order: &str,
    basket: Option<&str>,
    amount_cents: u64,
) -> Result<String, CheckoutError> {
    #[derive(Deserialize)]
    struct Charged {
        receipt: String,
    }
    #[derive(Deserialize)]
    struct Declined {
        reason: String,
    }

    // Payments continues this trace.
    let mut headers = HeaderMap::new();
    TraceContextPropagator::new()
        .inject_context(&Context::current(), &mut HeaderInjector(&mut headers));

    // And works for the same session, which the client takes care of.
    let request = payments
        .client
        .post(&*payments.charge)
        .headers(headers)
        .json(&json!({ "order": order, "basket": basket, "amount_cents": amount_cents }));
    let answer = request.send().await?;
    let status = answer.status();
    Span::current().record("http.response.status_code", status.as_u16());
    if status == StatusCode::PAYMENT_REQUIRED {
        let declined: Declined = answer.json().await?;
        return Err(CheckoutError::Declined(declined.reason));
    }
    let charged: Charged = answer.error_for_status()?.json().await?;
    Ok(charged.receipt)
}

#[derive(Debug, thiserror::Error)]
pub(super) enum CheckoutError {
    #[error(transparent)]
    Basket(#[from] BasketError),
    #[error("payment declined: {0}")]
    Declined(String),
    #[error("payments did not answer properly: {0}")]
    Payments(#[from] reqwest::Error),
}

impl IntoResponse for CheckoutError {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::Basket(BasketError::Unreadable(_)) => StatusCode::BAD_REQUEST,
            Self::Basket(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Declined(_) => StatusCode::PAYMENT_REQUIRED,
            Self::Payments(_) => StatusCode::BAD_GATEWAY,
        };
        if let Self::Basket(error) = &self {
            warn!(%error, "checkout refused");
        }
        (status, Json(json!({ "error": self.to_string() }))).into_response()
    }
}
