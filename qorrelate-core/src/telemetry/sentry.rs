//! The replay in Sentry that an event, a transaction or a log of the `sentry` crate belongs to.

use std::sync::Arc;

use sentry_core::protocol::{Context, Event, Log, Map};
use sentry_core::{ClientOptions, Hub, Integration};

use crate::id::SessionId;

/// Says on each event and each log of Sentry to which replay it belongs, where the current session is one that
/// [`Source::sentry_replay`](crate::Source::sentry_replay) found.
///
/// Events get the context `replay` with `replay_id`, logs get the attribute `sentry.replay_id`. What is there
/// already stays. Sessions of other recorders are not written, as Sentry has no replay of that ID.
///
/// For transactions, add `SentryReplayLayer` (`qorrelate-tower`) or `SentryReplayMiddleware`
/// (`qorrelate-actix`): this integration is not asked about them.
///
/// Don't write the replay to the scope yourself in `on_outcome`: with the session layer outermost, as it should
/// be, that scope is the thread's, and the next request on the thread would have it too.
///
/// The names are those that Sentry's own SDKs send: `contexts.replay.replay_id` in events, and
/// `sentry.replay_id` (Sentry conventions, "Attributes").
///
/// # Example
///
/// ```
/// # use qorrelate_core as qorrelate_tower;
/// use qorrelate_tower::SentryReplay; // or qorrelate_actix
///
/// // Then `sentry::init(options)`.
/// let options = sentry_core::ClientOptions::new().add_integration(SentryReplay::new());
/// # let _ = options;
/// ```
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct SentryReplay {}

impl SentryReplay {
    /// The integration, for `ClientOptions::add_integration`.
    #[must_use]
    pub const fn new() -> Self {
        Self {}
    }
}

impl Integration for SentryReplay {
    fn name(&self) -> &'static str {
        "qorrelate-replay"
    }

    /// Wraps `before_send_log`: no integration is asked about logs.
    fn setup(&self, options: &mut ClientOptions) {
        let next = options.before_send_log.take();
        options.before_send_log = Some(Arc::new(move |mut log: Log| {
            if let Some(replay) = current_replay() {
                let attribute = log.attributes.entry("sentry.replay_id".to_owned());
                attribute.or_insert_with(|| replay.as_str().into());
            }
            match &next {
                Some(next) => next(log),
                None => Some(log),
            }
        }));
    }

    fn process_event(
        &self,
        mut event: Event<'static>,
        _: &ClientOptions,
    ) -> Option<Event<'static>> {
        if let Some(replay) = current_replay() {
            event.contexts.entry(CONTEXT.to_owned()).or_insert_with(|| context(&replay));
        }
        Some(event)
    }
}

/// Puts the replay of the current session on Sentry's current scope, which transactions take it from; or takes
/// off what a request before left there.
///
/// For a layer or middleware that runs where each request has a hub of its own.
pub fn set_replay_on_sentry_scope() {
    let replay = current_replay();
    Hub::with_active(|hub| {
        hub.configure_scope(|scope| match &replay {
            Some(replay) => scope.set_context(CONTEXT, context(replay)),
            None => scope.remove_context(CONTEXT),
        });
    });
}

const CONTEXT: &str = "replay";

fn context(replay: &SessionId) -> Context {
    let id = ("replay_id".to_owned(), replay.as_str().into());
    Context::Other(Map::from([id]))
}

/// The current session, if its ID is that of a replay in Sentry.
fn current_replay() -> Option<SessionId> {
    SessionId::current().filter(|id| id.labels().is_some_and(|labels| labels.is_sentry_replay))
}
