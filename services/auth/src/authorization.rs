//! The authorization endpoint: checks a request and says what to show, or where to send the browser.

use std::net::IpAddr;

use crate::client::{Client, GrantType};
use crate::error::Error;
use crate::limits::{Counted, Limited};
use crate::oauth_error::{ErrorCode, ErrorPage, Failure, OAuthError};
use crate::parameters::Parameters;
use crate::pkce::Challenge;
use crate::records::{AuthorizationRequest, ClientId, Transaction};
use crate::redirect_uri::RedirectUri;
use crate::scope::Scopes;
use crate::secret::Secret;
use crate::server::AuthorizationServer;

/// Where the browser goes next.
#[derive(Debug)]
pub struct Redirect {
    pub location: String,
    /// Login cookie to set.
    pub browser: Option<Browser>,
}

/// The login cookie: binds a login to the browser that began it.
#[derive(Debug, Clone)]
pub struct Browser {
    pub session: Secret,
    pub max_age_s: u64,
}

/// What the consent page shows and posts back.
#[derive(Debug)]
pub struct ConsentPrompt {
    pub transaction: Secret,
    pub csrf_token: Secret,
    pub client_id: String,
    pub client_name: String,
    pub client_uri: String,
    pub redirect_host: String,
    pub loopback_redirect: bool,
    pub scopes: Scopes,
    pub resource: String,
    pub browser: Browser,
}

#[derive(Debug)]
pub enum Begun {
    Consent(Box<ConsentPrompt>),
    Redirect(Redirect),
    Page(ErrorPage),
}

/// When the consent page is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Prompt {
    /// Unless the user has allowed it before.
    Needed,
    Always,
}

/// What is wrong with an authorization request, and who may be told.
pub(crate) struct Problem {
    pub error: OAuthError,
    /// Set once client and redirect URI are known to belong together.
    pub back: Option<WayBack>,
}

/// Where the client waits for the authorization response.
pub(crate) struct WayBack {
    pub redirect_uri: RedirectUri,
    pub state: Option<String>,
}

impl WayBack {
    pub fn of(request: &AuthorizationRequest) -> Self {
        Self {
            redirect_uri: request.redirect_uri.clone(),
            state: request.state.clone(),
        }
    }
}

impl AuthorizationServer {
    /// `browser_session`: the value of the browser's login cookie, if it sent one.
    pub async fn begin_authorization(
        &self,
        parameters: &Parameters,
        browser_session: Option<&str>,
        address: Option<IpAddr>,
    ) -> Result<Begun, Error> {
        match self.admitted_request(parameters, address).await {
            Ok((client, request, prompt)) => {
                let browser = self.browser(browser_session)?;
                if prompt == Prompt::Needed
                    && let Some(redirect) = self.without_asking(&request, &browser).await?
                {
                    return Ok(Begun::Redirect(redirect));
                }
                let prompt = self.prompt(client, request, browser).await?;
                Ok(Begun::Consent(Box::new(prompt)))
            }
            Err(Failure::Fault(error)) => Err(error),
            Err(Failure::Refused(Problem {
                error,
                back: Some(back),
            })) => {
                let location = self.error_response(&back, &error);
                Ok(Begun::Redirect(Redirect {
                    location,
                    browser: None,
                }))
            }
            Err(Failure::Refused(Problem { error, back: None })) if error.retry_after.is_some() => {
                Ok(Begun::Page(too_many_logins()))
            }
            Err(Failure::Refused(Problem { error, back: None })) => Ok(Begun::Page(ErrorPage::new(
                400,
                "This login link does not work",
                explain(&error),
            ))),
        }
    }

    async fn admitted_request(
        &self,
        parameters: &Parameters,
        address: Option<IpAddr>,
    ) -> Result<(Client, AuthorizationRequest, Prompt), Failure<Problem>> {
        let untrusted = |failure| match failure {
            Failure::Refused(error) => Failure::Refused(Problem { error, back: None }),
            Failure::Fault(error) => Failure::Fault(error),
        };
        self.admit(Limited::Authorize, Counted::Address(address))
            .await
            .map_err(untrusted)?;
        let pushed = self.resolve_pushed(parameters).await.map_err(untrusted)?;
        let parameters = pushed.as_ref().unwrap_or(parameters);
        let prompt = match parameters.get("prompt") {
            Some("consent") => Prompt::Always,
            _ => Prompt::Needed,
        };
        let (client, request) = self.check_request(parameters).await?;
        Ok((client, request, prompt))
    }

    /// The order matters: nothing goes back to the client before client and redirect URI are known to be its own.
    pub(crate) async fn check_request(
        &self,
        parameters: &Parameters,
    ) -> Result<(Client, AuthorizationRequest), Failure<Problem>> {
        let untrusted = |error: OAuthError| Failure::Refused(Problem { error, back: None });
        let client_id = parameters.require("client_id").map_err(untrusted)?;
        let Some(client) = self.client(client_id).await? else {
            return Err(untrusted(ErrorCode::InvalidClient.because(
                "the application is not registered here, or its metadata cannot be read",
            )));
        };
        let redirect_uri = match (parameters.get("redirect_uri"), client.redirect_uris.as_slice()) {
            (Some(presented), _) => client.registered_redirect(presented),
            // RFC 6749 section 3.1.2.3: may be left out when there is only one.
            (None, [only]) if parameters.all("redirect_uri").next().is_none() => Some(only.clone()),
            (None, _) => None,
        };
        let Some(redirect_uri) = redirect_uri else {
            return Err(untrusted(
                ErrorCode::InvalidRequest
                    .because("the redirect_uri is not one that the application registered"),
            ));
        };
        let state = parameters.get("state").map(str::to_owned);
        let back = |error: OAuthError| {
            let back = WayBack {
                redirect_uri: redirect_uri.clone(),
                state: state.clone(),
            };
            Failure::Refused(Problem {
                error,
                back: Some(back),
            })
        };
        parameters.check().map_err(back)?;
        check_kind(parameters).map_err(back)?;
        if !client.may(GrantType::AuthorizationCode) {
            return Err(back(
                ErrorCode::UnauthorizedClient.because("the client may not use authorization codes"),
            ));
        }
        let challenge = check_challenge(parameters).map_err(back)?;
        let scopes = granted_scopes(&client, parameters.get("scope")).map_err(back)?;
        let audience = self.settings.resources.requested(parameters).map_err(back)?;
        let request = AuthorizationRequest {
            client_id: ClientId(client.client_id.0.clone()),
            redirect_uri: redirect_uri.clone(),
            state: state.clone(),
            challenge,
            scopes,
            audience,
            dpop_jkt: parameters.get("dpop_jkt").map(str::to_owned),
        };
        Ok((client, request))
    }

    async fn prompt(
        &self,
        client: Client,
        request: AuthorizationRequest,
        browser: Browser,
    ) -> Result<ConsentPrompt, Error> {
        let transaction = Secret::generate("")?;
        let csrf_token = Secret::generate("")?;
        let prompt = ConsentPrompt {
            transaction: transaction.clone(),
            csrf_token: csrf_token.clone(),
            client_id: client.client_id.0,
            client_name: client.name,
            client_uri: client.uri.unwrap_or_default(),
            redirect_host: request.redirect_uri.display_host(),
            loopback_redirect: request.redirect_uri.is_local(),
            scopes: request.scopes.clone(),
            resource: request.audience.join(" "),
            browser: browser.clone(),
        };
        let record = Transaction {
            request,
            browser: browser.session.hash(),
            csrf: csrf_token.hash(),
        };
        self.vault
            .put(&transaction, &record, self.settings.login_ttl)
            .await?;
        Ok(prompt)
    }

    /// Goes on with the browser's cookie, so that logins in several tabs do not end one another.
    fn browser(&self, session: Option<&str>) -> Result<Browser, Error> {
        let well_formed = |text: &&str| {
            text.len() == 43
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        let session = match session.filter(well_formed) {
            Some(session) => Secret::new(session),
            None => Secret::generate("")?,
        };
        // Long enough for both halves of a login, and for as long as consent is remembered.
        let login = self.settings.login_ttl.saturating_mul(2);
        let max_age_s = login.max(self.settings.consent_ttl).as_secs();
        Ok(Browser { session, max_age_s })
    }

    /// An authorization error response, with `iss` (RFC 9207).
    pub(crate) fn error_response(&self, back: &WayBack, error: &OAuthError) -> String {
        let mut parameters = vec![
            ("error", error.code.as_str()),
            ("error_description", &error.description),
        ];
        if let Some(state) = &back.state {
            parameters.push(("state", state));
        }
        parameters.push(("iss", &self.settings.issuer));
        back.redirect_uri.with_parameters(&parameters)
    }
}

/// The scopes that a request gets: all when it names none.
pub(crate) fn granted_scopes(client: &Client, wanted: Option<&str>) -> Result<Scopes, OAuthError> {
    let none_known = || ErrorCode::InvalidScope.because("none of the requested scopes exists");
    let wanted = match wanted {
        None => Scopes::all(),
        Some(text) => Scopes::parse(text).ok_or_else(none_known)?,
    };
    match &client.scopes {
        None => Ok(wanted),
        Some(most) => wanted
            .intersection(most)
            .ok_or_else(|| ErrorCode::InvalidScope.because("the client may not have the requested scopes")),
    }
}

fn check_kind(parameters: &Parameters) -> Result<(), OAuthError> {
    match parameters.get("response_type") {
        Some("code") => {}
        Some(_) => return Err(ErrorCode::UnsupportedResponseType.because("the response_type must be code")),
        None => return Err(ErrorCode::InvalidRequest.because("parameter response_type is missing")),
    }
    if parameters
        .get("response_mode")
        .is_some_and(|mode| mode != "query")
    {
        return Err(ErrorCode::InvalidRequest.because("the response_mode must be query"));
    }
    if parameters.get("request").is_some() {
        return Err(ErrorCode::RequestNotSupported.because("request objects are not supported"));
    }
    if parameters.all("request_uri").next().is_some() {
        return Err(ErrorCode::InvalidRequestUri.because("the request_uri is unknown or has expired"));
    }
    if parameters
        .get("dpop_jkt")
        .is_some_and(|jkt| Challenge::parse(jkt).is_none())
    {
        return Err(ErrorCode::InvalidRequest.because("dpop_jkt must be the base64url of a SHA-256"));
    }
    if parameters.get("prompt") == Some("none") {
        return Err(ErrorCode::ConsentRequired.because("a person has to log in"));
    }
    Ok(())
}

fn check_challenge(parameters: &Parameters) -> Result<Challenge, OAuthError> {
    let bad = |what: &'static str| ErrorCode::InvalidRequest.because(what);
    let Some(challenge) = parameters.get("code_challenge") else {
        return Err(bad("code_challenge is required (PKCE)"));
    };
    // Left out, it would mean `plain` (RFC 7636 section 4.3).
    if parameters.get("code_challenge_method") != Some("S256") {
        return Err(bad("code_challenge_method must be S256"));
    }
    Challenge::parse(challenge).ok_or_else(|| bad("code_challenge must be the base64url of a SHA-256"))
}

pub(crate) fn too_many_logins() -> ErrorPage {
    ErrorPage::new(
        429,
        "Too many logins",
        "Too many logins were started from your network. Wait a minute, then try again.",
    )
}

/// For a person: what happened and what to do.
fn explain(error: &OAuthError) -> String {
    let what = &error.description;
    format!(
        "The login could not begin: {what}. Go back to your application and log in again; if that does not help, make \
         it forget this server and connect anew, so that it registers again."
    )
}
