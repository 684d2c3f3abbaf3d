use serde_json::{Map, Value, json};

/// Every kind of field that MCP knows (`PrimitiveSchemaDefinition`), in the order in which they are shown.
pub(super) fn requested_schema() -> Value {
    let fields = [
        (
            "name",
            json!({
                "type": "string",
                "title": "Full name",
                "description": "Your full, legal name",
                "minLength": 1,
                "maxLength": 100,
            }),
        ),
        (
            "agree",
            json!({
                "type": "boolean",
                "title": "Agree to terms",
                "description": "A box to tick",
                "default": false,
            }),
        ),
        (
            "color",
            json!({
                "type": "string",
                "title": "Favorite color",
                "description": "Free text with a default",
                "default": "blue",
                "maxLength": 50,
            }),
        ),
        (
            "email",
            json!({
                "type": "string",
                "title": "Email address",
                "description": "Is not verified and goes nowhere",
                "format": "email",
            }),
        ),
        (
            "homepage",
            json!({
                "type": "string",
                "title": "Homepage",
                "description": "A personal site",
                "format": "uri",
            }),
        ),
        (
            "birthdate",
            json!({
                "type": "string",
                "title": "Birthdate",
                "description": "Your date of birth",
                "format": "date",
            }),
        ),
        (
            "appointment",
            json!({
                "type": "string",
                "title": "Appointment",
                "description": "A moment, with its time zone",
                "format": "date-time",
            }),
        ),
        (
            "integer",
            json!({
                "type": "integer",
                "title": "Favorite integer",
                "description": "From 1 to 100",
                "minimum": 1,
                "maximum": 100,
                "default": 42,
            }),
        ),
        (
            "number",
            json!({
                "type": "number",
                "title": "Favorite number",
                "description": "From 0 to 1000; there are no wrong answers",
                "minimum": 0,
                "maximum": 1000,
                "default": 2.5,
            }),
        ),
        (
            "size",
            json!({
                "type": "string",
                "title": "Size",
                "description": "One of several, without titles",
                "enum": ["small", "medium", "large"],
                "default": "medium",
            }),
        ),
        (
            "pet",
            json!({
                "type": "string",
                "title": "Pet",
                "description": "One of several, with titles",
                "oneOf": [
                    { "const": "cat", "title": "Cats" },
                    { "const": "dog", "title": "Dogs" },
                    { "const": "bird", "title": "Birds" },
                ],
                "default": "dog",
            }),
        ),
        (
            "instruments",
            json!({
                "type": "array",
                "title": "Instruments",
                "description": "Some of several, without titles",
                "items": { "type": "string", "enum": ["guitar", "piano", "violin", "drums"] },
                "minItems": 1,
                "maxItems": 3,
                "default": ["guitar"],
            }),
        ),
        (
            "fish",
            json!({
                "type": "array",
                "title": "Fish",
                "description": "Some of several, with titles",
                "items": {
                    "anyOf": [
                        { "const": "tuna", "title": "Tuna" },
                        { "const": "salmon", "title": "Salmon" },
                        { "const": "trout", "title": "Trout" },
                    ],
                },
                "minItems": 0,
                "maxItems": 2,
                "default": ["salmon"],
            }),
        ),
        (
            "planet",
            json!({
                "type": "string",
                "title": "Planet",
                "description": "One of several, with titles in the form of older revisions",
                "enum": ["mars", "venus", "saturn"],
                "enumNames": ["Mars", "Venus", "Saturn"],
                "default": "mars",
            }),
        ),
    ];
    let properties: Map<String, Value> = fields
        .into_iter()
        .map(|(name, field)| (name.to_owned(), field))
        .collect();
    json!({ "type": "object", "properties": properties, "required": ["name"] })
}

pub(super) fn field_names(form: &Value) -> impl Iterator<Item = &str> {
    form.get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(|fields| fields.keys())
        .map(String::as_str)
}
