//! The stream of changes that a client listens to.

use bytes::Bytes;
use serde_json::value::RawValue;

use super::{SERVER_INFO, SUBSCRIPTION_ID, results::typed};
use crate::{
    jsonrpc::{self, RequestId},
    revisions::{
        json::ObjectWriter,
        meta::{parse, with_meta},
        stateless::Filter,
    },
};

pub(super) fn acknowledged(subscription: &RequestId, honoured: &Filter) -> Bytes {
    let mut filter = ObjectWriter::new();
    for (name, wanted) in [
        ("toolsListChanged", honoured.tools_list_changed),
        ("promptsListChanged", honoured.prompts_list_changed),
        ("resourcesListChanged", honoured.resources_list_changed),
    ] {
        if wanted {
            filter.value(name, &true);
        }
    }
    if !honoured.resource_subscriptions.is_empty() {
        filter.value("resourceSubscriptions", &honoured.resource_subscriptions);
    }
    if !honoured.task_ids.is_empty() {
        filter.value("taskIds", &honoured.task_ids);
    }
    let mut params = ObjectWriter::new();
    params.raw("notifications", filter.finish());
    let notification =
        jsonrpc::notification("notifications/subscriptions/acknowledged", Some(&params.finish()));
    on_subscription(&notification, subscription)
}

pub(super) fn on_subscription(notification: &[u8], subscription: &RequestId) -> Bytes {
    let Some(message) = parse(notification) else {
        return Bytes::copy_from_slice(notification);
    };
    let params = message.get("params").map_or("{}", RawValue::get);
    let id = subscription.to_json();
    let mut out = ObjectWriter::new();
    out.copy(&message, &["jsonrpc", "method"]);
    out.raw(
        "params",
        with_meta(params.as_bytes(), &[], &[(SUBSCRIPTION_ID, &id)]),
    );
    out.finish().into()
}

pub(super) fn ended(subscription: &RequestId, server_info: &[u8]) -> Bytes {
    let id = subscription.to_json();
    typed(
        b"{}",
        "complete",
        &[(SUBSCRIPTION_ID, &id), (SERVER_INFO, server_info)],
    )
}
