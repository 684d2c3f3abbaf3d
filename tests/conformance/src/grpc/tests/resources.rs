use super::*;
use crate::media;

#[tokio::test]
async fn contents_are_as_documented() {
    let client = Client::new();
    let text = json!({
        "uri": "test://static-text",
        "mimeType": "text/plain",
        "text": "This is the content of the static text resource.",
    });
    assert_eq!(
        result(client.read("test://static-text").await),
        json!({ "contents": [text] })
    );
    let binary = json!({ "uri": "test://static-binary", "mimeType": "image/png", "blob": media::PNG });
    assert_eq!(
        result(client.read("test://static-binary").await),
        json!({ "contents": [binary] })
    );
    let templated = json!({
        "uri": "test://template/123/data",
        "mimeType": "application/json",
        "text": r#"{"id":"123","templateTest":true,"data":"Data for ID: 123"}"#,
    });
    assert_eq!(
        result(client.read("test://template/123/data").await),
        json!({ "contents": [templated] })
    );
}

#[tokio::test]
async fn an_id_with_quotes_stays_valid_json() {
    let contents = result(Client::new().read(r#"test://template/a"b/data"#).await);
    let inner: Value = serde_json::from_str(contents["contents"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(
        inner,
        json!({ "id": "a\"b", "templateTest": true, "data": "Data for ID: a\"b" })
    );
}

#[tokio::test]
async fn an_unknown_resource_is_an_error_that_names_it() {
    let client = Client::new();
    for uri in [
        "test://nonexistent-resource-for-conformance-testing",
        "test://template//data",
        "test://template/1/2/data",
    ] {
        let error = error(client.read(uri).await);
        assert_eq!(
            (error.code, parsed(&error.data_json)),
            (-32002, json!({ "uri": uri }))
        );
    }
}

#[tokio::test]
async fn only_what_exists_can_be_watched() {
    let client = Client::new();
    assert_eq!(
        result(client.subscribe("test://watched-resource").await),
        json!({})
    );
    let error = error(client.subscribe("test://elsewhere").await);
    assert_eq!(
        (error.code, parsed(&error.data_json)),
        (-32002, json!({ "uri": "test://elsewhere" }))
    );
}
