//! The user's decision on the consent page.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;

use crate::authorization::{Redirect, WayBack, too_many_logins};
use crate::error::Error;
use crate::limits::{Counted, Limited};
use crate::oauth_error::{ErrorCode, ErrorPage, Failure};
use crate::records::{Login, Transaction, UserId, spent_key};
use crate::secret::Secret;
use crate::server::AuthorizationServer;
use crate::store::{Claim, Key, Space};

/// The form that the consent page posts.
pub struct Decision {
    pub transaction: Secret,
    pub csrf_token: Secret,
    pub approved: bool,
}

impl AuthorizationServer {
    /// The first decision stands. The same one again (a double click) leads to the same place, as long as the login
    /// that it began is not over.
    pub async fn decide_consent(
        &self,
        decision: &Decision,
        browser_session: Option<&str>,
        address: Option<IpAddr>,
    ) -> Result<Redirect, Failure<ErrorPage>> {
        match self.admit(Limited::Authorize, Counted::Address(address)).await {
            Ok(()) => {}
            Err(Failure::Refused(_)) => return Err(Failure::Refused(too_many_logins())),
            Err(Failure::Fault(error)) => return Err(Failure::Fault(error)),
        }
        let transaction: Option<Transaction> = self.vault.get(&decision.transaction).await?;
        let Some(transaction) = transaction else {
            return Err(Failure::Refused(expired()));
        };
        if !browser_session.is_some_and(|session| transaction.browser.matches(session)) {
            return Err(Failure::Refused(other_browser()));
        }
        if !transaction.csrf.matches(decision.csrf_token.expose()) {
            return Err(Failure::Refused(expired()));
        }
        let word: &'static [u8] = if decision.approved { b"approved" } else { b"denied" };
        let key = Key::new(Space::Decision, decision.transaction.hash().as_str());
        let claim = self
            .vault
            .store()
            .claim(&key, Bytes::from_static(word), self.settings.login_ttl)
            .await?;
        if matches!(claim, Claim::Lost(first) if first != word) {
            return Err(Failure::Refused(already_decided()));
        }
        let browser = Secret::new(browser_session.unwrap_or_default());
        if !decision.approved {
            self.forget(&transaction.request, &browser).await?;
            let denied = ErrorCode::AccessDenied.because("the user denied the request");
            let location = self.error_response(&WayBack::of(&transaction.request), &denied);
            return Ok(Redirect {
                location,
                browser: None,
            });
        }
        if self
            .vault
            .store()
            .get(&spent_key(&upstream_state(&decision.transaction)?))
            .await?
            .is_some()
        {
            return Err(Failure::Refused(already_decided()));
        }
        let location = self.begin_login(&decision.transaction, transaction, None).await?;
        Ok(Redirect {
            location,
            browser: None,
        })
    }

    /// Sends the user to the identity provider. `consented`: who is known to allow the request; otherwise it is whoever
    /// logs in there, since they have just said so.
    pub(crate) async fn begin_login(
        &self,
        transaction_id: &Secret,
        transaction: Transaction,
        consented: Option<UserId>,
    ) -> Result<String, Error> {
        // Derived, so that a repeated approval goes on with the same login instead of beginning another.
        let state = upstream_state(transaction_id)?;
        let verifier = transaction_id.derive("upstream verifier")?;
        let login = Login {
            request: transaction.request,
            browser: transaction.browser,
            verifier: verifier.expose().to_owned(),
            consented,
        };
        self.vault.put(&state, &login, self.settings.login_ttl).await?;
        let back = WayBack::of(&login.request);
        Ok(self
            .upstream
            .authorize_url(&state, &verifier)
            .await
            .unwrap_or_else(|error| {
                tracing::warn!(%error, "no login at the identity provider");
                let away = ErrorCode::TemporarilyUnavailable.because("the identity provider is unavailable");
                self.error_response(&back, &away)
            }))
    }

    /// Outlives every login record that a repeated approval could write again.
    pub(crate) fn spent_login_ttl(&self) -> Duration {
        self.settings.login_ttl.saturating_mul(3)
    }
}

fn upstream_state(transaction_id: &Secret) -> Result<Secret, Error> {
    transaction_id.derive("upstream state")
}

pub(crate) fn expired() -> ErrorPage {
    ErrorPage::new(
        400,
        "This login has expired",
        "The login was not finished in time, or it is over already. Go back to your application and log in again.",
    )
}

pub(crate) fn other_browser() -> ErrorPage {
    ErrorPage::new(
        403,
        "This login began elsewhere",
        "The login was not started in this browser, or cookies are blocked. Go back to your application and log in \
         again, and stay in the same browser.",
    )
}

fn already_decided() -> ErrorPage {
    ErrorPage::new(
        400,
        "This login is over",
        "You have already answered this request. Go back to your application; if it still asks you to log in, start \
         again from there.",
    )
}
