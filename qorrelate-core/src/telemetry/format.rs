//! The session on every line that `tracing_subscriber::fmt` writes.

use std::cell::Cell;
use std::fmt;

use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{Compact, Format, Full, Json, Pretty, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::carry::{self, SessionField};
use crate::id::SessionId;
use crate::inbound::ATTRIBUTE;

/// Shows the session on every line that is written in one, whether or not in a span.
///
/// It wraps the format of a `tracing_subscriber::fmt` layer.
///
/// - **JSON:** the object gets the member `"session.id"` at the top level, whatever the settings for spans
///   and fields. An event that has the field itself keeps it where it is.
/// - **Text:** the line gets ` session.id=…` at its end. A line that shows a `session.id` already, as a
///   field of the event or of a span around it, is left as it is. To know what a span shows, it needs
///   [`carry_session`](crate::carry_session).
///
/// For lines without colours, say `with_ansi(false)` on the `fmt` *layer*. On a *format* it can't be seen
/// from here.
///
/// # Example
///
/// ```
/// # use qorrelate_core as qorrelate_tower;
/// use qorrelate_tower::SessionFormat; // or qorrelate_actix
/// use tracing_subscriber::layer::SubscriberExt;
///
/// let subscriber = tracing_subscriber::registry()
///     .with(tracing_subscriber::fmt::layer().map_event_format(SessionFormat::new));
/// # let _ = subscriber;
/// ```
#[derive(Debug, Clone)]
pub struct SessionFormat<E> {
    plain: E,
    /// The same with colours, if there is such a thing.
    coloured: Option<E>,
    lines: Lines,
}

/// What a format writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lines {
    Text,
    Json,
}

impl<E: KnownFormat> SessionFormat<E> {
    /// Wraps a format of `tracing_subscriber`. Its type says whether it writes JSON.
    pub fn new(format: E) -> Self {
        let coloured = Some(format.clone().coloured());
        Self { plain: format, coloured, lines: if E::IS_JSON { Lines::Json } else { Lines::Text } }
    }
}

impl<E> SessionFormat<E> {
    /// Wraps a format of your own that writes lines of text. It is used without colours.
    ///
    /// ```
    /// # use qorrelate_core::SessionFormat;
    /// # struct MyFormat;
    /// let format = SessionFormat::text(MyFormat);
    /// # let _ = format;
    /// ```
    pub const fn text(format: E) -> Self {
        Self { plain: format, coloured: None, lines: Lines::Text }
    }

    /// Wraps a format of your own that writes one JSON object per line.
    ///
    /// ```
    /// # use qorrelate_core::SessionFormat;
    /// # struct MyFormat;
    /// let format = SessionFormat::json(MyFormat);
    /// # let _ = format;
    /// ```
    pub const fn json(format: E) -> Self {
        Self { plain: format, coloured: None, lines: Lines::Json }
    }
}

/// The formats of `tracing_subscriber`: full, compact, pretty and JSON.
pub trait KnownFormat: Clone + sealed::KnownFormat {}

mod sealed {
    pub trait KnownFormat {
        const IS_JSON: bool;

        fn coloured(self) -> Self;
    }
}

macro_rules! known_formats {
    ($($format:ty, $is_json:literal;)*) => {
        $(
            impl<T: Clone> KnownFormat for Format<$format, T> {}

            impl<T> sealed::KnownFormat for Format<$format, T> {
                const IS_JSON: bool = $is_json;

                fn coloured(self) -> Self {
                    self.with_ansi(true)
                }
            }
        )*
    };
}

known_formats! {
    Full, false;
    Compact, false;
    Pretty, false;
    Json, true;
}

impl<E, S, N> FormatEvent<S, N> for SessionFormat<E>
where
    E: FormatEvent<S, N>,
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        ctx: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        match SessionId::current() {
            Some(id) if !self.is_shown(ctx, event) => {
                let coloured = self.coloured.as_ref().filter(|_| writer.has_ansi_escapes());
                let has_colours = coloured.is_some();
                let format = coloured.unwrap_or(&self.plain);
                with_buffer(|line| {
                    format.format_event(ctx, Writer::new(line), event)?;
                    match self.lines {
                        Lines::Text => write_text(&mut writer, line, &id, has_colours),
                        Lines::Json => write_json(&mut writer, line, &id),
                    }
                })
            }
            _ => self.plain.format_event(ctx, writer, event),
        }
    }
}

impl<E> SessionFormat<E> {
    fn is_shown<S, N>(&self, ctx: &FmtContext<'_, S, N>, event: &Event<'_>) -> bool
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
        N: for<'a> FormatFields<'a> + 'static,
    {
        has_value(event)
            || (self.lines == Lines::Text
                && ctx
                    .event_scope()
                    .is_some_and(|mut spans| spans.any(|span| carry::has_value(&span))))
    }
}

/// Whether the event has a value for the field.
fn has_value(event: &Event<'_>) -> bool {
    event.metadata().fields().field(ATTRIBUTE).is_some()
        && SessionField::is_in(|field| event.record(field))
}

/// Lends a buffer, which each thread keeps for the next line.
fn with_buffer<T>(write: impl FnOnce(&mut String) -> T) -> T {
    thread_local! {
        static BUFFER: Cell<String> = const { Cell::new(String::new()) };
    }

    let mut buffer = BUFFER.try_with(Cell::take).unwrap_or_default();
    buffer.clear();
    let written = write(&mut buffer);
    let _ = BUFFER.try_with(|kept| kept.set(buffer));
    written
}

/// A session ID needs no escaping in either form: its grammar has no quote, no backslash and no white
/// space.
fn write_text(
    writer: &mut Writer<'_>,
    line: &str,
    id: &SessionId,
    has_colours: bool,
) -> fmt::Result {
    let text = line.trim_end_matches('\n');
    writer.write_str(text)?;
    // As `fmt` colours the fields of an event.
    writer.write_str(if has_colours {
        " \x1b[3msession.id\x1b[0m\x1b[2m=\x1b[0m"
    } else {
        " session.id="
    })?;
    writer.write_str(id.as_str())?;
    writer.write_str(line.get(text.len()..).unwrap_or_default())
}

fn write_json(writer: &mut Writer<'_>, line: &str, id: &SessionId) -> fmt::Result {
    let Some(members) = line.strip_prefix('{') else {
        return writer.write_str(line);
    };
    writer.write_str("{\"session.id\":\"")?;
    writer.write_str(id.as_str())?;
    writer.write_str(if members.starts_with('}') { "\"" } else { "\"," })?;
    writer.write_str(members)
}
