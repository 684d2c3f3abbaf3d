//! Logins: one with everything that it gives out, and what is refused to those who guess or come too late.

use system_tests::Browser;

use super::Secrets;
use crate::target::{Target, VERIFIER, parameter};

/// A login with everything that it gives out, a refresh and a theft. Answers with an access token.
pub async fn log_in(target: &Target, secrets: &mut Secrets) -> String {
    let mut keep = |what: &str, secret: &str| secrets.insert(what.to_owned(), secret.to_owned());
    let (_, client_secret) = target.confidential().await;
    keep("client secret", &client_secret);
    let client = target.client().await;
    let mut browser = Browser::of("victim").unwrap();
    let back = browser
        .follow(target.authorize(&target.request(&client)))
        .await
        .unwrap();
    for (name, value) in browser.cookies() {
        keep(&format!("cookie {name}"), value);
    }
    let code = parameter(&back, "code").unwrap();
    keep("code", &code);
    keep("verifier", VERIFIER);
    let tokens = target.redeem(&client, &code).await.tokens();
    keep("access token", &tokens.access);
    keep("refresh token", &tokens.refresh);
    let refreshed = target.refresh(&client, &tokens.refresh).await.tokens();
    keep("second access token", &refreshed.access);
    keep("second refresh token", &refreshed.refresh);
    // One that is given back.
    let code = target.code("victim", &client).await;
    let given_back = target.redeem(&client, &code).await.tokens();
    keep("code of the revoked one", &code);
    keep("revoked access token", &given_back.access);
    keep("revoked refresh token", &given_back.refresh);
    let form = [("token", given_back.refresh.as_str()), ("client_id", &client)];
    assert_eq!(target.post("/revoke", &form).await.status, 200);
    target.dies(&given_back.access).await;
    // A token in the wrong place is one all the same.
    let misplaced = target.at(&format!("/mcp?access_token={}", refreshed.access));
    assert!(target.get(misplaced).await.status.is_client_error());
    refreshed.access
}

/// Logins that fail, each for another reason. What is refused here may be right elsewhere, or nearly right.
pub async fn are_refused(target: &Target, secrets: &mut Secrets) {
    let mut keep = |what: &str, secret: &str| {
        secrets.insert(what.to_owned(), secret.to_owned());
        secret.to_owned()
    };
    let client = target.client().await;
    let code = keep("code for a wrong verifier", &target.code("victim", &client).await);
    let verifier = keep(
        "wrong verifier",
        "wrong-verifier-0123456789-0123456789-0123456789",
    );
    let refused = target
        .redeem_with(&client, &code, &[("code_verifier", &verifier)])
        .await;
    assert_eq!(refused.error(), "invalid_grant");
    let made_up = keep("made up code", "code-that-nobody-gave-out-5b6f0c");
    assert_eq!(target.redeem(&client, &made_up).await.error(), "invalid_grant");
    let twice = keep("code used twice", &target.code("victim", &client).await);
    let tokens = target.redeem(&client, &twice).await.tokens();
    keep("access token of the code used twice", &tokens.access);
    keep("refresh token of the code used twice", &tokens.refresh);
    assert_eq!(target.redeem(&client, &twice).await.error(), "invalid_grant");
    target.dies(&tokens.access).await;

    let (confidential, secret) = target.confidential().await;
    keep("secret of the impersonated client", &secret);
    let code = keep(
        "code for a wrong secret",
        &target.code("victim", &confidential).await,
    );
    let wrong = keep("wrong client secret", "secret-that-is-not-the-client-s-8d21");
    let refused = target
        .redeem_with(&confidential, &code, &[("client_secret", &wrong)])
        .await;
    assert_eq!(refused.error(), "invalid_client");
    let refused = target
        .http
        .post(target.at("/token"))
        .basic_auth(&confidential, Some(&wrong))
        .form(&[("grant_type", "authorization_code"), ("code", &code)])
        .send();
    assert_eq!(refused.await.unwrap().status(), 401);

    let made_up = keep("made up refresh token", "refresh-token-that-nobody-has-77c1");
    assert_eq!(target.refresh(&client, &made_up).await.error(), "invalid_grant");
    let made_up = keep("made up access token", "access-token-that-nobody-has-19ae");
    assert_eq!(target.use_token(&made_up).await.status, 401);
}
