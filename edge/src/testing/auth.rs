//! An auth service that says what the test tells it to, and remembers what it was asked.

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
};

use everything_proto::auth::v1::{
    auth_service_server::AuthService, fake_upstream_service_server::FakeUpstreamService,
    watch_response::Event, *,
};
use futures::{Stream, StreamExt};
use tokio::sync::{broadcast, watch};
use tokio_stream::wrappers::BroadcastStream;
use tonic::{Request, Response, Status};

/// One RPC: what it answers, and what it was asked.
pub struct Rpc<Q, A>(Mutex<(Vec<Q>, Result<A, Status>)>);

/// The scripted service. Cheap to clone.
#[derive(Clone)]
pub struct Script(Arc<Inner>);

pub struct Inner {
    pub metadata: Rpc<MetadataRequest, MetadataResponse>,
    pub register: Rpc<RegisterClientRequest, RegisterClientResponse>,
    pub begin: Rpc<BeginAuthorizationRequest, BeginAuthorizationResponse>,
    pub decide: Rpc<DecideConsentRequest, DecideConsentResponse>,
    pub complete: Rpc<CompleteUpstreamRequest, CompleteUpstreamResponse>,
    pub exchange: Rpc<ExchangeTokenRequest, ExchangeTokenResponse>,
    pub introspect: Rpc<IntrospectRequest, IntrospectResponse>,
    pub revoke: Rpc<RevokeRequest, RevokeResponse>,
    pub fake: Rpc<FakeAuthorizeRequest, FakeAuthorizeResponse>,
    known: Mutex<Vec<(String, IntrospectResponse)>>,
    events: broadcast::Sender<Event>,
    /// Whether watches stand. Those that do end when it turns false.
    watchable: watch::Sender<bool>,
}

impl<Q: Clone, A: Clone> Rpc<Q, A> {
    pub fn answers(&self, answer: Result<A, Status>) {
        self.0.lock().unwrap().1 = answer;
    }

    pub fn count(&self) -> usize {
        self.0.lock().unwrap().0.len()
    }

    pub fn last(&self) -> Q {
        self.0.lock().unwrap().0.last().expect("it was asked").clone()
    }

    fn ask(&self, request: Request<Q>) -> Result<Response<A>, Status> {
        let mut inner = self.0.lock().unwrap();
        inner.0.push(request.into_inner());
        inner.1.clone().map(Response::new)
    }
}

impl<Q, A: Default> Default for Rpc<Q, A> {
    fn default() -> Self {
        Self(Mutex::new((Vec::new(), Ok(A::default()))))
    }
}

impl Default for Script {
    fn default() -> Self {
        let metadata = MetadataResponse {
            authorization_server_json: br#"{"issuer":"http://localhost:3232"}"#.as_slice().into(),
            protected_resource_json: br#"{"resource":"http://localhost:3232/mcp","x":1}"#.as_slice().into(),
            scopes_supported: vec!["mcp:tools".to_owned(), "mcp:resources".to_owned()],
            ..MetadataResponse::default()
        };
        let script = Inner {
            metadata: Rpc::default(),
            register: Rpc::default(),
            begin: Rpc::default(),
            decide: Rpc::default(),
            complete: Rpc::default(),
            exchange: Rpc::default(),
            introspect: Rpc::default(),
            revoke: Rpc::default(),
            fake: Rpc::default(),
            known: Mutex::default(),
            events: broadcast::channel(64).0,
            watchable: watch::Sender::new(true),
        };
        script.metadata.answers(Ok(metadata));
        Self(Arc::new(script))
    }
}

impl Script {
    /// The token is active, the user's, from grant `grant-<user>`.
    pub fn knows(&self, token: &str, user_id: &str) {
        let answer = IntrospectResponse {
            active: true,
            user_id: user_id.to_owned(),
            client_id: "client".to_owned(),
            scopes: vec!["mcp:tools".to_owned()],
            expires_at: i64::MAX,
            token_type: "Bearer".to_owned(),
            grant_id: format!("grant-{user_id}"),
            ..IntrospectResponse::default()
        };
        self.says(token, answer);
    }

    pub fn says(&self, token: &str, answer: IntrospectResponse) {
        let mut known = self.known.lock().unwrap();
        known.retain(|(other, _)| other != token);
        known.push((token.to_owned(), answer));
    }

    pub fn forgets(&self, token: &str) {
        self.known.lock().unwrap().retain(|(other, _)| other != token);
    }

    pub fn tell(&self, event: Event) {
        self.events.send(event).expect("somebody watches");
    }

    pub fn set_watchable(&self, watchable: bool) {
        self.watchable.send_replace(watchable);
    }
}

impl std::ops::Deref for Script {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

#[tonic::async_trait]
impl AuthService for Script {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<WatchResponse, Status>> + Send>>;

    async fn metadata(
        &self,
        request: Request<MetadataRequest>,
    ) -> Result<Response<MetadataResponse>, Status> {
        self.metadata.ask(request)
    }

    async fn register_client(
        &self,
        request: Request<RegisterClientRequest>,
    ) -> Result<Response<RegisterClientResponse>, Status> {
        self.register.ask(request)
    }

    async fn begin_authorization(
        &self,
        request: Request<BeginAuthorizationRequest>,
    ) -> Result<Response<BeginAuthorizationResponse>, Status> {
        self.begin.ask(request)
    }

    async fn decide_consent(
        &self,
        request: Request<DecideConsentRequest>,
    ) -> Result<Response<DecideConsentResponse>, Status> {
        self.decide.ask(request)
    }

    async fn complete_upstream(
        &self,
        request: Request<CompleteUpstreamRequest>,
    ) -> Result<Response<CompleteUpstreamResponse>, Status> {
        self.complete.ask(request)
    }

    async fn exchange_token(
        &self,
        request: Request<ExchangeTokenRequest>,
    ) -> Result<Response<ExchangeTokenResponse>, Status> {
        self.exchange.ask(request)
    }

    async fn introspect(
        &self,
        request: Request<IntrospectRequest>,
    ) -> Result<Response<IntrospectResponse>, Status> {
        let token = request.get_ref().token.clone();
        let otherwise = self.introspect.ask(request)?;
        let known = self.known.lock().unwrap();
        let found = known.iter().find(|(other, _)| *other == token);
        Ok(found.map_or(otherwise, |(_, answer)| Response::new(answer.clone())))
    }

    async fn revoke(&self, request: Request<RevokeRequest>) -> Result<Response<RevokeResponse>, Status> {
        self.revoke.ask(request)
    }

    async fn watch(&self, _: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let mut watchable = self.watchable.subscribe();
        if !*watchable.borrow_and_update() {
            return Err(Status::unavailable("not now"));
        }
        let events = BroadcastStream::new(self.events.subscribe()).filter_map(async |event| event.ok());
        let events = futures::stream::iter([Event::Watching(Watching {})]).chain(events);
        let ended = async move { _ = watchable.wait_for(|watchable| !watchable).await };
        let events = events
            .map(|event| Ok(WatchResponse { event: Some(event) }))
            .take_until(Box::pin(ended));
        Ok(Response::new(Box::pin(events)))
    }
}

#[tonic::async_trait]
impl FakeUpstreamService for Script {
    async fn authorize(
        &self,
        request: Request<FakeAuthorizeRequest>,
    ) -> Result<Response<FakeAuthorizeResponse>, Status> {
        self.fake.ask(request)
    }
}
