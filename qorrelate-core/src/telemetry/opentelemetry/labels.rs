//! The attributes of a session besides `session.id`, and the link to its replay.

use super::opentelemetry::KeyValue;
use crate::current::take_due_link;
use crate::id::SessionId;
use crate::id::labels::Labels;

/// What a span of this session gets. The first one that asks in a request gets the link too.
pub(super) fn of<'a>(
    session: &'a SessionId,
    labels: &'a Labels,
) -> impl Iterator<Item = KeyValue> + 'a {
    let link = labels.replay_link.as_ref().filter(|_| take_due_link(session));
    let link = link.map(|link| KeyValue::new(link.attribute.clone(), link.url(&session.url_encoded())));
    let attribute = |name: &std::sync::Arc<str>| KeyValue::new(name.clone(), session.shared());
    labels.attributes.iter().map(attribute).chain(link)
}
