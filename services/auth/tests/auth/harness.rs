//! A running authorization server, and a client and browser to use it with.

use std::sync::Arc;
use std::time::Duration;

use everything_auth::clock::Clock;
use everything_auth::store::{MemoryStore, RedisStore, Store};
use everything_auth::{Config, Dependencies, Service};
use everything_proto::auth::v1::auth_service_client::AuthServiceClient;
use everything_proto::auth::v1::fake_upstream_service_client::FakeUpstreamServiceClient;
use everything_proto::auth::v1::{
    self as proto, begin_authorization_response, complete_upstream_response, decide_consent_response,
    exchange_token_response, fake_authorize_response, introspect_request, register_client_request::Operation,
    register_client_response,
};
use redis_store::testing::RedisServer;
use serde_json::{Value, json};
use serving::{CancellationToken, GrpcChannel, GrpcLimits, Upstream, UpstreamSettings};
use url::Url;

pub use self::forms::*;

mod forms;

pub const BASE: &str = "http://localhost:3232";
pub const RESOURCE: &str = "http://localhost:3232/mcp";
pub const REDIRECT: &str = "https://app.example/callback";
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

pub type Auth = AuthServiceClient<GrpcChannel>;

/// Replicas of the service on one store. Ends them when dropped.
pub struct Stack {
    pub replicas: Vec<Auth>,
    fake: FakeUpstreamServiceClient<GrpcChannel>,
    pub redis: Option<RedisServer>,
    shutdown: CancellationToken,
}

/// Runs a test on the memory store and on Redis, with two replicas each.
macro_rules! on_both_stores {
    ($($(#[$attribute:meta])* async fn $name:ident($stack:ident) $body:block)+) => {
        $(
            $(#[$attribute])*
            mod $name {
                #[allow(unused_imports, reason = "not every test needs all of them")]
                use super::*;

                async fn test($stack: &mut $crate::harness::Stack) $body

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn memory() {
                    test(&mut $crate::harness::Stack::memory().await).await;
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn redis() {
                    test(&mut $crate::harness::Stack::redis().await).await;
                }
            }
        )+
    };
}
pub(crate) use on_both_stores;

impl Drop for Stack {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl Stack {
    pub async fn memory() -> Self {
        Self::start(
            Arc::new(MemoryStore::new()),
            None,
            Clock::System,
            Config::default(),
        )
        .await
    }

    /// Time that can be paused and advanced.
    pub async fn memory_with_runtime_clock() -> Self {
        Self::start(
            Arc::new(MemoryStore::new()),
            None,
            Clock::runtime(),
            Config::default(),
        )
        .await
    }

    pub async fn memory_with(config: Config) -> Self {
        Self::start(Arc::new(MemoryStore::new()), None, Clock::System, config).await
    }

    pub async fn redis() -> Self {
        let server = RedisServer::start().await;
        let store = Arc::new(RedisStore::new(server.connect()));
        Self::start(store, Some(server), Clock::System, Config::default()).await
    }

    pub async fn start(
        store: Arc<dyn Store>,
        redis: Option<RedisServer>,
        clock: Clock,
        config: Config,
    ) -> Self {
        let shutdown = CancellationToken::new();
        let mut channels = Vec::new();
        for _ in 0..2 {
            // With Redis, each replica has connections of its own.
            let store = match &redis {
                Some(server) => Arc::new(RedisStore::new(server.connect())),
                None => Arc::clone(&store),
            };
            let dependencies = Dependencies {
                store,
                readiness: serving::always_ready(),
                clock,
                metrics: telemetry::Metrics::none(),
            };
            let service = Service::build(&BASE.parse().unwrap(), &config, dependencies).unwrap();
            let (listener, target) = serving::memory();
            tokio::spawn(service.serve(listener, GrpcLimits::default(), shutdown.clone()));
            let upstream = Upstream::connect("", target, UpstreamSettings::default(), shutdown.clone());
            tokio::time::timeout(Duration::from_secs(10), upstream.ready())
                .await
                .expect("the service starts");
            channels.push(upstream.channel());
        }
        Self {
            replicas: channels.iter().cloned().map(AuthServiceClient::new).collect(),
            fake: FakeUpstreamServiceClient::new(channels[1].clone()),
            redis,
            shutdown,
        }
    }

    /// Another replica each time would hide nothing; the first begins, the second goes on.
    pub fn first(&mut self) -> &mut Auth {
        &mut self.replicas[0]
    }

    pub fn second(&mut self) -> &mut Auth {
        &mut self.replicas[1]
    }

    pub async fn register(&mut self, metadata: Value) -> Result<Value, proto::OAuthError> {
        let request = proto::RegisterClientRequest {
            operation: Operation::Create.into(),
            metadata_json: metadata.to_string().into(),
            ..Default::default()
        };
        match self
            .first()
            .register_client(request)
            .await
            .unwrap()
            .into_inner()
            .outcome
            .unwrap()
        {
            register_client_response::Outcome::ClientJson(client) => {
                Ok(serde_json::from_slice(&client).unwrap())
            }
            register_client_response::Outcome::Error(error) => Err(error),
            register_client_response::Outcome::Deleted(_) => panic!("nothing was deleted"),
        }
    }

    /// A public client with one https redirect.
    pub async fn public_client(&mut self) -> String {
        let client = self
            .register(json!({
                "client_name": "test client",
                "redirect_uris": [REDIRECT],
                "token_endpoint_auth_method": "none",
            }))
            .await
            .unwrap();
        client["client_id"].as_str().unwrap().to_owned()
    }

    pub async fn begin(
        &mut self,
        request: &[(&str, &str)],
        browser: &str,
    ) -> begin_authorization_response::Outcome {
        let request = proto::BeginAuthorizationRequest {
            parameters: parameters(request),
            browser_session: browser.to_owned(),
            ..Default::default()
        };
        self.first()
            .begin_authorization(request)
            .await
            .unwrap()
            .into_inner()
            .outcome
            .unwrap()
    }

    pub async fn consent(&mut self, request: &[(&str, &str)]) -> proto::ConsentPrompt {
        match self.begin(request, "").await {
            begin_authorization_response::Outcome::Consent(prompt) => prompt,
            other => panic!("no consent page but {other:?}"),
        }
    }

    pub async fn decide(
        &mut self,
        prompt: &proto::ConsentPrompt,
        approved: bool,
        browser: &str,
    ) -> Result<Url, proto::ErrorPage> {
        let request = proto::DecideConsentRequest {
            transaction: prompt.transaction.clone(),
            csrf_token: prompt.csrf_token.clone(),
            approved,
            browser_session: browser.to_owned(),
            address: None,
        };
        match self
            .second()
            .decide_consent(request)
            .await
            .unwrap()
            .into_inner()
            .outcome
            .unwrap()
        {
            decide_consent_response::Outcome::Redirect(to) => Ok(to.location.parse().unwrap()),
            decide_consent_response::Outcome::ErrorPage(page) => Err(page),
        }
    }

    /// Types a user id on the fake provider's page.
    pub async fn fake_login(&mut self, page: &Url, user: &str) -> Url {
        let request = proto::FakeAuthorizeRequest {
            parameters: query_parameters(page),
            user_id: user.to_owned(),
        };
        match self
            .fake
            .authorize(request)
            .await
            .unwrap()
            .into_inner()
            .outcome
            .unwrap()
        {
            fake_authorize_response::Outcome::Redirect(to) => to.location.parse().unwrap(),
            fake_authorize_response::Outcome::ErrorPage(page) => panic!("{page:?}"),
        }
    }

    pub async fn callback(&mut self, url: &Url, browser: &str) -> Result<Url, proto::ErrorPage> {
        let request = proto::CompleteUpstreamRequest {
            parameters: query_parameters(url),
            browser_session: browser.to_owned(),
            address: None,
        };
        match self
            .first()
            .complete_upstream(request)
            .await
            .unwrap()
            .into_inner()
            .outcome
            .unwrap()
        {
            complete_upstream_response::Outcome::Redirect(to) => Ok(to.location.parse().unwrap()),
            complete_upstream_response::Outcome::ErrorPage(page) => Err(page),
        }
    }

    /// The whole way through the pages, to the authorization response.
    pub async fn authorize_as(&mut self, user: &str, request: &[(&str, &str)]) -> Url {
        let prompt = self.consent(request).await;
        let browser = prompt.browser_session.clone();
        let page = self.decide(&prompt, true, &browser).await.unwrap();
        let callback = self.fake_login(&page, user).await;
        self.callback(&callback, &browser).await.unwrap()
    }

    pub async fn code(&mut self, client_id: &str, user: &str) -> String {
        let response = self.authorize_as(user, &authorization_request(client_id)).await;
        query(&response, "code").unwrap()
    }

    pub async fn log_in(&mut self, client_id: &str, user: &str) -> Value {
        let code = self.code(client_id, user).await;
        self.exchange(&code_request(client_id, &code)).await.unwrap()
    }

    pub async fn exchange(&mut self, request: &[(&str, &str)]) -> Result<Value, proto::OAuthError> {
        exchange(self.second().clone(), request, None).await
    }

    pub async fn refresh(&mut self, client_id: &str, token: &str) -> Result<Value, proto::OAuthError> {
        self.exchange(&refresh_request(client_id, token)).await
    }

    /// As the edge asks.
    pub async fn introspect(&mut self, token: &str) -> proto::IntrospectResponse {
        self.introspect_at(token, RESOURCE).await
    }

    pub async fn introspect_at(&mut self, token: &str, resource: &str) -> proto::IntrospectResponse {
        let server = proto::ResourceServer {
            resource: resource.to_owned(),
        };
        let request = proto::IntrospectRequest {
            token: token.to_owned(),
            caller: Some(introspect_request::Caller::ResourceServer(server)),
            ..Default::default()
        };
        self.first().introspect(request).await.unwrap().into_inner()
    }

    pub async fn is_active(&mut self, tokens: &Value) -> bool {
        self.introspect(access(tokens)).await.active
    }

    pub async fn revoke(&mut self, client_id: &str, token: &str) -> Option<proto::OAuthError> {
        let parameters = parameters(&[("client_id", client_id), ("token", token)]);
        let request = proto::RevokeRequest {
            parameters,
            ..Default::default()
        };
        self.second().revoke(request).await.unwrap().into_inner().error
    }
}

pub async fn exchange(
    mut auth: Auth,
    request: &[(&str, &str)],
    basic: Option<(&str, &str)>,
) -> Result<Value, proto::OAuthError> {
    let request = proto::ExchangeTokenRequest {
        parameters: parameters(request),
        client_authentication: basic.map(basic_credentials),
        ..Default::default()
    };
    match auth
        .exchange_token(request)
        .await
        .unwrap()
        .into_inner()
        .outcome
        .unwrap()
    {
        exchange_token_response::Outcome::TokenJson(token) => Ok(serde_json::from_slice(&token).unwrap()),
        exchange_token_response::Outcome::Error(error) => Err(error),
    }
}

pub fn basic_credentials((client_id, client_secret): (&str, &str)) -> proto::ClientAuthentication {
    let (client_id, client_secret) = (client_id.to_owned(), client_secret.to_owned());
    proto::ClientAuthentication {
        basic: Some(proto::BasicCredentials {
            client_id,
            client_secret,
        }),
    }
}
