//! The forms of recorders that keep JSON in a cookie. Of each, nothing but the ID is taken: it may hold a
//! user's name too.

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;

use super::format::{Extracted, UnexpectedFormat, hex_32, id_if, is_uuid};

/// Splunk and HyperDX: `{"id":"<32 hex>",…}`.
pub(super) fn otel_web(value: &str) -> Extracted<'_> {
    owned(hex_32(text(&parsed(value)?, "/id")?))
}

/// PostHog: `{"$sesid":[<ms>,"<UUID>",<ms>],…}`. The ID is null before there is a session.
pub(super) fn posthog(value: &str) -> Extracted<'_> {
    let json = parsed(value)?;
    match json.pointer("/$sesid/1") {
        None | Some(Value::Null) if json.is_object() => Ok(None),
        Some(Value::String(id)) => owned(id_if(is_uuid(id), id)),
        _ => Err(UnexpectedFormat),
    }
}

/// CloudWatch RUM: base64 of `{"sessionId":"<UUID>",…}`.
pub(super) fn aws_rum(value: &str) -> Extracted<'_> {
    let json = parsed(&from_base64(value)?)?;
    let id = text(&json, "/sessionId")?;
    owned(id_if(is_uuid(id), id))
}

/// Amplitude: base64 of percent-encoded `{"deviceId":"…","sessionId":<ms>,…}`. A session is -1 before there is
/// one.
pub(super) fn amplitude(value: &str) -> Extracted<'_> {
    let json = from_base64(value)?;
    let json = percent_encoding::percent_decode_str(&json).decode_utf8();
    let json = parsed(&json.map_err(|_| UnexpectedFormat)?)?;
    if json.get("optOut") == Some(&Value::Bool(true)) {
        return Ok(None);
    }
    match json.get("sessionId").and_then(Value::as_i64) {
        None if json.get("sessionId").is_some() => Err(UnexpectedFormat),
        None | Some(..=0) => Ok(None),
        Some(session) => {
            let device = text(&json, "/deviceId")?;
            let is_device = !device.is_empty()
                && device.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
            id_if(is_device, format!("{device}/{session}"))
        }
    }
}

fn parsed(value: &str) -> Result<Value, UnexpectedFormat> {
    serde_json::from_str(value).map_err(|_| UnexpectedFormat)
}

fn text<'a>(json: &'a Value, pointer: &str) -> Result<&'a str, UnexpectedFormat> {
    json.pointer(pointer).and_then(Value::as_str).ok_or(UnexpectedFormat)
}

fn from_base64(value: &str) -> Result<String, UnexpectedFormat> {
    const CONFIG: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    const ENGINE: GeneralPurpose = GeneralPurpose::new(&STANDARD, CONFIG);

    let bytes = ENGINE.decode(value).map_err(|_| UnexpectedFormat)?;
    String::from_utf8(bytes).map_err(|_| UnexpectedFormat)
}

fn owned(id: Extracted<'_>) -> Extracted<'static> {
    Ok(id?.map(|id| Cow::Owned(id.into_owned())))
}
