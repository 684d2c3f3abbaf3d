//! Feature answers in the newest shape with everything in them that there is, by seed.

use bytes::Bytes;
use everything_proto::feature::v1::{
    CacheHint, Capabilities, CompleteResponse, DescribeResponse, Icon, ListPromptsResponse,
    ListResourceTemplatesResponse, ListResourcesResponse, ListToolsResponse, Prompt, PromptArgument,
    Resource, ResourceTemplate, Tool, ToolAnnotations,
};
use serde_json::{Map, Value, json};

/// Pseudo-random choices that are the same in every run (xorshift64*).
pub struct Seed(u64);

impl Seed {
    pub fn new(seed: u64) -> Self {
        Seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % end
    }

    pub fn flip(&mut self) -> bool {
        self.below(2) == 0
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    pub fn text(&mut self) -> String {
        (*self.pick(&[
            "plain",
            "with \"quotes\" and \\",
            "Zeile\nzwei\r\n",
            "日本語 🎈",
            "\u{1}\u{2028}</script>",
        ]))
        .to_owned()
    }

    /// A text, or none.
    fn maybe(&mut self) -> String {
        if self.flip() { self.text() } else { String::new() }
    }

    fn several<T>(&mut self, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(4)).map(|_| make(self)).collect()
    }

    fn bytes(&mut self, value: Value) -> Bytes {
        bytes(&value)
    }

    fn optional_bytes(&mut self, value: Value) -> Bytes {
        if self.flip() {
            self.bytes(value)
        } else {
            Bytes::new()
        }
    }
}

pub fn bytes(value: &Value) -> Bytes {
    // Pretty: white space of a feature is no business of a client's.
    serde_json::to_vec_pretty(value).unwrap().into()
}

fn meta() -> Value {
    json!({ "ui": { "resourceUri": "ui://app" }, "example.org/n": 12345678901234567890u64 })
}

fn annotations(seed: &mut Seed) -> Value {
    let mut annotations = Map::new();
    if seed.flip() {
        annotations.insert("audience".into(), json!(["user", "assistant"]));
    }
    if seed.flip() {
        annotations.insert("priority".into(), json!(0.5));
    }
    if seed.flip() {
        annotations.insert("lastModified".into(), json!("2026-07-28T00:00:00Z"));
    }
    annotations.into()
}

fn icon(seed: &mut Seed) -> Icon {
    Icon {
        src: "data:image/png;base64,AA==".into(),
        mime_type: seed.pick(&["", "image/png"]).to_string(),
        sizes: seed.several(|_| "48x48".to_owned()),
        theme: seed.pick(&["", "light", "dark", "sepia"]).to_string(),
    }
}

pub fn describe(seed: &mut Seed) -> DescribeResponse {
    DescribeResponse {
        name: "everything".into(),
        version: "1.2.3".into(),
        title: seed.maybe(),
        description: seed.maybe(),
        website_url: "https://example.org/".into(),
        icons: seed.several(icon),
        instructions: seed.maybe(),
        capabilities: Some(Capabilities {
            tools: seed.flip(),
            tools_list_changed: seed.flip(),
            resources: seed.flip(),
            resources_list_changed: seed.flip(),
            resources_subscribe: seed.flip(),
            prompts: seed.flip(),
            prompts_list_changed: seed.flip(),
            logging: seed.flip(),
            completions: seed.flip(),
            extensions_json: [("io.modelcontextprotocol/ui".to_owned(), Bytes::from_static(b"{}"))].into(),
            tasks: seed.flip(),
        }),
    }
}

fn input_schema(seed: &mut Seed) -> Value {
    let rich = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": { "address": { "$anchor": "a", "type": "object" } },
        "properties": { "open": true, "never": false, "home": { "$ref": "#/$defs/address" } },
        "required": ["home"],
        "allOf": [{ "anyOf": [{ "required": ["open"] }, {}] }],
        "additionalProperties": false,
    });
    seed.pick(&[
        rich,
        json!({ "type": "object" }),
        json!({ "type": "object", "properties": {} }),
    ])
    .clone()
}

fn output_schema(seed: &mut Seed) -> Value {
    let choices = [
        json!({ "type": "object", "properties": { "t": { "type": "number" }, "any": true }, "required": ["t"] }),
        json!({ "type": "array", "items": { "type": "string" } }),
        json!({ "anyOf": [{ "type": "string" }, { "type": "null" }] }),
    ];
    seed.pick(&choices).clone()
}

pub fn tools(seed: &mut Seed) -> ListToolsResponse {
    let hint = |seed: &mut Seed| *seed.pick(&[None, Some(true), Some(false)]);
    ListToolsResponse {
        tools: seed.several(|seed| {
            let (input, output) = (input_schema(seed), output_schema(seed));
            Tool {
                name: "echo".into(),
                title: seed.maybe(),
                description: seed.maybe(),
                icons: seed.several(icon),
                input_schema_json: seed.bytes(input),
                output_schema_json: seed.optional_bytes(output),
                annotations: seed.flip().then(|| ToolAnnotations {
                    read_only: hint(seed),
                    destructive: hint(seed),
                    idempotent: hint(seed),
                    open_world: hint(seed),
                }),
                task_support: seed.below(4) as i32,
                meta_json: seed.optional_bytes(meta()),
                ..Tool::default()
            }
        }),
        next_cursor: seed.flip().then(|| seed.text()),
        cache: Some(CacheHint { ttl_ms: 5, scope: 1 }),
        error: None,
    }
}

pub fn resources(seed: &mut Seed) -> ListResourcesResponse {
    ListResourcesResponse {
        resources: seed.several(|seed| {
            let annotations = annotations(seed);
            Resource {
                uri: "test://static/resource/1".into(),
                name: seed.text(),
                title: seed.maybe(),
                description: seed.maybe(),
                mime_type: "text/plain".into(),
                size: *seed.pick(&[None, Some(0), Some(1 << 53)]),
                icons: seed.several(icon),
                annotations_json: seed.optional_bytes(annotations),
                meta_json: seed.optional_bytes(meta()),
            }
        }),
        next_cursor: seed.flip().then(|| seed.text()),
        cache: Some(CacheHint::default()),
        error: None,
    }
}

pub fn resource_templates(seed: &mut Seed) -> ListResourceTemplatesResponse {
    ListResourceTemplatesResponse {
        resource_templates: seed.several(|seed| {
            let annotations = annotations(seed);
            ResourceTemplate {
                uri_template: "test://static/resource/{id}".into(),
                name: seed.text(),
                title: seed.maybe(),
                description: seed.maybe(),
                mime_type: seed.pick(&["", "text/plain"]).to_string(),
                icons: seed.several(icon),
                annotations_json: seed.optional_bytes(annotations),
                meta_json: seed.optional_bytes(meta()),
            }
        }),
        next_cursor: seed.flip().then(|| seed.text()),
        cache: None,
        error: None,
    }
}

pub fn prompts(seed: &mut Seed) -> ListPromptsResponse {
    ListPromptsResponse {
        prompts: seed.several(|seed| Prompt {
            name: seed.text(),
            title: seed.maybe(),
            description: seed.maybe(),
            arguments: seed.several(|seed| PromptArgument {
                name: seed.text(),
                title: seed.maybe(),
                description: seed.maybe(),
                required: seed.flip(),
            }),
            icons: seed.several(icon),
            meta_json: seed.optional_bytes(meta()),
        }),
        next_cursor: seed.flip().then(|| seed.text()),
        cache: None,
        error: None,
    }
}

pub fn completion(seed: &mut Seed) -> CompleteResponse {
    CompleteResponse {
        values: (0..*seed.pick(&[0, 3, 150])).map(|_| seed.text()).collect(),
        total: *seed.pick(&[None, Some(0), Some(150)]),
        has_more: seed.flip(),
        error: None,
    }
}

/// A content block of any kind, with any of its members.
pub fn block(seed: &mut Seed) -> Value {
    let embedded = if seed.flip() {
        json!({ "text": seed.text() })
    } else {
        json!({ "blob": "AA==" })
    };
    let mut resource =
        json!({ "uri": "test://static/resource/1", "mimeType": "text/plain", "_meta": meta() });
    resource
        .as_object_mut()
        .unwrap()
        .extend(embedded.as_object().unwrap().clone());
    let mut block = match seed.below(5) {
        0 => json!({ "type": "text", "text": seed.text() }),
        1 => json!({ "type": "image", "data": "AA==", "mimeType": "image/png" }),
        2 => json!({ "type": "audio", "data": "AA==", "mimeType": "audio/wav" }),
        3 => json!({ "type": "resource", "resource": resource }),
        _ => json!({
            "type": "resource_link", "uri": "test://static/resource/2", "name": "two", "title": seed.text(),
            "description": "the second", "mimeType": "text/plain", "size": 3,
            "icons": [{ "src": "https://example.org/i.png", "sizes": ["any"], "theme": "dark" }],
        }),
    };
    if seed.flip() {
        block["annotations"] = annotations(seed);
    }
    if seed.flip() {
        block["_meta"] = meta();
    }
    block
}

pub fn tool_result(seed: &mut Seed) -> Value {
    let mut result = json!({ "content": seed.several(block) });
    if seed.flip() {
        result["isError"] = json!(seed.flip());
    }
    match seed.below(4) {
        0 => result["structuredContent"] = json!({ "t": 1.5, "big": 12345678901234567890u64 }),
        1 => result["structuredContent"] = json!(["a", null, 3]),
        2 => result["structuredContent"] = Value::Null,
        _ => {}
    }
    if seed.flip() {
        result["_meta"] = meta();
    }
    result
}

pub fn prompt_result(seed: &mut Seed) -> Value {
    let messages =
        seed.several(|seed| json!({ "role": seed.pick(&["user", "assistant"]), "content": block(seed) }));
    let mut result = json!({ "messages": messages });
    if seed.flip() {
        result["description"] = json!(seed.text());
        result["_meta"] = meta();
    }
    result
}

pub fn resource_result(seed: &mut Seed) -> Value {
    let contents = seed.several(|seed| {
        let mut contents = json!({ "uri": "test://static/resource/1" });
        contents[if seed.flip() { "text" } else { "blob" }] = json!("AA==");
        if seed.flip() {
            contents["mimeType"] = json!("text/html;profile=mcp-app");
            contents["_meta"] = meta();
        }
        contents
    });
    json!({ "contents": contents, "_meta": meta() })
}

/// Params of sampling/createMessage; with everything, or with what every revision can say.
pub fn sampling(seed: &mut Seed, tools: bool) -> Value {
    let plain = |seed: &mut Seed| loop {
        let block = block(seed);
        if matches!(block["type"].as_str(), Some("text" | "image" | "audio")) {
            return block;
        }
    };
    let mut messages = vec![json!({ "role": "user", "content": plain(seed), "_meta": meta() })];
    if seed.flip() {
        messages.push(json!({ "role": "assistant", "content": [plain(seed), plain(seed)] }));
    }
    if tools {
        let used = json!({ "type": "tool_use", "id": "1", "name": "echo", "input": { "a": 1 } });
        let result = json!({
            "type": "tool_result", "toolUseId": "1", "content": [block(seed)],
            "structuredContent": seed.pick(&[json!({}), json!([1])]), "isError": false,
        });
        messages.push(json!({ "role": "assistant", "content": [used] }));
        messages.push(json!({ "role": "user", "content": [result] }));
    }
    let mut params = json!({
        "messages": messages, "maxTokens": 100, "systemPrompt": seed.text(), "temperature": 0.1,
        "includeContext": seed.pick(&["none", "thisServer"]), "stopSequences": ["x"], "metadata": { "a": 1 },
        "modelPreferences": { "hints": [{ "name": "m" }], "costPriority": 0.3 },
    });
    if tools {
        params["toolChoice"] = json!({ "mode": "auto" });
        params["tools"] = json!([{
            "name": "echo", "title": "Echo", "inputSchema": input_schema(seed), "outputSchema": output_schema(seed),
        }]);
    }
    params
}

/// A form with a field of every kind; `required` are names of fields.
pub fn form(required: &[&str]) -> Value {
    json!({
        "mode": "form",
        "message": "who are you?",
        "requestedSchema": {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {
                "name": { "type": "string", "title": "Name", "description": "d", "minLength": 1, "maxLength": 5,
                          "default": "Ada" },
                "email": { "type": "string", "format": "email" },
                "age": { "type": "integer", "minimum": 0, "maximum": 150, "default": 30 },
                "score": { "type": "number", "default": 95.5 },
                "agree": { "type": "boolean", "default": true },
                "plain": { "type": "string", "enum": ["a", "b"], "default": "a" },
                "titled": { "type": "string", "oneOf": [{ "const": "r", "title": "Red" }, { "const": "g", "title": "Green" }],
                            "default": "r" },
                "legacy": { "type": "string", "enum": ["1", "2"], "enumNames": ["One", "Two"] },
                "many": { "type": "array", "items": { "type": "string", "enum": ["x", "y", "z"] }, "minItems": 1,
                          "maxItems": 2, "default": ["x"] },
                "titledMany": { "type": "array",
                                "items": { "anyOf": [{ "const": "p", "title": "P" }, { "const": "q", "title": "Q" }] } },
            },
            "required": required,
        },
    })
}
