//! `initialize`: what the server says of itself, and what the client declared.

use bytes::Bytes;
use everything_proto::feature::v1::{Capabilities, ClientCapabilities, DescribeResponse};
use serde_json::value::RawValue;

use super::{
    json::{Object, ObjectWriter, is_object},
    lists,
    session_wire::{Elicitation, Has},
};

pub(super) fn initialize_result(
    has: &Has,
    version: &str,
    server: &DescribeResponse,
    knows_users: bool,
) -> Bytes {
    let mut result = ObjectWriter::new();
    result.value("protocolVersion", &version);
    result.raw(
        "capabilities",
        capabilities(
            has,
            server.capabilities.as_ref().unwrap_or(&Capabilities::default()),
            knows_users,
        ),
    );
    result.raw("serverInfo", implementation(has, server));
    result.text_if("instructions", &server.instructions);
    result.finish().into()
}

/// The `Implementation` object of the server.
pub(super) fn implementation(has: &Has, server: &DescribeResponse) -> Vec<u8> {
    let mut info = ObjectWriter::new();
    info.value("name", &server.name);
    info.value("version", &server.version);
    if has.titles {
        info.text_if("title", &server.title);
    }
    if has.icons {
        info.text_if("description", &server.description);
        info.text_if("websiteUrl", &server.website_url);
        lists::icons(&mut info, &server.icons);
    }
    info.finish()
}

/// Extensions are left out: only the newest revision has a member for them.
pub(super) fn capabilities(has: &Has, can: &Capabilities, knows_users: bool) -> Vec<u8> {
    let mut out = ObjectWriter::new();
    let mut group = |declared: bool, name: &str, members: &[(&str, bool)]| {
        if declared {
            let mut group = ObjectWriter::new();
            for (name, _) in members.iter().filter(|(_, can)| *can) {
                group.value(name, &true);
            }
            out.raw(name, group.finish());
        }
    };
    group(can.tools, "tools", &[("listChanged", can.tools_list_changed)]);
    group(
        can.resources,
        "resources",
        &[
            ("subscribe", can.resources_subscribe),
            ("listChanged", can.resources_list_changed),
        ],
    );
    group(
        can.prompts,
        "prompts",
        &[("listChanged", can.prompts_list_changed)],
    );
    group(can.logging, "logging", &[]);
    group(can.completions && has.completions, "completions", &[]);
    if can.tasks && has.core_tasks {
        // Who cannot tell users apart should not list their tasks ("Task Isolation and Access Control").
        let list = if knows_users { r#""list":{},"# } else { "" };
        out.raw(
            "tasks",
            format!(r#"{{{list}"cancel":{{}},"requests":{{"tools":{{"call":{{}}}}}}}}"#),
        );
    }
    out.finish()
}

/// A capability is declared by an object under its name; anything else declares nothing. What the revision does not
/// have is not declared, whatever the client says.
pub(super) fn client_capabilities(has: &Has, declared: &RawValue) -> ClientCapabilities {
    let declared = Object::parse(declared.get()).unwrap_or_default();
    let group = |name| {
        declared
            .get(name)
            .and_then(|group| Object::parse(group.get()).ok())
    };
    let member = |group: &Object<'_>, name| group.get(name).is_some_and(is_object);

    let mut capabilities = ClientCapabilities {
        roots: group("roots").is_some(),
        ..Default::default()
    };
    if let Some(sampling) = group("sampling") {
        capabilities.sampling = true;
        capabilities.sampling_tools = has.sampling_tools && member(&sampling, "tools");
        // Before it became a capability of its own, context was part of sampling.
        capabilities.sampling_context = !has.sampling_tools || member(&sampling, "context");
    }
    if let Some(elicitation) = group("elicitation") {
        match has.elicitation {
            Elicitation::Absent => {}
            Elicitation::PlainForms => capabilities.elicitation_form = true,
            Elicitation::FormsAndUrls => {
                capabilities.elicitation_url = member(&elicitation, "url");
                // An empty object means forms ("Elicitation", capabilities).
                capabilities.elicitation_form = member(&elicitation, "form") || !capabilities.elicitation_url;
            }
        }
    }
    // Clients declared extensions here before the schema had the member (MCP Apps does).
    if let Some(extensions) = group("extensions") {
        capabilities.extensions_json = extensions
            .iter()
            .filter(|(_, settings)| is_object(settings))
            .map(|(name, settings)| (name.to_owned(), Bytes::copy_from_slice(settings.get().as_bytes())))
            .collect();
    }
    capabilities
}
