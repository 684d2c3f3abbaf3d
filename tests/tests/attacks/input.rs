//! Input that is too large, or is nothing.

use serde_json::{Value, json};

use super::target::{Answer, Target, changed};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn oversized_input() {
    let target = Target::start().await;
    let client = target.client().await;
    let large = "a".repeat(100 * 1024);
    for path in ["/token", "/revoke", "/introspect", "/par"] {
        let answer = target.post(path, &[("client_id", &large)]).await;
        assert_eq!(answer.status, 413, "{path}");
        let many: Vec<_> = (0..1000).map(|_| ("a", "b")).collect();
        assert_eq!(
            target.post(path, &many).await.error(),
            "invalid_request",
            "{path}"
        );
    }
    for metadata in [
        json!({ "redirect_uris": ["https://app.example/"], "client_name": "a".repeat(20 * 1024) }),
        json!({ "redirect_uris": (0..1000).map(|n| format!("https://app.example/{n}")).collect::<Vec<_>>() }),
        json!({ "redirect_uris": [format!("https://app.example/{}", "a".repeat(10_000))] }),
    ] {
        let answer = target.register(&metadata).await;
        assert_eq!(answer.status, 400, "{answer:?}");
    }
    let answer = target.register(&json!({ "client_name": large })).await;
    assert_eq!(answer.status, 413);
    // Headers and addresses.
    let token = "a".repeat(20 * 1024);
    let answer = target.use_token(&token).await;
    assert!(answer.status.is_client_error(), "{answer:?}");
    for name in ["state", "scope", "client_id", "redirect_uri", "nonce"] {
        let request = changed(target.request(&client), name, &"a".repeat(12_000));
        let answer = target.get(target.authorize(&request)).await;
        assert!(!answer.status.is_server_error(), "{name}: {}", answer.status);
    }
    let answer = target
        .get(target.at(&format!("/authorize?{}", "a=b&".repeat(500))))
        .await;
    assert_eq!(answer.status, 400);
    assert_eq!(target.get(target.at("/readyz")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn malformed_input() {
    let target = Target::start().await;
    let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    for body in [
        "",
        "null",
        "[]",
        "{",
        "\"x\"",
        "1e999",
        "{}",
        "\u{0}",
        &deep,
        r#"{"redirect_uris":"https://app.example/"}"#,
        r#"{"redirect_uris":[1,null,{}]}"#,
        r#"{"redirect_uris":["https://app.example/"],"client_name":"\ud800"}"#,
        r#"{"redirect_uris":["https://app.example/"],"client_name":"a\u202egnp.exe"}"#,
        r#"{"redirect_uris":["https://app.example/"],"grant_types":["password"]}"#,
        r#"{"redirect_uris":["https://app.example/"],"token_endpoint_auth_method":"tls_client_auth"}"#,
    ] {
        let request = target
            .http
            .post(target.at("/register"))
            .header("content-type", "application/json")
            .body(body.to_owned());
        let answer = Answer::of(request).await;
        assert_eq!(answer.status, 400, "{body:.60}: {answer:?}");
        assert!(answer.json()["error"].is_string());
    }
    for path in ["/token", "/revoke", "/introspect", "/par"] {
        for (kind, body) in [
            ("application/x-www-form-urlencoded", &b"%ff%fe=%00&&=&%"[..]),
            ("application/x-www-form-urlencoded", b""),
            (
                "application/x-www-form-urlencoded",
                b"grant_type=a&grant_type=b&client_id=x",
            ),
            ("application/x-www-form-urlencoded", b"\xff\xfe\x00\x01"),
            ("application/json", b"{\"grant_type\":\"authorization_code\"}"),
            ("multipart/form-data; boundary=x", b"--x--"),
            ("", b"x"),
        ] {
            let request = target.http.post(target.at(path)).header("content-type", kind);
            let answer = Answer::of(request.body(body.to_vec())).await;
            assert!(answer.status.is_client_error(), "{path} {kind}: {answer:?}");
            assert!(answer.json()["error"].is_string(), "{path} {kind}: {answer:?}");
        }
        for authorization in [
            "Basic",
            "Basic !!!",
            "Basic Og==",
            "Bearer x",
            "Basic /////w==",
            "Negotiate x",
        ] {
            let request = target
                .http
                .post(target.at(path))
                .header("authorization", authorization);
            let answer = Answer::of(request.form(&[("token", "x")])).await;
            assert_eq!(answer.status, 401, "{path} {authorization}: {answer:?}");
            assert!(!answer.header("www-authenticate").is_empty());
        }
    }
    for grant in ["password", "implicit", "urn:x", "", "AUTHORIZATION_CODE"] {
        let client = target.client().await;
        let answer = target
            .post("/token", &[("grant_type", grant), ("client_id", &client)])
            .await;
        let known: Value = answer.json();
        assert!(
            ["unsupported_grant_type", "invalid_request"].contains(&known["error"].as_str().unwrap()),
            "{grant}: {answer:?}"
        );
    }
}
