//! Whether the edge can do its work: as far as the services behind it answer.

use serving::{Readiness, Upstream};

/// The services behind the edge.
#[derive(Clone)]
pub struct Dependencies {
    auth: Option<Upstream>,
    session: Upstream,
    feature: Upstream,
}

/// One dependency as `/readyz` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dependency {
    pub name: &'static str,
    pub readiness: Readiness,
}

impl Dependency {
    pub fn is_ready(self) -> bool {
        self.readiness == Readiness::Ready
    }
}

impl Dependencies {
    pub fn new(auth: Option<Upstream>, session: Upstream, feature: Upstream) -> Self {
        Self {
            auth,
            session,
            feature,
        }
    }

    /// Each dependency and its state. A blip is none.
    pub fn report(&self) -> impl Iterator<Item = Dependency> {
        let auth = self.auth.as_ref().map(|auth| ("auth", auth));
        auth.into_iter()
            .chain([("session", &self.session), ("feature", &self.feature)])
            .map(|(name, upstream)| Dependency {
                name,
                readiness: upstream.damped_readiness(),
            })
    }

    /// Waits until all of them are ready. Callers bound the wait.
    pub async fn ready(&self) {
        if let Some(auth) = &self.auth {
            auth.ready().await;
        }
        self.session.ready().await;
        self.feature.ready().await;
    }
}
