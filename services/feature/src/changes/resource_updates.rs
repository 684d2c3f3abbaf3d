use everything_proto::events::v1::{ResourcesUpdated, change::Change};

use crate::resources::static_resources::URI_PREFIX;

/// The static resources are said to have changed, so that subscriptions can be seen to work.
pub(super) fn make() -> Change {
    Change::ResourcesUpdated(ResourcesUpdated {
        uris: Vec::new(),
        uri_prefixes: vec![URI_PREFIX.to_owned()],
    })
}
