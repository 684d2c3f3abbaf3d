//! Results of the list methods and of completion, from the contract's typed lists.

use bytes::Bytes;
use everything_proto::feature::v1::{
    CompleteResponse, Icon, ListPromptsResponse, ListResourceTemplatesResponse, ListResourcesResponse,
    ListToolsResponse, Prompt, PromptArgument, Resource, ResourceTemplate, Tool, ToolAnnotations,
    tool::TaskSupport,
};
use serde_json::value::RawValue;

use super::{
    content,
    json::{self, Object, ObjectWriter, array_of, open_object},
    session_wire::Has,
};

pub(super) fn tools(has: &Has, list: &ListToolsResponse) -> Bytes {
    page(
        "tools",
        list.tools.iter().map(|item| tool(has, item)),
        list.next_cursor.as_deref(),
    )
}

pub(super) fn resources(has: &Has, list: &ListResourcesResponse) -> Bytes {
    page(
        "resources",
        list.resources.iter().map(|item| resource(has, item)),
        list.next_cursor.as_deref(),
    )
}

pub(super) fn resource_templates(has: &Has, list: &ListResourceTemplatesResponse) -> Bytes {
    let templates = list
        .resource_templates
        .iter()
        .map(|item| resource_template(has, item));
    page("resourceTemplates", templates, list.next_cursor.as_deref())
}

pub(super) fn prompts(has: &Has, list: &ListPromptsResponse) -> Bytes {
    page(
        "prompts",
        list.prompts.iter().map(|item| prompt(has, item)),
        list.next_cursor.as_deref(),
    )
}

pub(super) fn completion(completion: &CompleteResponse) -> Bytes {
    // At most 100 values ("Completion"); a swapped-in service may not know.
    let values = &completion.values[..completion.values.len().min(100)];
    let mut inner = ObjectWriter::new();
    inner.value("values", &values);
    inner.value_if("total", completion.total.as_ref());
    inner.value(
        "hasMore",
        &(completion.has_more || values.len() < completion.values.len()),
    );
    let mut result = ObjectWriter::new();
    result.raw("completion", inner.finish());
    result.finish().into()
}

pub(super) fn icons(out: &mut ObjectWriter, icons: &[Icon]) {
    if icons.is_empty() {
        return;
    }
    let icons = icons.iter().map(|icon| {
        let mut out = ObjectWriter::new();
        out.value("src", &icon.src);
        out.text_if("mimeType", &icon.mime_type);
        if !icon.sizes.is_empty() {
            out.value("sizes", &icon.sizes);
        }
        if matches!(icon.theme.as_str(), "light" | "dark") {
            out.value("theme", &icon.theme);
        }
        out.finish()
    });
    out.raw("icons", array_of(icons));
}

/// A JSON Schema in the form that the session revisions allow: of an object, with schemas of its properties that are
/// objects themselves. `None`: there is no such form, as for an output that is not an object.
pub(super) fn object_schema(schema: &RawValue) -> Option<Vec<u8>> {
    let object = Object::parse(schema.get()).ok()?;
    if object.string("type")? != "object" {
        return None;
    }
    let mut out = ObjectWriter::new();
    for (name, value) in object.iter() {
        if name == "properties" {
            out.raw(name, properties(value)?);
        } else {
            out.raw(name, value.get());
        }
    }
    Some(out.finish())
}

/// `true` and `false` are schemas too (JSON Schema 2020-12 §4.3.2); these are their forms as objects.
fn properties(properties: &RawValue) -> Option<Vec<u8>> {
    let mut out = ObjectWriter::new();
    for (name, schema) in Object::parse(properties.get()).ok()?.iter() {
        let schema = match schema.get() {
            "true" => "{}",
            "false" => r#"{"not":{}}"#,
            schema => schema,
        };
        out.raw(name, schema);
    }
    Some(out.finish())
}

fn page(name: &str, items: impl Iterator<Item = Vec<u8>>, next_cursor: Option<&str>) -> Bytes {
    let mut result = ObjectWriter::new();
    result.raw(name, array_of(items));
    result.value_if("nextCursor", next_cursor.as_ref());
    result.finish().into()
}

fn tool(has: &Has, tool: &Tool) -> Vec<u8> {
    let mut out = ObjectWriter::new();
    head(&mut out, has, &tool.name, &tool.title, &tool.description);
    if has.icons {
        icons(&mut out, &tool.icons);
    }
    let input = open_object(&tool.input_schema_json).and_then(object_schema);
    out.raw(
        "inputSchema",
        input.unwrap_or_else(|| br#"{"type":"object"}"#.to_vec()),
    );
    if has.structured_values {
        out.raw_if("outputSchema", open_object(&tool.output_schema_json));
    } else if has.structured_output
        && let Some(output) = open_object(&tool.output_schema_json).and_then(object_schema)
    {
        out.raw("outputSchema", output);
    }
    if has.tool_annotations {
        // Where a tool has no title of its own, annotations have one.
        let title = if has.titles { "" } else { &tool.title };
        let annotations = tool_annotations(title, tool.annotations.as_ref());
        if !annotations.is_empty() {
            out.raw("annotations", annotations.finish());
        }
    }
    if has.core_tasks
        && let Some(support) = task_support(tool.task_support())
    {
        let mut execution = ObjectWriter::new();
        execution.value("taskSupport", &support);
        out.raw("execution", execution.finish());
    }
    meta(&mut out, has, &tool.meta_json);
    out.finish()
}

/// What is forbidden is the default, and not said.
fn task_support(support: TaskSupport) -> Option<&'static str> {
    match support {
        TaskSupport::Unspecified | TaskSupport::Forbidden => None,
        TaskSupport::Optional => Some("optional"),
        TaskSupport::Required => Some("required"),
    }
}

fn tool_annotations(title: &str, annotations: Option<&ToolAnnotations>) -> ObjectWriter {
    let mut out = ObjectWriter::new();
    out.text_if("title", title);
    if let Some(hints) = annotations {
        out.value_if("readOnlyHint", hints.read_only.as_ref());
        out.value_if("destructiveHint", hints.destructive.as_ref());
        out.value_if("idempotentHint", hints.idempotent.as_ref());
        out.value_if("openWorldHint", hints.open_world.as_ref());
    }
    out
}

fn resource(has: &Has, resource: &Resource) -> Vec<u8> {
    let mut out = ObjectWriter::new();
    out.value("uri", &resource.uri);
    head(
        &mut out,
        has,
        &resource.name,
        &resource.title,
        &resource.description,
    );
    out.text_if("mimeType", &resource.mime_type);
    out.value_if("size", resource.size.as_ref());
    if has.icons {
        icons(&mut out, &resource.icons);
    }
    annotations(&mut out, has, &resource.annotations_json);
    meta(&mut out, has, &resource.meta_json);
    out.finish()
}

fn resource_template(has: &Has, template: &ResourceTemplate) -> Vec<u8> {
    let mut out = ObjectWriter::new();
    out.value("uriTemplate", &template.uri_template);
    head(
        &mut out,
        has,
        &template.name,
        &template.title,
        &template.description,
    );
    out.text_if("mimeType", &template.mime_type);
    if has.icons {
        icons(&mut out, &template.icons);
    }
    annotations(&mut out, has, &template.annotations_json);
    meta(&mut out, has, &template.meta_json);
    out.finish()
}

fn prompt(has: &Has, prompt: &Prompt) -> Vec<u8> {
    let mut out = ObjectWriter::new();
    head(&mut out, has, &prompt.name, &prompt.title, &prompt.description);
    if !prompt.arguments.is_empty() {
        out.raw(
            "arguments",
            array_of(
                prompt
                    .arguments
                    .iter()
                    .map(|argument| prompt_argument(has, argument)),
            ),
        );
    }
    if has.icons {
        icons(&mut out, &prompt.icons);
    }
    meta(&mut out, has, &prompt.meta_json);
    out.finish()
}

fn prompt_argument(has: &Has, argument: &PromptArgument) -> Vec<u8> {
    let mut out = ObjectWriter::new();
    head(
        &mut out,
        has,
        &argument.name,
        &argument.title,
        &argument.description,
    );
    out.value("required", &argument.required);
    out.finish()
}

fn head(out: &mut ObjectWriter, has: &Has, name: &str, title: &str, description: &str) {
    out.value("name", &name);
    if has.titles {
        out.text_if("title", title);
    }
    out.text_if("description", description);
}

fn annotations(out: &mut ObjectWriter, has: &Has, annotations_json: &[u8]) {
    if let Some(annotations) =
        json::open_object(annotations_json).and_then(|raw| content::annotations(has, raw))
    {
        out.raw("annotations", annotations);
    }
}

fn meta(out: &mut ObjectWriter, has: &Has, meta_json: &[u8]) {
    if has.item_meta {
        out.raw_if("_meta", open_object(meta_json));
    }
}
