//! The middleware for actix-web, around a service that answers 200 and does nothing else.
//!
//! Measured: the service is called, its future is polled until it is done, and the response is
//! dropped, with the request that it holds. Not measured: building the request.

use std::future::{Ready, ready};
use std::task::{Context, Poll};

use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::test::TestRequest;
use actix_web::{Error, HttpResponse};
use actix_web_correlation_id::Correlation;
use bytes::Bytes;
use qorrelate_actix::SessionIdMiddleware;
use tracing_actix_web::TracingLogger;

use super::ID;
use crate::row::{Goal, Measured, Row, finish, measured};

const PEER: &str = "actix.tracing-actix-web";
const SESSION: &str = "x-session-id";

pub(super) fn rows() -> Vec<Row> {
    let valid = || bare(valid());
    vec![
        Row::peer(PEER, "tracing-actix-web's `TracingLogger`", || {
            served(TracingLogger::default(), self::valid())
        })
        .on_top_of(valid)
        .beside(PEER),
        Row::peer(
            "actix.correlation-id",
            "actix-web-correlation-id's `Correlation`, on the same header",
            || {
                let correlation = Correlation::default()
                    .request_header_name(HeaderName::from_static(SESSION))
                    .response_header_name(HeaderName::from_static(SESSION));
                served(correlation, self::valid())
            },
        )
        .on_top_of(valid)
        .beside(PEER),
        Row::ours("actix.valid", "`SessionIdMiddleware`, valid ID", || {
            served(SessionIdMiddleware::new(), self::valid())
        })
        .on_top_of(valid)
        .beside(PEER)
        .goal(Goal::AtMost(1400, 1)),
        Row::ours("actix.absent", "header absent", || served(SessionIdMiddleware::new(), absent()))
            .on_top_of(|| bare(absent()))
            .beside(PEER),
        Row::ours("actix.malformed-129", "malformed, 129 bytes", || {
            served(SessionIdMiddleware::new(), malformed(129))
        })
        .on_top_of(|| bare(malformed(129)))
        .beside(PEER)
        .goal(Goal::SameAs("actix.malformed-64k")),
        Row::ours("actix.malformed-64k", "malformed, 64 KiB", || {
            served(SessionIdMiddleware::new(), malformed(64 * 1024))
        })
        .on_top_of(|| bare(malformed(64 * 1024)))
        .beside(PEER)
        .goal(Goal::SameAs("actix.malformed-129")),
        Row::ours("actix.echo", "valid ID, sent back in a response header", || {
            served(SessionIdMiddleware::new().response_header(SESSION).unwrap(), self::valid())
        })
        .on_top_of(valid)
        .beside(PEER),
    ]
}

fn valid() -> impl Fn() -> ServiceRequest {
    request(SESSION, ID)
}

fn absent() -> impl Fn() -> ServiceRequest {
    request("x-another-id", ID)
}

fn malformed(bytes: usize) -> impl Fn() -> ServiceRequest {
    request(SESSION, &"a".repeat(bytes))
}

/// Builds requests with four headers, of which this one is the last. Its value is a part of a buffer,
/// as those are that actix-http has read, so what drops the request does not free it.
fn request(name: &'static str, value: &str) -> impl Fn() -> ServiceRequest + use<> {
    let value = HeaderValue::from_maybe_shared(Bytes::from(value.to_owned())).unwrap();
    move || {
        TestRequest::default()
            .insert_header(("host", "api.example"))
            .insert_header(("user-agent", "Mozilla/5.0"))
            .insert_header(("accept", "*/*"))
            .insert_header((HeaderName::from_bytes(name.as_bytes()).unwrap(), value.clone()))
            .to_srv_request()
    }
}

fn bare(request: impl Fn() -> ServiceRequest + 'static) -> Box<dyn Measured> {
    measured(request, move |request| drop(finish(NoOp.call(request))))
}

fn served<T, B>(middleware: T, request: impl Fn() -> ServiceRequest + 'static) -> Box<dyn Measured>
where
    T: Transform<NoOp, ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    T::Transform: 'static,
    T::InitError: std::fmt::Debug,
{
    let service = finish(middleware.new_transform(NoOp)).unwrap();
    measured(request, move |request| drop(finish(service.call(request))))
}

/// The service that does nothing.
#[derive(Debug, Clone, Copy)]
struct NoOp;

impl Service<ServiceRequest> for NoOp {
    type Response = ServiceResponse;
    type Error = Error;
    type Future = Ready<Result<ServiceResponse, Error>>;

    fn poll_ready(&self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&self, request: ServiceRequest) -> Self::Future {
        ready(Ok(request.into_response(HttpResponse::Ok().finish())))
    }
}
