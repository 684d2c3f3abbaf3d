//! Follows the auth service's revocations.

use std::{sync::Arc, time::Duration};

use everything_proto::auth::v1::{
    WatchRequest, auth_service_client::AuthServiceClient, watch_response::Event,
};
use serving::{GrpcChannel, lasting, retry::backoff};

use super::cache::{TokenCache, TokenHash};

/// How long the auth service may take to begin.
const WATCHING: Duration = Duration::from_secs(10);

/// Keeps `cache` in step with the auth service, for ever.
pub async fn follow(mut client: AuthServiceClient<GrpcChannel>, cache: Arc<TokenCache>) {
    let mut failures = 0;
    loop {
        if let Ok(response) = client.watch(lasting(WatchRequest {}, WATCHING)).await {
            let mut events = response.into_inner();
            while let Ok(Some(message)) = events.message().await {
                if let Some(event) = message.event {
                    failures = 0;
                    apply(event, &cache).await;
                }
            }
        }
        // What was revoked while nobody listened is not told again.
        cache.close();
        failures = u32::min(failures + 1, 7);
        tokio::time::sleep(backoff(failures)).await;
    }
}

async fn apply(event: Event, cache: &TokenCache) {
    match event {
        Event::Watching(_) => cache.open(),
        Event::RevokedGrantId(grant_id) => cache.revoke_grant(grant_id),
        Event::RevokedTokenSha256(hash) => match TokenHash::from_hex(&hash) {
            Some(hash) => cache.revoke_token(hash).await,
            None => {
                tracing::error!("the auth service named a revoked token in an unknown way");
                // Whichever it was, it is forgotten. The watch goes on.
                cache.close();
                cache.open();
            }
        },
    }
}
