use base64::{Engine, engine::general_purpose::STANDARD};
use rmcp::model::{PaginatedRequestParams, ReadResourceRequestParams, SubscribeRequestParams};
use serde_json::{Value, json};

use crate::visit::{Visit, error, in_time, json};

const TEMPLATE: &str = "test://static/resource/{id}";

pub async fn come_in_pages_of_ten(visit: &Visit) {
    let mut cursor = None;
    let mut pages = Vec::new();
    loop {
        let params = PaginatedRequestParams::default().with_cursor(cursor);
        let page = in_time(visit.client.list_resources(Some(params))).await.unwrap();
        pages.push(json(&page.resources));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(pages.len(), 11);
    for (number, page) in (0_u32..).zip(&pages[..10]) {
        let page = page.as_array().unwrap();
        assert_eq!(page.len(), 10);
        for (id, resource) in (number * 10 + 1..).zip(page) {
            assert_eq!(resource, &listed(id));
        }
    }
    assert_eq!(pages[10][0]["uri"], "ui://everything/hello-world");

    let bad = PaginatedRequestParams::default().with_cursor(Some("cmVzb3VyY2VzOjU".to_owned()));
    let error = error(in_time(visit.client.list_resources(Some(bad))).await);
    assert_eq!((error.code.0, &*error.message), (-32602, "invalid cursor"));
}

fn listed(id: u32) -> Value {
    let (kind, mime_type, size) = match id % 2 {
        1 => ("text", "text/plain", 39),
        _ => ("binary", "application/octet-stream", 32),
    };
    json!({
        "uri": format!("test://static/resource/{id}"),
        "name": format!("Resource {id}"),
        "title": format!("Resource {id}"),
        "description": format!("Static {kind} {id}"),
        "mimeType": mime_type,
        "size": size + id.to_string().len(),
    })
}

pub async fn are_text_or_binary(visit: &Visit) {
    for id in [1, 2, 99, 100] {
        let uri = format!("test://static/resource/{id}");
        let result = in_time(visit.client.read_resource(ReadResourceRequestParams::new(&uri))).await;
        let expected = match id % 2 {
            1 => json!({
                "uri": uri,
                "mimeType": "text/plain",
                "text": format!("Resource {id}: This is a plaintext resource"),
            }),
            _ => json!({
                "uri": uri,
                "mimeType": "application/octet-stream",
                "blob": STANDARD.encode(format!("Resource {id}: This is a base64 blob")),
            }),
        };
        assert_eq!(json(&result.unwrap().contents), json!([expected]));
    }
}

pub async fn have_a_template(visit: &Visit) {
    let page = in_time(visit.client.list_resource_templates(None)).await.unwrap();
    assert_eq!(page.next_cursor, None);
    let templates = json(&page.resource_templates);
    assert_eq!(templates.as_array().unwrap().len(), 1);
    assert_eq!(
        (&templates[0]["uriTemplate"], &templates[0]["name"]),
        (&json!(TEMPLATE), &json!("Static Resource"))
    );
    for (typed, expected) in [
        (
            "4",
            vec!["4", "40", "41", "42", "43", "44", "45", "46", "47", "48", "49"],
        ),
        ("10", vec!["10", "100"]),
        ("x", vec![]),
    ] {
        let completing = visit
            .client
            .complete_resource_argument(TEMPLATE, "id", typed, None);
        let completion = in_time(completing).await.unwrap();
        assert_eq!(completion.values, expected);
        assert_eq!(completion.total, Some(u32::try_from(expected.len()).unwrap()));
        assert_eq!(completion.has_more, Some(false));
    }
}

pub async fn that_do_not_exist_are_errors(visit: &Visit) {
    for uri in [
        "test://static/resource/101",
        "test://static/resource/01",
        "test://session/resource/00000000000000000000000000000000/x",
        "file:///etc/passwd",
    ] {
        let read = error(in_time(visit.client.read_resource(ReadResourceRequestParams::new(uri))).await);
        let subscribed = error(in_time(visit.client.subscribe(SubscribeRequestParams::new(uri))).await);
        for error in [read, subscribed] {
            assert_eq!((error.code.0, &*error.message), (-32002, "resource not found"));
            assert_eq!(error.data, Some(json!({ "uri": uri })));
        }
    }
}
