//! Real Redis servers for tests, on ports of their own, ended with their handles.

mod cluster;
mod port;
mod sentinel;
mod server;
mod tls;

use std::time::Duration;

pub use cluster::RedisCluster;
pub use port::ReservedPort;
pub use sentinel::RedisSentinel;
pub use server::RedisServer;
pub use tls::TlsFiles;

/// Asks again until it is so.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(30), async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(waited.await.is_ok(), "{what}");
}
