//! The whole stack as processes that show each other certificates, with HTTPS at the edge.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use redis_store::testing::{RedisServer, ReservedPort};
use serving::testing::{Authority, Files};
use system_tests::tools;
use tokio::time::{Instant, sleep};

/// `GET` by Python's own TLS, which is OpenSSL: prints the status, the protocol, and the body.
const GET: &str = "
import http.client, ssl, sys
port, ca, path = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)
connection = http.client.HTTPSConnection('localhost', int(port), timeout=5, context=context)
connection.request('GET', path)
response = connection.getresponse()
print(response.status, connection.sock and connection.sock.version(), response.read().decode())
";

/// Ended with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

fn command(program: &str, settings: &[(&str, String)]) -> Command {
    let mut command = Command::new(tools::binary(program).unwrap());
    command
        .env_clear()
        .env("RUST_LOG", "warn")
        .envs(settings.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null());
    command
}

fn grpc_tls(files: &Files) -> Vec<(&'static str, String)> {
    let text = |path: &Path| path.display().to_string();
    vec![
        ("GRPC_TLS_CERT", text(&files.cert)),
        ("GRPC_TLS_KEY", text(&files.key)),
        ("GRPC_TLS_CA", text(&files.ca)),
    ]
}

async fn get(port: u16, ca: &Path, path: &str) -> Result<String, String> {
    let output = tokio::process::Command::new("python3")
        .args(["-c", GET, &port.to_string(), &ca.display().to_string(), path])
        .output()
        .await
        .unwrap();
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout).unwrap()),
        false => Err(String::from_utf8(output.stderr).unwrap()),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stack_runs_with_certificates_everywhere() {
    let redis = RedisServer::start().await;
    let directory = std::env::temp_dir().join(format!("everything-tls-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let authority = Authority::new("this stack");
    let services = authority.write(&directory, "services", &authority.issue(&["localhost"]));
    let http = authority.write(&directory, "http", &authority.issue(&["localhost"]));
    let reserved = ReservedPort::new();
    let port = reserved.number();
    let base_uri = format!("https://localhost:{port}");
    let mut running = Vec::new();
    let mut edge = grpc_tls(&services);
    for (program, variable) in [
        ("everything-auth", "AUTH_URL"),
        ("everything-session", "SESSION_URL"),
        ("everything-feature", "FEATURE_URL"),
    ] {
        let port = ReservedPort::new();
        let address = port.address().to_string();
        let mut settings = grpc_tls(&services);
        settings.push(("LISTEN_ADDR", address.clone()));
        settings.push(("REDIS_URL", redis.url()));
        settings.push(("BASE_URI", base_uri.clone()));
        running.push((Process(command(program, &settings).spawn().unwrap()), port));
        edge.push((
            variable,
            format!("https://{}", address.replace("127.0.0.1", "localhost")),
        ));
        if program == "everything-session" {
            let deadline = Instant::now() + Duration::from_secs(20);
            while !command(program, &settings)
                .arg("healthcheck")
                .status()
                .unwrap()
                .success()
            {
                assert!(Instant::now() < deadline, "{program} is not healthy");
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
    edge.push(("PORT", port.to_string()));
    edge.push(("TLS_CERT", http.cert.display().to_string()));
    edge.push(("TLS_KEY", http.key.display().to_string()));
    running.push((
        Process(command("everything-edge", &edge).spawn().unwrap()),
        reserved,
    ));

    let deadline = Instant::now() + Duration::from_secs(20);
    let ready = loop {
        match get(port, &http.ca, "/readyz").await {
            Ok(answer) if answer.starts_with("200 ") => break answer,
            other => assert!(Instant::now() < deadline, "{other:?}"),
        }
        sleep(Duration::from_millis(50)).await;
    };
    assert!(
        ready.contains("TLSv1.3") && ready.contains(r#""session":"ok""#),
        "{ready}"
    );
    let metadata = get(port, &http.ca, "/.well-known/oauth-authorization-server")
        .await
        .unwrap();
    assert!(
        metadata.contains(&format!(r#""issuer":"{base_uri}""#)),
        "{metadata}"
    );
    let healthy = command("everything-edge", &edge)
        .args(["healthcheck", "--ready"])
        .status();
    assert!(healthy.unwrap().success());

    // Who trusts somebody else gets nowhere.
    let other = Authority::new("somebody else");
    let stranger = other.write(&directory, "stranger", &other.issue(&["localhost"]));
    let refused = get(port, &stranger.ca, "/readyz").await.unwrap_err();
    assert!(refused.contains("CERTIFICATE_VERIFY_FAILED"), "{refused}");

    // A new certificate is shown without a restart; a broken one is not, and the last good one stays.
    let renewed = other.write(&directory, "http", &other.issue(&["localhost"]));
    assert_eq!(renewed.cert, http.cert);
    let deadline = Instant::now() + Duration::from_secs(20);
    while let Err(refused) = get(port, &stranger.ca, "/readyz").await {
        assert!(Instant::now() < deadline, "{refused}");
        sleep(Duration::from_millis(100)).await;
    }
    std::fs::write(&renewed.cert, "no certificate").unwrap();
    let looked_at = Instant::now() + Duration::from_secs(5);
    while Instant::now() < looked_at {
        let answer = get(port, &stranger.ca, "/readyz").await.unwrap();
        assert!(answer.starts_with("200 "), "{answer}");
        sleep(Duration::from_millis(250)).await;
    }
    drop(running);
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn no_process_listens_beyond_loopback_in_plain_text_unless_told_to() {
    for (program, name, address) in [
        ("everything-auth", "LISTEN_ADDR", "0.0.0.0:0"),
        ("everything-session", "LISTEN_ADDR", "0.0.0.0:0"),
        ("everything-feature", "LISTEN_ADDR", "0.0.0.0:0"),
        ("everything-conformance", "LISTEN_ADDR", "0.0.0.0:0"),
        ("everything-edge", "HOST", "0.0.0.0"),
        ("everything", "HOST", "0.0.0.0"),
    ] {
        let settings = [
            (name, address.to_owned()),
            // Nobody is there, and nobody needs to be.
            ("REDIS_URL", "redis://127.0.0.1:9".to_owned()),
        ];
        let output = command(program, &settings).output().unwrap();
        assert!(!output.status.success(), "{program}");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(said.contains("ALLOW_PLAINTEXT=true"), "{program}: {said}");
    }
}
