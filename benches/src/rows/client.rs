//! The layer for clients, around a client that sends nothing, in a session.
//!
//! Measured: the client is called, and its future is polled until it is done; in it, the request is
//! dropped. Not measured: building the request.

use http::{HeaderName, Request};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use qorrelate_tower::{Carrier, PropagateSessionIdLayer};
use tower_layer::Layer;
use tower_service::Service;

use super::id;
use super::telemetry::subscribed;
use super::tower::{Handler, no_op, request};
use crate::peers::Inject;
use crate::row::{Goal, Measured, Row, finish, measured};

const PEER: &str = "client.inject";

pub(super) fn rows() -> Vec<Row> {
    let bare = || sent(Handler(no_op), NAMED);
    vec![
        Row::peer(
            PEER,
            "reqwest-tracing's header injection (its code, for OpenTelemetry 0.33)",
            || {
                opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
                let provider = SdkTracerProvider::builder().build();
                let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("benches"));
                let default = subscribed(layer);
                let entered = tracing::info_span!("request").entered();
                let mut client = Inject(Handler(no_op));
                measured(to(NAMED), move |request| {
                    let _ = (&default, &entered);
                    drop(finish(client.call(request)));
                })
            },
        )
        .on_top_of(bare)
        .beside(PEER),
        Row::ours("client.named", "`PropagateSessionIdLayer`, to a host that is named", || {
            sent(layer().layer(Handler(no_op)), NAMED)
        })
        .on_top_of(bare)
        .beside(PEER)
        .goal(Goal::Times(0.5)),
        Row::ours("client.other", "to another host", || sent(layer().layer(Handler(no_op)), OTHER))
            .on_top_of(|| sent(Handler(no_op), OTHER))
            .beside(PEER),
        Row::ours("client.hosts-16", "to the last of 16 hosts that are named", || {
            let hosts = (0..15).map(|n| format!("service-{n}.internal"));
            let hosts: Vec<_> = hosts.chain([HOST.to_owned()]).collect();
            let layer = PropagateSessionIdLayer::to_hosts(hosts.iter().map(String::as_str));
            sent(layer.unwrap().layer(Handler(no_op)), NAMED)
        })
        .on_top_of(bare)
        .beside(PEER),
        Row::ours("client.baggage", "to a host that is named, in baggage", || {
            sent(layer().carriers([Carrier::baggage()]).unwrap().layer(Handler(no_op)), NAMED)
        })
        .on_top_of(bare)
        .beside(PEER),
    ]
}

const HOST: &str = "payments.internal";
const NAMED: &str = "http://payments.internal:8080/charge";
const OTHER: &str = "http://example.com/";

fn layer() -> PropagateSessionIdLayer {
    PropagateSessionIdLayer::to_hosts([HOST]).unwrap()
}

fn to(uri: &'static str) -> impl Fn() -> Request<()> {
    let request = request(4, "content-type", "application/json");
    let uri: http::Uri = uri.parse().unwrap();
    move || {
        let mut request = request();
        *request.uri_mut() = uri.clone();
        // As a client does that has its own headers to add: there is room for another.
        request.headers_mut().reserve(2);
        debug_assert!(!request.headers().contains_key(HeaderName::from_static("x-session-id")));
        request
    }
}

fn sent<S>(mut client: S, uri: &'static str) -> Box<dyn Measured>
where
    S: Service<Request<()>> + 'static,
{
    let session = id().enter();
    measured(to(uri), move |request| {
        let _ = &session;
        drop(finish(client.call(request)));
    })
}
