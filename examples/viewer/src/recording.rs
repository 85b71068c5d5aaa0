//! What a page's script records: batches of rrweb events, and in them the moments that the script itself has seen.

use serde::{Deserialize, Deserializer, Serialize};

use crate::model::{Timestamp, beginning};

/// A longer text of a moment is kept by its beginning. The recording has all of it.
const SHOWN: usize = 2_048;

/// One batch of one tab. All times but `arrived` are by the browser's clock, which may be wrong by hours.
#[derive(Clone, Debug)]
pub(crate) struct Recording {
    pub(crate) session_id: String,
    /// A random number for the life of a document.
    pub(crate) tab: String,
    /// From 0 on in each tab.
    pub(crate) sequence: u32,
    pub(crate) sent: Timestamp,
    pub(crate) arrived: Timestamp,
    /// Batches that the browser has given up so far.
    pub(crate) dropped: u32,
    pub(crate) user: Option<String>,
    pub(crate) events: u32,
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
    /// When the first whole picture of the page was taken: playing can begin there.
    pub(crate) snapshot: Option<Timestamp>,
    /// From when to when somebody did something.
    pub(crate) active: Vec<(Timestamp, Timestamp)>,
    pub(crate) moments: Vec<Moment>,
    /// The events as they came: a JSON array, gzipped.
    pub(crate) content: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Moment {
    /// When it happened or, if it took time, when it ended.
    pub(crate) at: Timestamp,
    pub(crate) seen: Seen,
}

/// What the script reports besides what the page looks like: rrweb's custom events of these tags.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "tag", content = "payload", rename_all = "kebab-case")]
pub(crate) enum Seen {
    Request(Request),
    Console {
        level: Short,
        text: Short,
    },
    Error {
        message: Short,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stack: Option<Short>,
        kind: Short,
    },
    Navigation {
        url: Short,
        how: Short,
    },
    Visibility {
        state: Short,
    },
    Click(Click),
    /// A field of a form failed its validation.
    Invalid {
        what: Short,
        message: Short,
    },
    /// A message that came and went; how many milliseconds it was there.
    Toast {
        text: Short,
        shown: f64,
    },
    Vital {
        name: Short,
        value: f64,
    },
    LongFrame(LongFrame),
    /// Frames per second, over so many milliseconds.
    Frames {
        fps: f64,
        ms: f64,
    },
    Kept {},
    /// Batches given up.
    Gap {
        batches: f64,
    },
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Request {
    pub(crate) method: Short,
    pub(crate) url: Short,
    pub(crate) kind: Short,
    /// Milliseconds since the epoch, as all of the browser's times.
    pub(crate) start: f64,
    pub(crate) end: f64,
    /// 0: it failed.
    pub(crate) status: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<Short>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) request_bytes: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) response_bytes: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) trace_id: Option<Short>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Click {
    pub(crate) what: Short,
    #[serde(default)]
    pub(crate) x: f64,
    #[serde(default)]
    pub(crate) y: f64,
    /// Nothing came of it.
    #[serde(default)]
    pub(crate) dead: bool,
}

/// A frame that took long; all durations in milliseconds.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LongFrame {
    pub(crate) duration: f64,
    #[serde(default)]
    pub(crate) blocking: f64,
    #[serde(default)]
    pub(crate) layout: f64,
    #[serde(default)]
    pub(crate) scripts: Vec<Script>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Script {
    #[serde(default)]
    pub(crate) source: Short,
    #[serde(default)]
    pub(crate) invoker: Short,
    #[serde(default)]
    pub(crate) duration: f64,
    #[serde(default)]
    pub(crate) forced_layout: f64,
}

impl Seen {
    pub(crate) fn tag(&self) -> &'static str {
        match self {
            Self::Request(_) => "request",
            Self::Console { .. } => "console",
            Self::Error { .. } => "error",
            Self::Navigation { .. } => "navigation",
            Self::Visibility { .. } => "visibility",
            Self::Click(_) => "click",
            Self::Invalid { .. } => "invalid",
            Self::Toast { .. } => "toast",
            Self::Vital { .. } => "vital",
            Self::LongFrame(_) => "long-frame",
            Self::Frames { .. } => "frames",
            Self::Kept {} => "kept",
            Self::Gap { .. } => "gap",
        }
    }

    /// The trace that the server answered a request with.
    pub(crate) fn trace_id(&self) -> Option<&str> {
        let Self::Request(request) = self else { return None };
        let id = request.trace_id.as_ref()?.as_str();
        (id.len() == 32 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')))
            .then_some(id)
    }

    /// What a session with it can be found by.
    pub(crate) fn terms(&self) -> Vec<&str> {
        match self {
            Self::Request(request) => vec![request.url.as_str()],
            Self::Navigation { url, .. } => vec![url.as_str()],
            Self::Console { text, .. } | Self::Toast { text, .. } => vec![text.as_str()],
            Self::Error { message, .. } => vec![message.as_str()],
            Self::Invalid { message, .. } => vec![message.as_str()],
            _ => Vec::new(),
        }
    }
}

/// A text that is cut where it becomes too long.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub(crate) struct Short(String);

impl Short {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for Short {
    fn from(text: String) -> Self {
        if text.len() > SHOWN {
            Self(format!("{}…", beginning(&text, SHOWN)))
        } else {
            Self(text)
        }
    }
}

impl<'de> Deserialize<'de> for Short {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

/// What is known of one tab, its times by the browser's clock, in milliseconds as scripts have them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Tab {
    pub(crate) tab: String,
    pub(crate) started: f64,
    pub(crate) ended: f64,
    /// What to add to the browser's times for the servers' times.
    pub(crate) offset: f64,
    /// How far from it the truth may be; `null` before the first request with a trace.
    pub(crate) uncertainty: Option<f64>,
    pub(crate) url: String,
    pub(crate) user: Option<String>,
    pub(crate) batches: u64,
    /// Numbers up to the last batch that did not arrive.
    pub(crate) missing: u64,
    /// Batches that the browser says it gave up.
    pub(crate) dropped: u64,
    pub(crate) events: u64,
    /// Of all batches, gzipped.
    pub(crate) bytes: u64,
    pub(crate) last_arrived: Timestamp,
    pub(crate) version: i64,
}
