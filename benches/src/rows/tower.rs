//! The layer for servers, on a service that does nothing.
//!
//! Measured: the service is called, its future is polled until it is done, and the response is
//! dropped. Not measured: building the request. The request is dropped by the service, so that is in
//! what is bare.

use std::convert::Infallible;
use std::fmt::Debug;
use std::future::{Ready, poll_fn, ready};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response};
use http_body::Body;
use http_body_util::Full;
use http_body_util::combinators::UnsyncBoxBody;
use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::{Sampler, ShouldSample};
use qorrelate_core::opentelemetry_0_33::{SessionSampler, count_requests};
use qorrelate_tower::{SessionId, SessionIdLayer, Source};
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_layer::Layer;
use tower_service::Service;

use super::ID;
use super::telemetry::{self, request_span};
use crate::peers::ByHand;
use crate::row::{Goal, Measured, Row, finish, measured};

const PEER: &str = "tower.request-id";
const SESSION: &str = "x-session-id";

pub(super) fn rows() -> Vec<Row> {
    let valid = || served(Handler(no_op), self::valid());
    vec![
        Row::peer(
            PEER,
            "tower-http's `SetRequestIdLayer` and `PropagateRequestIdLayer`, on the same header",
            || served(request_id_pair(SESSION), self::valid()),
        )
        .on_top_of(valid)
        .beside(PEER),
        Row::peer(
            "tower.request-id-made",
            "the same, on a header of its own, for which it makes a UUID",
            || served(request_id_pair("x-request-id"), self::valid()),
        )
        .on_top_of(valid)
        .beside(PEER),
        Row::peer("tower.by-hand", "by hand: check, record, extension, context", || {
            served(ByHand(Handler(no_op)), self::valid())
        })
        .on_top_of(valid)
        .beside(PEER),
        Row::ours("tower.valid", "`SessionIdLayer`, valid ID", || {
            served(layer().layer(Handler(no_op)), self::valid())
        })
        .on_top_of(valid)
        .beside(PEER)
        .goal(Goal::AtMost(1400, 1)),
        Row::ours("tower.absent", "header absent", || {
            served(layer().layer(Handler(no_op)), absent())
        })
        .on_top_of(|| served(Handler(no_op), absent()))
        .beside(PEER)
        .goal(Goal::AtMost(350, 0)),
        Row::ours("tower.poll", "one more poll of the service's future, in a session", || {
            served(layer().layer(Pending(2)), self::valid())
        })
        .on_top_of(|| served(layer().layer(Pending(1)), self::valid()))
        .beside(PEER)
        .goal(Goal::AtMost(60, 0)),
        Row::ours("tower.context", "valid ID, in OpenTelemetry's context too", || {
            let layer = layer().opentelemetry_0_33_context(true);
            served(layer.layer(Handler(no_op)), self::valid())
        })
        .on_top_of(valid)
        .beside(PEER)
        .goal(Goal::AtMost(2400, 4)),
        Row::ours("tower.extension", "valid ID, in the request's extensions too", || {
            let layer = layer().insert_extension(true);
            served(layer.layer(Handler(no_op)), self::valid())
        })
        .on_top_of(valid)
        .beside(PEER),
        Row::ours("tower.malformed-129", "malformed, 129 bytes", || {
            served(layer().layer(Handler(no_op)), malformed(129))
        })
        .on_top_of(|| served(Handler(no_op), malformed(129)))
        .beside(PEER)
        .goal(Goal::SameAs("tower.malformed-64k")),
        Row::ours("tower.malformed-64k", "malformed, 64 KiB", || {
            served(layer().layer(Handler(no_op)), malformed(64 * 1024))
        })
        .on_top_of(|| served(Handler(no_op), malformed(64 * 1024)))
        .beside(PEER)
        .goal(Goal::SameAs("tower.malformed-129")),
        Row::ours("tower.read", "valid ID, and the service reads `SessionId::current()`", || {
            served(layer().layer(Handler(reads)), self::valid())
        })
        .on_top_of(valid)
        .beside(PEER),
        Row::ours("tower.echo", "valid ID, sent back in a response header", || {
            served(layer().response_header(SESSION).unwrap().layer(Handler(no_op)), self::valid())
        })
        .on_top_of(valid)
        .beside(PEER),
        Row::ours(
            "tower.counted",
            "valid ID, and the request is counted (`count_requests`)",
            || {
                let reader = PeriodicReader::builder(InMemoryMetricExporter::default()).build();
                let meters = SdkMeterProvider::builder().with_reader(reader).build();
                let count = count_requests(&meters.meter("benches"));
                let counted = layer().on_outcome(move |outcome, request| {
                    let _ = &meters;
                    count(outcome, request);
                });
                served(counted.layer(Handler(no_op)), self::valid())
            },
        )
        .on_top_of(valid)
        .beside(PEER),
        Row::ours("tower.sources-2", "2 sources, valid ID in the last", || {
            let layer = layer().sources([Source::query("sid"), Source::header(SESSION)]).unwrap();
            served(layer.layer(Handler(no_op)), self::valid())
        })
        .on_top_of(valid)
        .beside(PEER),
        Row::ours("tower.sources-4", "4 sources, valid ID in the last", || {
            let [a, b, c] = [Source::query("sid"), Source::baggage(), Source::cookie("sid")];
            let layer = layer().sources([a, b, c, Source::header(SESSION)]).unwrap();
            served(layer.layer(Handler(no_op)), self::valid())
        })
        .on_top_of(valid)
        .beside(PEER),
        Row::ours("tower.body", "valid ID, and a body in the response, which is read", || {
            served_and_read(layer().layer(Handler(says_hello)), self::valid())
        })
        .on_top_of(|| served_and_read(Handler(says_hello), self::valid()))
        .beside(PEER),
        Row::ours("tower.traced", "valid ID, and a span for the request, which is tagged", || {
            traced(SessionSampler::new(Sampler::AlwaysOn), layer().layer(Handler(in_span)))
        })
        .on_top_of(|| traced(Sampler::AlwaysOn, Handler(in_span)))
        .beside(PEER),
        Row::ours("tower.headers-16", "valid ID, 16 headers", || {
            served(layer().layer(Handler(no_op)), request(16, SESSION, ID))
        })
        .on_top_of(|| served(Handler(no_op), request(16, SESSION, ID)))
        .beside(PEER),
        Row::ours("tower.headers-64", "valid ID, 64 headers", || {
            served(layer().layer(Handler(no_op)), request(64, SESSION, ID))
        })
        .on_top_of(|| served(Handler(no_op), request(64, SESSION, ID)))
        .beside(PEER),
    ]
}

fn layer() -> SessionIdLayer {
    SessionIdLayer::new()
}

/// Serves with a subscriber that hands all spans to OpenTelemetry.
fn traced<S, B>(sampler: impl ShouldSample + 'static, mut service: S) -> Box<dyn Measured>
where
    S: Service<Request<()>, Response = Response<B>, Error = Infallible> + 'static,
{
    let default = telemetry::traced(sampler);
    measured(valid(), move |request| {
        let _ = &default;
        drop(finish(service.call(request)));
    })
}

fn request_id_pair(
    header: &'static str,
) -> impl Service<Request<()>, Response = Response<()>, Error = Infallible> {
    let name = HeaderName::from_static(header);
    SetRequestIdLayer::new(name.clone(), MakeRequestUuid)
        .layer(PropagateRequestIdLayer::new(name).layer(Handler(no_op)))
}

pub(super) fn valid() -> impl Fn() -> Request<()> {
    request(4, SESSION, ID)
}

pub(super) fn absent() -> impl Fn() -> Request<()> {
    request(4, "x-another-id", ID)
}

fn malformed(bytes: usize) -> impl Fn() -> Request<()> {
    request(4, SESSION, &"a".repeat(bytes))
}

/// Builds requests with so many headers, of which this one is the last.
pub(super) fn request(headers: usize, name: &str, value: &str) -> impl Fn() -> Request<()> + use<> {
    let usual = [("host", "api.example"), ("user-agent", "Mozilla/5.0"), ("accept", "*/*")];
    let mut lines = usual.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    lines.extend((4..headers).map(|n| (format!("x-other-{n}"), format!("value {n}"))));
    lines.push((name.to_owned(), value.to_owned()));
    with_headers(&lines)
}

/// Builds requests with these headers.
///
/// They are kept as hyper keeps those that it has read: the values are parts of the connection's
/// buffer, and the name of the last one, which is not among the usual ones, has an allocation of its
/// own.
pub(super) fn with_headers(lines: &[(String, String)]) -> impl Fn() -> Request<()> + use<> {
    let buffer = Bytes::from(lines.iter().map(|(_, value)| value.as_str()).collect::<String>());
    let mut start = 0;
    let others = lines.len() - 1;
    let last = lines[others].0.clone();
    let lines: Vec<_> = lines
        .iter()
        .map(|(name, value)| {
            let end = start + value.len();
            let value = HeaderValue::from_maybe_shared(buffer.slice(start..end)).unwrap();
            start = end;
            (HeaderName::from_static(name.clone().leak()), value)
        })
        .collect();
    move || {
        let mut request = Request::new(());
        let headers = request.headers_mut();
        headers.extend(lines[..others].iter().map(|(name, value)| (name.clone(), value.clone())));
        headers.append(HeaderName::from_bytes(last.as_bytes()).unwrap(), lines[others].1.clone());
        request
    }
}

pub(super) fn served<S, B, E>(
    mut service: S,
    request: impl Fn() -> Request<()> + 'static,
) -> Box<dyn Measured>
where
    S: Service<Request<()>, Response = Response<B>, Error = E> + 'static,
{
    measured(request, move |request| drop(finish(service.call(request))))
}

/// The same, and reads the body as hyper does.
fn served_and_read<S, B>(
    mut service: S,
    request: impl Fn() -> Request<()> + 'static,
) -> Box<dyn Measured>
where
    S: Service<Request<()>, Response = Response<B>, Error = Infallible> + 'static,
    B: Body<Data = Bytes, Error: Debug>,
{
    measured(request, move |request| read(&mut service, request))
}

/// Serves a request, and reads the body of the response as hyper does.
pub(super) fn read<S, R, B>(service: &mut S, request: Request<R>)
where
    S: Service<Request<R>, Response = Response<B>, Error = Infallible>,
    B: Body<Data = Bytes, Error: Debug>,
{
    let Ok(response) = finish(service.call(request));
    let mut body = pin!(response.into_body());
    while !body.is_end_stream() {
        drop(finish(poll_fn(|cx| body.as_mut().poll_frame(cx))));
    }
}

/// A service that answers at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Handler<F>(pub(super) F);

impl<F, B> Service<Request<()>> for Handler<F>
where
    F: Fn(Request<()>) -> Response<B>,
{
    type Response = Response<B>;
    type Error = Infallible;
    type Future = Ready<Result<Response<B>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        ready(Ok((self.0)(request)))
    }
}

/// A service that answers nothing after so many polls that were too early.
#[derive(Debug, Clone, Copy)]
struct Pending(u32);

impl Service<Request<()>> for Pending {
    type Response = Response<()>;
    type Error = Infallible;
    type Future = PendingFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> PendingFuture {
        drop(request);
        PendingFuture(self.0)
    }
}

#[derive(Debug)]
struct PendingFuture(u32);

impl Future for PendingFuture {
    type Output = Result<Response<()>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        match self.0.checked_sub(1) {
            Some(left) => {
                self.0 = left;
                Poll::Pending
            }
            None => Poll::Ready(Ok(Response::new(()))),
        }
    }
}

/// Does nothing.
pub(super) fn no_op(request: Request<()>) -> Response<()> {
    drop(request);
    Response::new(())
}

/// Looks at the session.
fn reads(request: Request<()>) -> Response<()> {
    assert!(SessionId::current().is_some());
    no_op(request)
}

/// Answers five bytes, boxed as axum boxes its bodies.
fn says_hello(request: Request<()>) -> Response<UnsyncBoxBody<Bytes, Infallible>> {
    no_op(request).map(|()| UnsyncBoxBody::new(Full::from("hello")))
}

/// Has a span for the request.
fn in_span(request: Request<()>) -> Response<()> {
    request_span().in_scope(|| no_op(request))
}
