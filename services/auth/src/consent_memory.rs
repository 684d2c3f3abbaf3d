//! What users allowed before: per user and client, so that a client that is used every day is not asked about each time.
//!
//! Nobody is logged in by it: the identity provider still says who the user is. It only leaves the question out, and only
//! where the answer goes to a web address that the client registered. A program on the user's own machine cannot be
//! told from another one that poses as it, so people are asked about those each time (RFC 8252 section 8.6).

use serde::{Deserialize, Serialize};

use crate::authorization::{Browser, Redirect};
use crate::error::Error;
use crate::records::{AuthorizationRequest, Transaction, UserId};
use crate::scope::Scopes;
use crate::secret::{Secret, SecretHash};
use crate::server::AuthorizationServer;
use crate::store::Space;
use crate::vault::Record;

/// Who logged in last with a browser; kept under its cookie.
#[derive(Serialize, Deserialize)]
struct LastUser {
    user_id: UserId,
}

/// Kept under the names of user, client and redirect URI.
#[derive(Serialize, Deserialize)]
struct Allowed {
    scopes: Scopes,
    audience: Vec<String>,
}

impl Record for LastUser {
    const SPACE: Space = Space::Browser;
}

impl Record for Allowed {
    const SPACE: Space = Space::Consent;
}

impl AuthorizationServer {
    /// Goes straight to the identity provider, if whoever used this browser last has allowed all of it before.
    pub(crate) async fn without_asking(
        &self,
        request: &AuthorizationRequest,
        browser: &Browser,
    ) -> Result<Option<Redirect>, Error> {
        if !self.remembers(request) {
            return Ok(None);
        }
        let Some(LastUser { user_id }) = self.vault.get(&browser.session).await? else {
            return Ok(None);
        };
        if !self.has_allowed(&user_id, request).await? {
            return Ok(None);
        }
        let transaction = Transaction {
            request: request.clone(),
            browser: browser.session.hash(),
            // Nobody is asked, so nobody answers.
            csrf: SecretHash::of(Secret::generate("")?.expose()),
        };
        let location = self
            .begin_login(&Secret::generate("")?, transaction, Some(user_id))
            .await?;
        Ok(Some(Redirect {
            location,
            browser: Some(browser.clone()),
        }))
    }

    pub(crate) async fn has_allowed(
        &self,
        user_id: &UserId,
        request: &AuthorizationRequest,
    ) -> Result<bool, Error> {
        let allowed: Option<Allowed> = self.vault.get(&place(user_id, request)).await?;
        Ok(allowed.is_some_and(|allowed| {
            allowed.scopes.contains_all(&request.scopes)
                && request
                    .audience
                    .iter()
                    .all(|resource| allowed.audience.contains(resource))
        }))
    }

    /// The user allowed this, in this browser.
    pub(crate) async fn remember(
        &self,
        user_id: &UserId,
        request: &AuthorizationRequest,
        browser: &Secret,
    ) -> Result<(), Error> {
        if !self.remembers(request) {
            return Ok(());
        }
        let allowed = Allowed {
            scopes: request.scopes.clone(),
            audience: request.audience.clone(),
        };
        let ttl = self.settings.consent_ttl;
        self.vault.put(&place(user_id, request), &allowed, ttl).await?;
        self.vault
            .put(
                browser,
                &LastUser {
                    user_id: user_id.clone(),
                },
                ttl,
            )
            .await
    }

    /// Whoever used this browser last does not allow it any more.
    pub(crate) async fn forget(&self, request: &AuthorizationRequest, browser: &Secret) -> Result<(), Error> {
        if let Some(LastUser { user_id }) = self.vault.get(browser).await? {
            self.vault.delete::<Allowed>(&place(&user_id, request)).await?;
        }
        Ok(())
    }

    fn remembers(&self, request: &AuthorizationRequest) -> bool {
        !self.settings.consent_ttl.is_zero() && !request.redirect_uri.is_local()
    }
}

fn place(user_id: &UserId, request: &AuthorizationRequest) -> Secret {
    let (client, redirect) = (&request.client_id.0, request.redirect_uri.as_str());
    // Lengths first, so that no two triples read alike.
    Secret::new(format!(
        "{} {} {} {client} {redirect}",
        user_id.0.len(),
        client.len(),
        user_id.0
    ))
}
