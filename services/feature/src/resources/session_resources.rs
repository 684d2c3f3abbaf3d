//! `test://session/resource/{id}/{name}`: what tools made for one session.

use bytes::Bytes;
use everything_proto::events::v1::{Change, ListChanged, change, list_changed};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use uuid::Uuid;

use super::Listed;
use crate::{
    call::OwnerKey,
    store::{Meta, Stored},
};

const URI_PREFIX: &str = "test://session/resource/";
/// RFC 3986, unreserved characters stay.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A resource that is to be kept.
#[derive(Clone, Debug)]
pub struct NewResource {
    pub name: String,
    pub description: String,
    pub mime_type: String,
    pub bytes: Bytes,
}

impl NewResource {
    pub(super) fn into_stored(self) -> (Stored, Bytes) {
        let Self {
            name,
            description,
            mime_type,
            bytes,
        } = self;
        let meta = Meta {
            name,
            description,
            mime_type,
            size: bytes.len() as u64,
        };
        (
            Stored {
                id: Uuid::new_v4().simple().to_string(),
                meta,
            },
            bytes,
        )
    }
}

impl Stored {
    pub fn uri(&self) -> String {
        format!(
            "{URI_PREFIX}{}/{}",
            self.id,
            utf8_percent_encode(&self.meta.name, SEGMENT)
        )
    }

    pub(super) fn listed(&self) -> Listed {
        Listed {
            uri: self.uri(),
            name: self.meta.name.clone(),
            title: self.meta.name.clone(),
            description: self.meta.description.clone(),
            mime_type: self.meta.mime_type.clone(),
            size: self.meta.size,
            meta: None,
        }
    }
}

/// The id in the URI of a session-scoped resource.
pub(super) fn id_of(uri: &str) -> Option<&str> {
    let (id, _) = uri.strip_prefix(URI_PREFIX)?.split_once('/')?;
    // It becomes part of a Redis key.
    (id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(id)
}

/// Without a session the owner stands for the user, and no session has such a key: never all clients.
pub(super) fn list_changed(owner: &OwnerKey) -> Change {
    let list = list_changed::List::Resources.into();
    Change {
        session_key: owner.as_str().to_owned(),
        change: Some(change::Change::ListChanged(ListChanged { list })),
        ..Change::default()
    }
}
