//! Reading an ID out of bytes, and out of W3C Baggage.
//!
//! The rows of baggage are the whole layer on the service that does nothing: what is read is made the
//! current session too. The propagator only reads.

use http::Request;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry_http::HeaderExtractor;
use opentelemetry_sdk::propagation::BaggagePropagator;
use qorrelate_core::SessionId;
use qorrelate_tower::{SessionIdLayer, Source};
use std::hint::black_box;
use tower_layer::Layer;
use tower_service::Service;

use super::ID;
use super::tower::{Handler, no_op, request, served};
use crate::row::{Goal, Measured, Row, finish, measured};

pub(super) fn ids() -> Vec<Row> {
    const PEER: &str = "parse.uuid";
    vec![
        Row::peer(PEER, "uuid's `Uuid::try_parse`, of the same UUID", || {
            measured(|| ID, |id| drop(black_box(uuid::Uuid::try_parse(id))))
        })
        .beside(PEER),
        Row::ours("parse.valid", "`SessionId`, a UUID", || parse(ID.to_owned())).beside(PEER),
        Row::ours("parse.128", "`SessionId`, 128 bytes", || parse("a".repeat(128))).beside(PEER),
        Row::ours("parse.forbidden", "`SessionId`, a UUID and a forbidden byte", || {
            parse(format!("{ID}@"))
        })
        .beside(PEER),
        Row::ours("parse.64k", "`SessionId`, 64 KiB", || parse("a".repeat(64 * 1024))).beside(PEER),
    ]
}

fn parse(bytes: String) -> Box<dyn Measured> {
    measured(|| (), move |()| drop(black_box(SessionId::try_from(black_box(bytes.as_bytes())))))
}

pub(super) fn baggage() -> Vec<Row> {
    const PEER: &str = "baggage.sdk-8k";
    vec![
        Row::peer(PEER, "the SDK's `BaggagePropagator`, 64 members, 8 KiB", || {
            extracted(members(64, 8192))
        })
        .on_top_of(|| dropped(members(64, 8192)))
        .beside(PEER),
        Row::ours("baggage.8k", "`SessionIdLayer`, 64 members, 8 KiB, ours the last", || {
            read(members(64, 8192))
        })
        .on_top_of(|| dropped(members(64, 8192)))
        .beside(PEER)
        .goal(Goal::Below("tower.valid")),
        Row::ours("baggage.1", "`SessionIdLayer`, 1 member, ours", || read(members(1, 0)))
            .on_top_of(|| dropped(members(1, 0)))
            .beside(PEER),
        Row::ours("baggage.16", "`SessionIdLayer`, 16 members, ours the last", || {
            read(members(16, 0))
        })
        .on_top_of(|| dropped(members(16, 0)))
        .beside(PEER),
        Row::ours("baggage.64", "`SessionIdLayer`, 64 members, ours the last", || {
            read(members(64, 0))
        })
        .on_top_of(|| dropped(members(64, 0)))
        .beside(PEER),
        Row::peer("baggage.sdk-1", "the SDK's `BaggagePropagator`, 1 member", || {
            extracted(members(1, 0))
        })
        .on_top_of(|| dropped(members(1, 0)))
        .beside(PEER),
        Row::peer("baggage.sdk-64", "the SDK's `BaggagePropagator`, 64 members", || {
            extracted(members(64, 0))
        })
        .on_top_of(|| dropped(members(64, 0)))
        .beside(PEER),
    ]
}

/// So many members, of which ours is the last, and which are so many bytes if they are not more.
fn members(count: usize, bytes: usize) -> String {
    let ours = format!("session.id={ID}");
    let others = count - 1;
    let each = bytes.saturating_sub(ours.len()).checked_div(others).unwrap_or(0);
    let mut text = String::new();
    for n in 0..others {
        let key = format!("member-{n:02}=");
        // One less for the comma.
        let value = "v".repeat(each.saturating_sub(key.len() + 1).max(1));
        text += &format!("{key}{value},");
    }
    text + &ours
}

fn with_baggage(baggage: String) -> impl Fn() -> Request<()> {
    request(4, "baggage", &baggage)
}

fn dropped(baggage: String) -> Box<dyn Measured> {
    served(Handler(no_op), with_baggage(baggage))
}

fn read(baggage: String) -> Box<dyn Measured> {
    let layer = SessionIdLayer::new().sources([Source::baggage()]).unwrap();
    served(layer.layer(Handler(no_op)), with_baggage(baggage))
}

fn extracted(baggage: String) -> Box<dyn Measured> {
    let propagator = BaggagePropagator::new();
    let mut service = Handler(no_op);
    measured(with_baggage(baggage), move |request| {
        let context = propagator.extract(&HeaderExtractor(request.headers()));
        drop(black_box(context));
        drop(finish(service.call(request)));
    })
}
