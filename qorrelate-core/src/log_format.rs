//! The session on every line that `tracing_subscriber::fmt` writes.

use std::fmt::{self, Write};

use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use crate::id::SessionId;
use crate::otel::ATTRIBUTE;

/// Shows the session on every line that is written in one: in any order of layers, in a span or
/// without.
///
/// It wraps the format of a `tracing_subscriber::fmt` layer. A line of text gets ` session.id=…` at
/// its end, a JSON object the member `"session.id"` at its beginning. A line that shows a
/// `session.id` already, as a field of its own or of a span around it, is left as it is.
///
/// A format that chooses colours by what the layer was told (`with_ansi` on the layer) writes the
/// lines that are added to without; one that was told itself (`with_ansi` on the format) keeps them.
///
/// # Example
///
/// ```
/// use qorrelate_core::SessionFormat;
/// use tracing_subscriber::layer::SubscriberExt;
///
/// let subscriber = tracing_subscriber::registry()
///     .with(tracing_subscriber::fmt::layer().map_event_format(SessionFormat::new));
/// # let _ = subscriber;
/// ```
#[derive(Debug, Clone, Default)]
pub struct SessionFormat<E> {
    inner: E,
}

impl<E> SessionFormat<E> {
    /// Wraps a format.
    pub const fn new(inner: E) -> Self {
        Self { inner }
    }
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
        writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        match SessionId::current() {
            Some(id) if !shows_session(ctx, event) => {
                let mut line = Line { writer, id, written: Written::Nothing };
                self.inner.format_event(ctx, Writer::new(&mut line), event)?;
                line.finish()
            }
            _ => self.inner.format_event(ctx, writer, event),
        }
    }
}

/// Whether the event has the field, or a span around it that has a value for it.
fn shows_session<S, N>(ctx: &FmtContext<'_, S, N>, event: &Event<'_>) -> bool
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    event.metadata().fields().field(ATTRIBUTE).is_some()
        || ctx.event_scope().into_iter().flatten().any(|span| {
            // Both: the text alone could be in the value of another field.
            span.metadata().fields().field(ATTRIBUTE).is_some()
                && span
                    .extensions()
                    .get::<FormattedFields<N>>()
                    .is_some_and(|fields| fields.fields.contains(ATTRIBUTE))
        })
}

/// A line on its way, to which the session is added as it passes. A session ID needs no escaping in
/// either form: its grammar has no quote, no backslash and no white space.
struct Line<'a> {
    writer: Writer<'a>,
    id: SessionId,
    written: Written,
}

#[derive(Clone, Copy, PartialEq)]
enum Written {
    Nothing,
    /// The brace of a JSON object and the session, but not what comes between it and the next.
    JsonStart,
    Json,
    Text,
    /// Text, without the line break at its end.
    TextButBreak,
}

impl Write for Line<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let Some(first) = text.chars().next() else {
            return Ok(());
        };
        match self.written {
            Written::Nothing if first == '{' => {
                write!(self.writer, "{{\"{ATTRIBUTE}\":\"{}\"", self.id)?;
                self.written = Written::JsonStart;
                self.write_str(text.strip_prefix('{').unwrap_or_default())
            }
            Written::JsonStart => {
                if first != '}' {
                    self.writer.write_char(',')?;
                }
                self.written = Written::Json;
                self.writer.write_str(text)
            }
            Written::Json => self.writer.write_str(text),
            Written::Nothing | Written::Text | Written::TextButBreak => {
                if self.written == Written::TextButBreak {
                    self.writer.write_char('\n')?;
                }
                let unbroken = text.strip_suffix('\n');
                self.written =
                    if unbroken.is_some() { Written::TextButBreak } else { Written::Text };
                self.writer.write_str(unbroken.unwrap_or(text))
            }
        }
    }
}

impl Line<'_> {
    fn finish(mut self) -> fmt::Result {
        match self.written {
            Written::Text => write!(self.writer, " {ATTRIBUTE}={}", self.id),
            Written::TextButBreak => writeln!(self.writer, " {ATTRIBUTE}={}", self.id),
            Written::Nothing | Written::JsonStart | Written::Json => Ok(()),
        }
    }
}
