//! TLS to Redis, with a certificate authority of one's own: one server, sentinels and what they watch, a cluster.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use redis_store::testing::{RedisCluster, RedisSentinel, RedisServer, ReservedPort, TlsFiles};
use serving::testing::{Authority, Files};
use system_tests::tools;

use super::{
    faults::until,
    redis_topologies::{stack, survives, works},
};

/// A refusal is told within this, on a busy machine.
const TOLD: Duration = Duration::from_secs(20);

/// Of one test, removed with it.
struct Certificates {
    directory: PathBuf,
    authority: Authority,
}

/// `everything`, ended with the test.
struct Server {
    process: Child,
    port: ReservedPort,
}

impl Certificates {
    fn new(test: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("everything-redis-{test}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let authority = Authority::new("of redis");
        Self { directory, authority }
    }

    /// Of a server with this name.
    fn of(&self, name: &str) -> TlsFiles {
        let Files { cert, key, ca } =
            self.authority
                .write(&self.directory, name, &self.authority.issue(&[name]));
        TlsFiles {
            certificate: cert,
            key,
            authority: ca,
        }
    }

    /// An authority that has issued nothing here.
    fn stranger(&self) -> PathBuf {
        let path = self.directory.join("stranger.pem");
        std::fs::write(&path, Authority::new("somebody else").pem()).unwrap();
        path
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        _ = std::fs::remove_dir_all(&self.directory);
    }
}

impl Server {
    fn start(redis: &str, trusted: &Path, settings: &[(&str, &str)]) -> Self {
        let port = ReservedPort::new();
        let process = Command::new(tools::binary("everything").unwrap())
            .env_clear()
            .envs([("AUTH_MODE", "disabled"), ("RUST_LOG", "off")])
            .env("PORT", port.number().to_string())
            .env("REDIS_URL", redis)
            .env("SSL_CERT_FILE", trusted)
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self { process, port }
    }

    /// Waits until it names this as the reason why it is not ready, of each service that is.
    async fn tells(&self, reason: &str) {
        until("the reason", TOLD, || async {
            let told = super::wire::client()
                .get(format!("http://{}/readyz", self.port.address()))
                .send();
            let told = told.await.map_err(|error| format!("{error:?}"))?;
            let (status, told) = (told.status(), told.text().await.unwrap());
            match status == 503 && told.contains(&format!(r#""session":"{reason}""#)) {
                true => Ok(()),
                false => Err(told),
            }
        })
        .await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn url_of(server: &RedisServer) -> String {
    format!("rediss://localhost:{}", server.public_port())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stack_speaks_tls_to_redis() {
    let certificates = Certificates::new("single");
    let files = certificates.of("localhost");
    let server = RedisServer::start_over(Some(&files), &["--save", ""]).await;
    let trusted = [("SSL_CERT_FILE", text(&files.authority))];
    works(&stack(&url_of(&server), &trusted).await).await;

    // Who trusts another authority, or meets another name, is told so.
    let stranger = certificates.stranger();
    Server::start(&url_of(&server), &stranger, &[])
        .tells("redis_tls_refused")
        .await;
    let elsewhere = certificates.of("elsewhere");
    let server = RedisServer::start_over(Some(&elsewhere), &["--save", ""]).await;
    Server::start(&url_of(&server), &elsewhere.authority, &[])
        .tells("redis_tls_refused")
        .await;
}

/// The master by the name that its certificate holds, before and after a failover.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stack_speaks_tls_to_sentinels_and_to_what_they_watch() {
    let certificates = Certificates::new("sentinel");
    let files = certificates.of("localhost");
    let mut sentinel = RedisSentinel::start_with_tls(&files).await;
    let password = ("REDIS_SENTINEL_PASSWORD", sentinel.password());
    let stranger = certificates.stranger();
    Server::start(&sentinel.url(), &stranger, &[password])
        .tells("redis_tls_refused")
        .await;

    let trusted = ("SSL_CERT_FILE", text(&files.authority));
    let stack = stack(&sentinel.url(), &[trusted, password]).await;
    survives(&stack, async || sentinel.master().await.kill()).await;
}

/// Every node by the name that its certificate holds, before and after a failover.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stack_speaks_tls_to_a_cluster() {
    let certificates = Certificates::new("cluster");
    let files = certificates.of("localhost");
    let mut cluster = RedisCluster::start_with_tls(&files).await;
    let stranger = certificates.stranger();
    Server::start(&cluster.url(), &stranger, &[])
        .tells("redis_tls_refused")
        .await;

    let trusted = ("SSL_CERT_FILE", text(&files.authority));
    let stack = stack(&cluster.url(), &[trusted]).await;
    survives(&stack, async || {
        cluster.fail_over("mcp:changes").await;
    })
    .await;
}
