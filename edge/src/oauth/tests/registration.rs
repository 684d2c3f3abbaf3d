use axum::body::Body;
use everything_proto::auth::v1::{
    Deleted, RegisterClientResponse, register_client_request::Operation, register_client_response,
};
use http::Request;
use serde_json::json;

use super::error;
use crate::testing::Harness;

#[tokio::test]
async fn clients_register_and_manage_their_registration() {
    let edge = Harness::new().await;
    let client = register_client_response::Outcome::ClientJson(br#"{"client_id":"c"}"#.as_slice().into());
    edge.auth.register.answers(Ok(RegisterClientResponse {
        outcome: Some(client),
    }));
    let json_type = ("content-type", "application/json; charset=utf-8");
    let request = Request::post("/register").header(json_type.0, json_type.1);
    let answer = edge.send(request, r#"{"redirect_uris":[]}"#).await;
    assert_eq!((answer.status, answer.json()), (201, json!({ "client_id": "c" })));
    assert_eq!(answer.header("cache-control"), "no-store");
    let asked = edge.auth.register.last();
    assert_eq!(asked.operation(), Operation::Create);
    assert_eq!(&asked.metadata_json[..], br#"{"redirect_uris":[]}"#);

    let managed = |method| {
        Request::builder()
            .method(method)
            .uri("/register/c%20d")
            .header("authorization", "Bearer r")
    };
    assert_eq!(edge.send(managed("GET"), Body::empty()).await.status, 200);
    let asked = edge.auth.register.last();
    assert_eq!(
        (asked.operation(), asked.client_id.as_str()),
        (Operation::Read, "c d")
    );
    assert_eq!(asked.registration_access_token, "r");
    let put = managed("PUT").header(json_type.0, json_type.1);
    assert_eq!(edge.send(put, "{}").await.status, 200);
    assert_eq!(edge.auth.register.last().operation(), Operation::Update);
    let deleted = register_client_response::Outcome::Deleted(Deleted {});
    edge.auth.register.answers(Ok(RegisterClientResponse {
        outcome: Some(deleted),
    }));
    let answer = edge.send(managed("DELETE"), Body::empty()).await;
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    assert_eq!(edge.auth.register.last().operation(), Operation::Delete);

    let asked = edge.auth.register.count();
    let answer = edge.get("/register/c").await;
    assert_eq!(
        (answer.status, answer.json()["error"].as_str()),
        (401, Some("invalid_token"))
    );
    assert_eq!(
        edge.form("/register", "a=b").await.json()["error"],
        "invalid_request"
    );
    assert_eq!(edge.auth.register.count(), asked);
    let refused = register_client_response::Outcome::Error(error("invalid_redirect_uri"));
    edge.auth.register.answers(Ok(RegisterClientResponse {
        outcome: Some(refused),
    }));
    let request = Request::post("/register").header(json_type.0, json_type.1);
    let answer = edge.send(request, "not even json").await;
    assert_eq!(
        (answer.status, answer.json()["error"].as_str()),
        (400, Some("invalid_redirect_uri"))
    );
}
