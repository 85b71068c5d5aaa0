//! Walks an OTLP request record by record.
//!
//! Decoding a whole request at once would ask for far more memory than it has bytes: an empty span is two bytes on
//! the wire and about three hundred in memory. So the outer messages are walked where they lie, and one record
//! at a time is decoded. Traces and logs have the same shape: resources of scopes of records.

use std::sync::Arc;

use axum::body::Bytes;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use prost::Message;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::model::{Resource, Scope};

use super::decode;

/// A record, a resource or a scope that is larger (encoded) is not kept.
pub(crate) const MAX_RECORD: usize = 64 * 1024;

/// A request with more records is refused.
pub(crate) const MAX_RECORDS: usize = 50_000;

/// A request that is not what it says it is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("not protobuf: {0}")]
    Protobuf(#[from] prost::DecodeError),
    #[error("not OTLP as JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("not protobuf: a field ends early or has an unknown type")]
    Wire,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum WalkError<E> {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("a request may have {MAX_RECORDS} records")]
    TooMany,
    #[error("{0}")]
    Keep(E),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Encoding {
    Protobuf,
    Json,
}

/// One record and its surroundings; `None` for what is too large to be looked at.
pub(crate) type Found<R> = Option<(Arc<Resource>, Arc<Scope>, R)>;

/// Calls `keep` for each record in turn.
pub(crate) fn walk<R, E>(
    encoding: Encoding,
    body: &Bytes,
    mut keep: impl FnMut(Found<R>) -> Result<(), E>,
) -> Result<(), WalkError<E>>
where
    R: Message + Default + DeserializeOwned,
{
    let mut count = 0;
    let mut each = |found: Found<R>| {
        count += 1;
        if count > MAX_RECORDS {
            return Err(WalkError::TooMany);
        }
        keep(found).map_err(WalkError::Keep)
    };
    match encoding {
        Encoding::Protobuf => walk_protobuf(body, &mut each),
        Encoding::Json => walk_json(body, &mut each),
    }
}

/// The numbers of the fields are the same for traces and logs.
fn walk_protobuf<R, E>(
    body: &Bytes,
    each: &mut impl FnMut(Found<R>) -> Result<(), WalkError<E>>,
) -> Result<(), WalkError<E>>
where
    R: Message + Default,
{
    for of_resource in messages(body, 1) {
        let of_resource = of_resource?;
        let resource = match messages(&of_resource, 1).next().transpose()? {
            Some(bytes) if bytes.len() > MAX_RECORD => None,
            Some(bytes) => decode::resource(Some(Message::decode(bytes).map_err(Malformed::from)?)),
            None => decode::resource(None),
        };
        for of_scope in messages(&of_resource, 2) {
            let of_scope = of_scope?;
            let scope = match messages(&of_scope, 1).next().transpose()? {
                Some(bytes) if bytes.len() > MAX_RECORD => None,
                Some(bytes) => {
                    let scope: InstrumentationScope =
                        Message::decode(bytes).map_err(Malformed::from)?;
                    Some(decode::scope(scope))
                }
                None => Some(Arc::default()),
            };
            for record in messages(&of_scope, 2) {
                let record = record?;
                each(match (&resource, &scope) {
                    (Some(resource), Some(scope)) if record.len() <= MAX_RECORD => {
                        let record = R::decode(record).map_err(Malformed::from)?;
                        Some((Arc::clone(resource), Arc::clone(scope), record))
                    }
                    _ => None,
                })?;
            }
        }
    }
    Ok(())
}

/// The fields of a message that are messages themselves and have this number.
fn messages(message: &Bytes, number: u64) -> impl Iterator<Item = Result<Bytes, Malformed>> {
    Fields(message.clone()).filter_map(move |field| match field {
        Ok((of, bytes)) => (of == number).then_some(Ok(bytes)),
        Err(malformed) => Some(Err(malformed)),
    })
}

/// The length-delimited fields of a message; others are passed over.
struct Fields(Bytes);

impl Iterator for Fields {
    type Item = Result<(u64, Bytes), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.0.is_empty() {
            match self.field() {
                Some((_, None)) => {}
                Some((number, Some(bytes))) => return Some(Ok((number, bytes))),
                None => {
                    self.0.clear();
                    return Some(Err(Malformed::Wire));
                }
            }
        }
        None
    }
}

impl Fields {
    fn field(&mut self) -> Option<(u64, Option<Bytes>)> {
        let key = self.varint()?;
        let number = key >> 3;
        match key & 7 {
            0 => {
                self.varint()?;
            }
            1 => drop(self.bytes(8)?),
            2 => {
                let length = self.varint()?.try_into().ok()?;
                return Some((number, Some(self.bytes(length)?)));
            }
            5 => drop(self.bytes(4)?),
            _ => return None,
        }
        Some((number, None))
    }

    fn varint(&mut self) -> Option<u64> {
        let end = self.0.iter().take(10).position(|byte| byte & 0x80 == 0)?;
        let bytes = self.0.split_to(end + 1);
        Some(bytes.iter().rev().fold(0, |value, byte| (value << 7) | u64::from(byte & 0x7f)))
    }

    fn bytes(&mut self, count: usize) -> Option<Bytes> {
        (count <= self.0.len()).then(|| self.0.split_to(count))
    }
}

#[derive(Deserialize)]
struct JsonRequest<'a> {
    #[serde(borrow, default, alias = "resourceLogs", rename = "resourceSpans")]
    resources: Vec<JsonResource<'a>>,
}

#[derive(Deserialize)]
struct JsonResource<'a> {
    #[serde(borrow, default)]
    resource: Option<&'a RawValue>,
    #[serde(borrow, default, alias = "scopeLogs", rename = "scopeSpans")]
    scopes: Vec<JsonScope<'a>>,
}

#[derive(Deserialize)]
struct JsonScope<'a> {
    #[serde(borrow, default)]
    scope: Option<&'a RawValue>,
    #[serde(borrow, default, alias = "logRecords", rename = "spans")]
    records: Vec<&'a RawValue>,
}

fn walk_json<R, E>(
    body: &[u8],
    each: &mut impl FnMut(Found<R>) -> Result<(), WalkError<E>>,
) -> Result<(), WalkError<E>>
where
    R: DeserializeOwned,
{
    let request: JsonRequest<'_> = serde_json::from_slice(body).map_err(Malformed::from)?;
    for of_resource in &request.resources {
        let resource = match of_resource.resource {
            Some(text) if text.get().len() > MAX_RECORD => None,
            Some(text) => decode::resource(Some(parse(text)?)),
            None => decode::resource(None),
        };
        for of_scope in &of_resource.scopes {
            let scope = match of_scope.scope {
                Some(text) if text.get().len() > MAX_RECORD => None,
                Some(text) => Some(decode::scope(parse(text)?)),
                None => Some(Arc::default()),
            };
            for record in &of_scope.records {
                each(match (&resource, &scope) {
                    (Some(resource), Some(scope)) if record.get().len() <= MAX_RECORD => {
                        Some((Arc::clone(resource), Arc::clone(scope), parse(record)?))
                    }
                    _ => None,
                })?;
            }
        }
    }
    Ok(())
}

fn parse<T: DeserializeOwned>(text: &RawValue) -> Result<T, Malformed> {
    Ok(serde_json::from_str(text.get())?)
}
