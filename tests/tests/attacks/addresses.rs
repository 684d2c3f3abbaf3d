//! Addresses that the server is talked into reading (SSRF).

use std::time::Duration;

use serde_json::json;
use system_tests::REDIRECT_URI;
use tokio::{net::TcpListener, time::timeout};

use super::target::{Target, changed};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ssrf_by_client_metadata_documents() {
    let target = Target::start().await;
    let request = target.request("x");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let own = [
        format!("http://127.0.0.1:{port}/client.json"),
        format!("https://127.0.0.1:{port}/client.json"),
        format!("https://localhost:{port}/client.json"),
        format!("https://127.1:{port}/client.json"),
        format!("https://2130706433:{port}/client.json"),
        format!("https://0x7f000001:{port}/client.json"),
        format!("https://0177.0.0.1:{port}/client.json"),
        format!("https://0.0.0.0:{port}/client.json"),
        format!("https://[::1]:{port}/client.json"),
        format!("https://[::]:{port}/client.json"),
        format!("https://[::ffff:127.0.0.1]:{port}/client.json"),
        format!("https://[64:ff9b::7f00:1]:{port}/client.json"),
        format!("https://app.example@127.0.0.1:{port}/client.json"),
        format!("https://localhost.:{port}/client.json"),
    ];
    let others = [
        "https://169.254.169.254/latest/meta-data/",
        "https://[fd00:ec2::254]/latest/meta-data/",
        "https://100.100.100.200/latest/meta-data/",
        "https://10.0.0.1/client.json",
        "https://172.16.0.1/client.json",
        "https://192.168.0.1/client.json",
        "https://[fe80::1]/client.json",
        "https://[fc00::1]/client.json",
        "https://224.0.0.1/client.json",
        "https://255.255.255.255/client.json",
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/x",
        "ftp://127.0.0.1/client.json",
        "unix:/tmp/x",
    ];
    let mut first = None;
    for url in own.iter().map(String::as_str).chain(others) {
        let answer = target
            .get(target.authorize(&changed(request.clone(), "client_id", url)))
            .await;
        assert!(answer.is_dead_end(), "{url}: {answer:?}");
        // The answer is the same for what is there and what is not: no map of the network comes out.
        let said = first.get_or_insert_with(|| answer.text.clone());
        assert_eq!(*said, answer.text, "{url}");
    }
    untouched(&listener).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ssrf_by_key_sets_and_other_metadata() {
    let target = Target::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    for scheme in ["http", "https"] {
        let url = format!("{scheme}://{address}/keys");
        let metadata = json!({
            "redirect_uris": [REDIRECT_URI],
            "token_endpoint_auth_method": "private_key_jwt",
            "jwks_uri": url,
        });
        let answer = target.register(&metadata).await;
        if answer.status == 201 {
            let client = answer.json()["client_id"].as_str().unwrap().to_owned();
            let form = [
                ("grant_type", "refresh_token"),
                ("refresh_token", "unknown"),
                ("client_id", &client),
                (
                    "client_assertion_type",
                    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                ),
                ("client_assertion", "eyJhbGciOiJFUzI1NiJ9.e30.AAAA"),
            ];
            assert_eq!(target.post("/token", &form).await.error(), "invalid_client");
        }
        // Never read by anybody: pages load no picture that a client names, and nobody follows its links.
        let metadata = json!({
            "redirect_uris": [REDIRECT_URI],
            "token_endpoint_auth_method": "none",
            "logo_uri": url,
            "client_uri": url,
            "sector_identifier_uri": url,
        });
        let answer = target.register(&metadata).await;
        if answer.status == 201 {
            let client = answer.json()["client_id"].as_str().unwrap().to_owned();
            let page = target.get(target.authorize(&target.request(&client))).await;
            assert!(!page.text.contains(&format!("src=\"{url}")), "{page:?}");
        }
    }
    // request_uri (OpenID Connect Core section 6.2) is not read either.
    let client = target.client().await;
    let request = changed(
        target.request(&client),
        "request_uri",
        &format!("http://{address}/request"),
    );
    let answer = target.get(target.authorize(&request)).await;
    assert!(
        answer.is_dead_end() || answer.header("location").contains("error="),
        "{answer:?}"
    );
    untouched(&listener).await;
}

/// Nobody connected. A connection would be waiting by now, since every answer came after it.
async fn untouched(listener: &TcpListener) {
    let waiting = timeout(Duration::from_millis(200), listener.accept()).await;
    assert!(waiting.is_err(), "somebody connected: {waiting:?}");
}
