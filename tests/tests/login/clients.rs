//! Other people's clients log in from a bare URL: unknown, as a document, and registered beforehand.

use std::path::Path;

use rmcp::{
    ServiceExt,
    transport::{
        AuthClient, StreamableHttpClientTransport,
        auth::{AuthorizationRequest, OAuthState},
        streamable_http_client::StreamableHttpClientTransportConfig,
    },
};
use serde_json::json;
use system_tests::{Browser, Builder, REDIRECT_URI, Stack, tools};

use super::{
    certificate::Certificate,
    node::{self, Running},
};

/// Where the Python client waits; see `everything_client/login.py`.
const PYTHON_REDIRECT_URI: &str = "http://127.0.0.1:8977/callback";
/// Loopback redirects go to any port (RFC 8252 section 7.3).
const ANY_PORT: &str = "http://127.0.0.1/callback";

/// A server that has read the documents of `localhost`, and their host.
struct Documented {
    stack: Stack,
    url: String,
    _host: Running,
    _directory: Directory,
}

struct Directory(std::path::PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("everything-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Documented {
    async fn start(name: &str) -> Self {
        let directory = Directory::new(name);
        let certificate = Certificate::create(&directory.0);
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let arguments = [
            &text(&certificate.key),
            &text(&certificate.certificate),
            ANY_PORT,
            REDIRECT_URI,
            PYTHON_REDIRECT_URI,
        ];
        let mut host = Running::start(&mut node::command("documents.cjs", &arguments));
        let url = host.line(|line| line.starts_with("https://")).await;
        let stack = Stack::builder()
            .all_in_one()
            .setting("CLIENT_DOCUMENTS_FROM_LOOPBACK", "true")
            .setting("SSL_CERT_FILE", &text(&certificate.authority));
        Self {
            stack: stack.start().await.unwrap(),
            url,
            _host: host,
            _directory: directory,
        }
    }
}

/// A server that knows `our-client`, and the file that says so.
async fn preregistered(name: &str) -> (Stack, Directory) {
    let directory = Directory::new(name);
    let file = directory.0.join("clients.json");
    let client = json!({
        "client_id": "our-client",
        "client_name": "Registered beforehand",
        "redirect_uris": [ANY_PORT, REDIRECT_URI, PYTHON_REDIRECT_URI],
        "token_endpoint_auth_method": "none",
    });
    std::fs::write(&file, json!({ "clients": [client] }).to_string()).unwrap();
    let stack = Stack::builder()
        .all_in_one()
        .setting("CLIENTS_FILE", file.to_str().unwrap());
    (stack.start().await.unwrap(), directory)
}

async fn typescript(stack: &Stack, name: &str, arguments: &[&str]) {
    let pictures = node::artifacts(name);
    let url = stack.url("/mcp");
    let arguments = [&[url.as_str(), pictures.to_str().unwrap()], arguments].concat();
    let said = node::run(&mut node::command("sdk.cjs", &arguments)).await;
    assert!(said.contains("logged in"), "{said}\n{}", stack.logs());
}

async fn python(stack: &Stack, arguments: &[&str]) {
    let mut client = tokio::process::Command::new(tools::python().unwrap());
    client
        .args(["-m", "everything_client", &stack.url("/mcp"), "--only-log-in"])
        .args(arguments)
        .current_dir(tools::root().join("tests/clients/python"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .kill_on_drop(true);
    let said = node::run(&mut client).await;
    assert!(said.contains("checks passed"), "{said}\n{}", stack.logs());
}

async fn rust(stack: &Stack, request: AuthorizationRequest, client_id: &str) {
    let url = stack.url("/mcp");
    let mut oauth = OAuthState::new(&url, None).await.unwrap();
    oauth.start_authorization(request).await.unwrap();
    let page = oauth.get_authorization_url().await.unwrap();
    let back = Browser::of("rust")
        .unwrap()
        .follow(page.parse().unwrap())
        .await
        .unwrap();
    oauth.handle_callback_url(back.as_str()).await.unwrap();
    let manager = oauth.into_authorization_manager().unwrap();
    assert_eq!(manager.get_credentials().await.unwrap().0, client_id);
    let http = AuthClient::new(reqwest::Client::new(), manager);
    let config = StreamableHttpClientTransportConfig::with_uri(url.as_str());
    let transport = StreamableHttpClientTransport::with_client(http, config);
    let client = ().serve(transport).await.unwrap();
    assert!(!client.list_all_tools().await.unwrap().is_empty());
    client.cancel().await.unwrap();
}

fn in_process() -> Builder {
    Stack::builder().in_process()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_typescript_sdk_registers_itself() {
    let stack = in_process().start().await.unwrap();
    typescript(&stack, "typescript-dcr", &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_typescript_sdk_is_a_document() {
    let server = Documented::start("ts-document").await;
    typescript(&server.stack, "typescript-cimd", &["--metadata-url", &server.url]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_typescript_sdk_was_registered_beforehand() {
    let (stack, _directory) = preregistered("ts-registered").await;
    typescript(&stack, "typescript-preregistered", &["--client-id", "our-client"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rust_sdk_is_a_document() {
    let server = Documented::start("rust-document").await;
    let request = AuthorizationRequest::new(REDIRECT_URI).with_client_metadata_url(&server.url);
    rust(&server.stack, request, &server.url).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rust_sdk_was_registered_beforehand() {
    let (stack, _directory) = preregistered("rust-registered").await;
    let request = AuthorizationRequest::new(REDIRECT_URI).with_preregistered_client("our-client");
    rust(&stack, request, "our-client").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_python_sdk_is_a_document() {
    let server = Documented::start("python-document").await;
    python(&server.stack, &["--metadata-url", &server.url]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_python_sdk_was_registered_beforehand() {
    let (stack, _directory) = preregistered("python-registered").await;
    python(&stack, &["--client-id", "our-client"]).await;
}
