//! A batch of a recording: checked without building it in memory, for it can be large and comes from anyone.

use std::borrow::Cow;
use std::fmt;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use qorrelate_core::SessionId;
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::model::Timestamp;
use crate::recording::{Moment, Recording, Seen, Short};

/// Events per batch.
const MAX_EVENTS: usize = 10_000;

/// Bytes of one event: a picture of a whole page may be large.
const MAX_EVENT: usize = 4 * 1024 * 1024;

/// Brackets within brackets: about two for each level of the page's tree.
const MAX_DEPTH: usize = 1_000;

/// Bytes of a custom event that is looked into.
const MAX_MOMENT: usize = 64 * 1024;

/// Further away from the time of sending, an event's time is nonsense.
const MAX_AGE_MS: f64 = 24.0 * 60.0 * 60.0 * 1000.0;

/// Doing nothing for longer ends a stretch of activity.
const PAUSE_NANOS: i64 = 2_000_000_000;

/// Why a batch is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum BatchError {
    #[error("not a batch of a recording: {0}")]
    Json(#[from] serde_json::Error),
    #[error("`session` is not a session ID: {0}")]
    Session(#[from] qorrelate_core::ParseSessionIdError),
    #[error("`tab` is not 16 hexadecimal digits")]
    Tab,
    #[error("a batch has at least one event")]
    Empty,
    #[error("an event may have {MAX_EVENT} bytes and {MAX_DEPTH} brackets within brackets")]
    Event,
    #[error("`sent` is not a time, or an event is further than a day from it")]
    Time,
}

/// What the script sends, its events unread.
#[derive(Deserialize)]
pub(super) struct Batch<'a> {
    #[serde(borrow)]
    pub(super) org: Cow<'a, str>,
    session: String,
    tab: String,
    sequence: u32,
    sent: f64,
    #[serde(default)]
    dropped: u32,
    #[serde(default)]
    user: Option<Short>,
    #[serde(borrow)]
    events: Events<'a>,
}

struct Events<'a>(Vec<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Events<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bounded;
        impl<'de> Visitor<'de> for Bounded {
            type Value = Events<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, "at most {MAX_EVENTS} events")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut events: A) -> Result<Events<'de>, A::Error> {
                let mut all = Vec::new();
                while let Some(event) = events.next_element()? {
                    if all.len() == MAX_EVENTS {
                        return Err(A::Error::custom(format!(
                            "a batch has at most {MAX_EVENTS} events"
                        )));
                    }
                    all.push(event);
                }
                Ok(Events(all))
            }
        }
        deserializer.deserialize_seq(Bounded)
    }
}

/// What all events of rrweb have.
#[derive(Deserialize)]
struct Event<'a> {
    #[serde(rename = "type")]
    kind: u8,
    timestamp: f64,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

/// rrweb's types of events that matter here.
const FULL_SNAPSHOT: u8 = 2;
const INCREMENTAL: u8 = 3;
const META: u8 = 4;
const CUSTOM: u8 = 5;

/// rrweb's sources of increments that are somebody's doing: moving, clicking, scrolling, typing, touching, playing a
/// video, dragging, selecting.
const DOING: [u8; 8] = [1, 2, 3, 5, 6, 7, 12, 14];

#[derive(Deserialize)]
struct Increment {
    source: u8,
}

impl Batch<'_> {
    pub(super) fn check(self, arrived: Timestamp) -> Result<Recording, BatchError> {
        let session_id = self.session.parse::<SessionId>()?.to_string();
        let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if self.tab.len() != 16 || !self.tab.bytes().all(is_hex) {
            return Err(BatchError::Tab);
        }
        let sent = Timestamp::from_unix_millis(self.sent).ok_or(BatchError::Time)?;
        let mut recording = Recording {
            session_id,
            tab: self.tab,
            sequence: self.sequence,
            sent,
            arrived,
            dropped: self.dropped,
            user: self.user.map(|user| user.as_str().to_owned()).filter(|user| !user.is_empty()),
            events: 0,
            first: Timestamp::MAX,
            last: Timestamp::default(),
            snapshot: None,
            active: Vec::new(),
            moments: Vec::new(),
            content: Vec::new(),
        };
        let mut content = GzEncoder::new(Vec::new(), Compression::default());
        let mut pictured = false;
        for (n, text) in self.events.0.iter().enumerate() {
            if text.get().len() > MAX_EVENT || depth(text.get()) > MAX_DEPTH {
                return Err(BatchError::Event);
            }
            let event: Event<'_> = serde_json::from_str(text.get())?;
            let at = Timestamp::from_unix_millis(event.timestamp)
                .filter(|_| (event.timestamp - self.sent).abs() <= MAX_AGE_MS)
                .ok_or(BatchError::Time)?;
            recording.first = recording.first.min(at);
            recording.last = recording.last.max(at);
            recording.events += 1;
            let data = event.data.map_or("null", RawValue::get);
            match event.kind {
                // Its picture follows, be it in the next batch.
                META => {
                    recording.snapshot.get_or_insert(at);
                    pictured = true;
                }
                FULL_SNAPSHOT if !pictured => recording.snapshot = None,
                INCREMENTAL => recording.note_activity(at, data),
                CUSTOM if data.len() <= MAX_MOMENT => {
                    // What isn't a moment of ours is still part of the recording.
                    if let Ok(seen) = serde_json::from_str::<Seen>(data) {
                        recording.moments.push(Moment { at, seen });
                    }
                }
                _ => {}
            }
            let begin: &[u8] = if n == 0 { b"[" } else { b"," };
            // Writing to memory doesn't fail.
            let _ =
                content.write_all(begin).and_then(|()| content.write_all(text.get().as_bytes()));
        }
        if recording.events == 0 {
            return Err(BatchError::Empty);
        }
        let _ = content.write_all(b"]");
        recording.content = content.finish().unwrap_or_default();
        Ok(recording)
    }
}

impl Recording {
    fn note_activity(&mut self, at: Timestamp, data: &str) {
        let doing = serde_json::from_str::<Increment>(data)
            .is_ok_and(|increment| DOING.contains(&increment.source));
        if !doing {
            return;
        }
        match self.active.last_mut() {
            Some((_, to)) if (at.nanos() - to.nanos()).abs() <= PAUSE_NANOS => *to = at.max(*to),
            _ => self.active.push((at, at)),
        }
    }
}

/// How many brackets of a JSON text are open at most.
fn depth(json: &str) -> usize {
    let (mut open, mut most) = (0_usize, 0);
    let mut bytes = json.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' => {
                open += 1;
                most = most.max(open);
            }
            b']' | b'}' => open = open.saturating_sub(1),
            b'"' => {
                while let Some(byte) = bytes.next() {
                    match byte {
                        b'"' => break,
                        b'\\' => drop(bytes.next()),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    most
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW: f64 = 1_764_283_000_000.0;

    fn batch(events: Value) -> Value {
        json!({
            "org": "demo", "session": "s-1", "tab": "0123456789abcdef", "sequence": 0,
            "sent": NOW, "events": events,
        })
    }

    fn check(batch: &Value) -> Result<Recording, BatchError> {
        serde_json::from_str::<Batch<'_>>(&batch.to_string())?.check(Timestamp::default())
    }

    fn at(ms: f64) -> Timestamp {
        Timestamp::from_unix_millis(NOW + ms).unwrap()
    }

    #[test]
    fn moments_activity_and_pictures_are_found() {
        let recording = check(&batch(json!([
            {"type": 4, "timestamp": NOW - 9000.0, "data": {"href": "http://a/", "width": 1, "height": 1}},
            {"type": 2, "timestamp": NOW - 8999.0, "data": {"node": {"]}\\\"": ["{"]}}},
            {"type": 3, "timestamp": NOW - 8000.0, "data": {"source": 2}},
            {"type": 3, "timestamp": NOW - 7000.0, "data": {"source": 3}},
            {"type": 3, "timestamp": NOW - 6000.0, "data": {"source": 0}},
            {"type": 3, "timestamp": NOW - 1000.0, "data": {"source": 5}},
            {"type": 5, "timestamp": NOW - 500.0, "data": {"tag": "click", "payload": {"what": "button", "more": 1}}},
            {"type": 5, "timestamp": NOW - 400.0, "data": {"tag": "strange", "payload": {}}},
            {"type": 5, "timestamp": NOW - 300.0, "data": {"tag": "request", "payload": {"method": "\u{e9}"}}},
        ])))
        .unwrap();
        assert_eq!(recording.events, 9);
        assert_eq!((recording.first, recording.last), (at(-9000.0), at(-300.0)));
        assert_eq!(recording.snapshot, Some(at(-9000.0)));
        assert_eq!(recording.active, [(at(-8000.0), at(-7000.0)), (at(-1000.0), at(-1000.0))]);
        assert_eq!(recording.moments.len(), 1);
        assert_eq!(recording.moments[0].seen.tag(), "click");
    }

    #[test]
    fn what_is_malformed_is_said() {
        let event = json!({"type": 3, "timestamp": NOW, "data": {}});
        let with = |key: &str, value: Value| {
            let mut batch = batch(json!([event]));
            batch[key] = value;
            check(&batch)
        };
        assert!(check(&batch(json!([event]))).is_ok());
        assert!(matches!(with("session", json!("a b")), Err(BatchError::Session(_))));
        assert!(matches!(with("tab", json!("0123456789ABCDEF")), Err(BatchError::Tab)));
        assert!(matches!(with("tab", json!("0")), Err(BatchError::Tab)));
        assert!(matches!(with("events", json!([])), Err(BatchError::Empty)));
        assert!(matches!(with("events", json!({})), Err(BatchError::Json(_))));
        assert!(matches!(with("sequence", json!(-1)), Err(BatchError::Json(_))));
        for time in [-1.0, 1e300, NOW + 1e9] {
            assert!(matches!(with("sent", json!(time)), Err(BatchError::Time)), "{time}");
            let late = json!([{"type": 3, "timestamp": time, "data": {}}]);
            assert!(matches!(check(&batch(late)), Err(BatchError::Time)), "{time}");
        }
    }

    #[test]
    fn size_count_and_depth_are_bounded() {
        let event = |data: String| {
            let event = format!(r#"{{"type":3,"timestamp":{NOW},"data":{data}}}"#);
            batch(Value::Null)
                .to_string()
                .replace(r#""events":null"#, &format!(r#""events":[{event}]"#))
        };
        let check =
            |text: String| serde_json::from_str::<Batch<'_>>(&text)?.check(Timestamp::default());
        let nested = |depth: usize| ["[".repeat(depth), "]".repeat(depth)].concat();
        assert!(check(event(nested(900))).is_ok());
        assert!(matches!(check(event(nested(1_000))), Err(BatchError::Event)));
        assert!(matches!(check(event(nested(500_000))), Err(BatchError::Event)));
        assert!(matches!(
            check(event(format!("\"{}\"", "x".repeat(MAX_EVENT)))),
            Err(BatchError::Event)
        ));
        let many = json!(vec![json!({"type": 3, "timestamp": NOW}); MAX_EVENTS + 1]);
        assert!(matches!(check(batch(many).to_string()), Err(BatchError::Json(_))));
    }
}
