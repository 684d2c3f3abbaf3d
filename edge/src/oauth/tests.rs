mod discovery;
mod login;
mod registration;
mod tokens;

use everything_proto::auth::v1::{ConsentPrompt, OAuthError, Parameter, Redirect};

fn pairs(parameters: &[Parameter]) -> Vec<(&str, &str)> {
    parameters
        .iter()
        .map(|parameter| (parameter.name.as_str(), parameter.value.as_str()))
        .collect()
}

fn error(code: &str) -> OAuthError {
    OAuthError {
        error: code.to_owned(),
        error_description: "because".to_owned(),
        ..OAuthError::default()
    }
}

fn redirect(location: &str) -> Redirect {
    Redirect {
        location: location.to_owned(),
        browser_session: "browser".to_owned(),
        browser_session_max_age_s: 600,
    }
}

fn prompt() -> ConsentPrompt {
    ConsentPrompt {
        transaction: "the-transaction".to_owned(),
        csrf_token: "the-csrf-token".to_owned(),
        client_name: "Inspector".to_owned(),
        redirect_host: "localhost:6274".to_owned(),
        browser_session: "browser".to_owned(),
        browser_session_max_age_s: 600,
        ..ConsentPrompt::default()
    }
}
