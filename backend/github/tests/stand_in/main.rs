//! What an app sees of the stand-in, over HTTP.

#![expect(
    clippy::unwrap_used,
    reason = "a test says what it expects by unwrapping it"
)]

use std::time::Duration;

use github_stand_in::{GitHub, Settings, start};
use reqwest::{Client, Response, StatusCode, redirect};
use serde_json::{Value, json};

mod api;
mod device;

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// The challenge of [`VERIFIER`], from RFC 7636, appendix B.
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const CALLBACK: &str = "http://127.0.0.1:4567/auth/callback";

struct App {
    github: GitHub,
    settings: Settings,
    http: Client,
}

impl App {
    async fn start() -> Self {
        Self::with(Settings::default()).await
    }

    async fn with(settings: Settings) -> Self {
        let http = Client::builder()
            .redirect(redirect::Policy::none())
            .user_agent("test")
            .build()
            .unwrap();
        Self {
            github: start(settings.clone()).await.unwrap(),
            settings,
            http,
        }
    }

    /// Posts the authorisation page's form; answers where the browser is sent.
    async fn choose(&self, choice: (&str, &str), more: &[(&str, &str)]) -> url::Url {
        let mut form = vec![
            ("client_id", self.settings.client_id.as_str()),
            ("redirect_uri", CALLBACK),
            ("scope", "read:user read:org"),
            ("state", "xyz"),
            choice,
        ];
        form.extend(more);
        let response = self
            .http
            .post(self.github.url() + "/login/oauth/authorize")
            .form(&form)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::FOUND);
        response.headers()["location"]
            .to_str()
            .unwrap()
            .parse()
            .unwrap()
    }

    async fn code(&self, login: &str, more: &[(&str, &str)]) -> String {
        parameter(&self.choose(("login", login), more).await, "code").unwrap()
    }

    async fn exchange(&self, more: &[(&str, &str)]) -> Value {
        let mut form = vec![
            ("client_id", self.settings.client_id.as_str()),
            ("client_secret", self.settings.client_secret.as_str()),
        ];
        form.retain(|(name, _)| !more.iter().any(|(other, _)| name == other));
        form.extend(more);
        let url = self.github.url() + "/login/oauth/access_token";
        let response = self
            .http
            .post(url)
            .header("accept", "application/json")
            .form(&form)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        response.json().await.unwrap()
    }

    async fn get(&self, path: &str, token: &str) -> Response {
        self.http
            .get(self.github.api_url() + path)
            .bearer_auth(token)
            .send()
            .await
            .unwrap()
    }

    fn token(&self, login: &str, scopes: &str) -> String {
        self.github
            .issue_token(login, scopes, &self.settings.client_id)
    }

    async fn check(&self, body: impl Into<reqwest::Body>) -> Response {
        let url = format!(
            "{}/applications/{}/token",
            self.github.api_url(),
            self.settings.client_id
        );
        let request = self
            .http
            .post(url)
            .basic_auth(&self.settings.client_id, Some(&self.settings.client_secret));
        request.body(body).send().await.unwrap()
    }
}

fn parameter(url: &url::Url, name: &str) -> Option<String> {
    url.query_pairs()
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.into_owned())
}

async fn names(response: Response, pointer: &str) -> Vec<String> {
    let body: Value = response.json().await.unwrap();
    body.as_array()
        .unwrap()
        .iter()
        .map(|item| item.pointer(pointer).unwrap().as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn the_page_offers_three_accounts_and_says_what_is_asked() {
    let app = App::start().await;
    let query = [
        ("client_id", app.settings.client_id.as_str()),
        ("scope", "read:user read:org"),
        ("login", "viewer"),
    ];
    let url = app.github.url() + "/login/oauth/authorize";
    let page = app
        .http
        .get(url)
        .query(&query)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    for part in [
        "value=\"admin\"",
        "value=\"viewer\" autofocus",
        "value=\"stranger\"",
        "read:org",
        "Cancel",
    ] {
        assert!(page.contains(part), "{part}");
    }
}

#[tokio::test]
async fn an_unknown_app_gets_no_page() {
    let app = App::start().await;
    let url = app.github.url() + "/login/oauth/authorize?client_id=other";
    assert_eq!(
        app.http.get(url).send().await.unwrap().status(),
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn a_code_with_its_verifier_becomes_a_token_once() {
    let app = App::start().await;
    let pkce = [
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let back = app.choose(("login", "admin"), &pkce).await;
    assert_eq!(parameter(&back, "state").unwrap(), "xyz");
    let code = parameter(&back, "code").unwrap();
    let exchange = [
        ("code", code.as_str()),
        ("code_verifier", VERIFIER),
        ("redirect_uri", CALLBACK),
    ];
    let answer = app.exchange(&exchange).await;
    assert_eq!(answer["scope"], "read:org,read:user");
    assert_eq!(answer["token_type"], "bearer");
    let token = answer["access_token"].as_str().unwrap();
    assert!(token.starts_with("gho_"));
    let user: Value = app.get("/user", token).await.json().await.unwrap();
    assert_eq!(
        (&user["login"], &user["id"]),
        (&json!("admin"), &json!(1001))
    );
    assert_eq!(
        app.exchange(&exchange).await["error"],
        "bad_verification_code"
    );
}

#[tokio::test]
async fn a_code_needs_the_right_verifier() {
    let app = App::start().await;
    let pkce = [
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let wrong = "wrongwrongwrongwrongwrongwrongwrongwrongwrong";
    for verifier in [&[("code_verifier", wrong)][..], &[][..]] {
        let code = app.code("admin", &pkce).await;
        let mut form = vec![("code", code.as_str())];
        form.extend(verifier);
        assert_eq!(app.exchange(&form).await["error"], "bad_verification_code");
    }
}

#[tokio::test]
async fn only_s256_challenges_are_taken() {
    let app = App::start().await;
    for more in [
        &[
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "plain"),
        ][..],
        &[("code_challenge", CHALLENGE)][..],
        &[
            ("code_challenge", "short"),
            ("code_challenge_method", "S256"),
        ][..],
    ] {
        let back = app.choose(("login", "admin"), more).await;
        assert_eq!(parameter(&back, "error").unwrap(), "invalid_request");
    }
}

#[tokio::test]
async fn a_code_ages_out_in_ten_minutes() {
    let app = App::start().await;
    let code = app.code("admin", &[]).await;
    app.github.advance(Duration::from_secs(601));
    assert_eq!(
        app.exchange(&[("code", &code)]).await["error"],
        "bad_verification_code"
    );
}

#[tokio::test]
async fn wrong_credentials_and_redirects_are_refused_as_documented() {
    let app = App::start().await;
    let code = app.code("admin", &[]).await;
    for wrong in [("client_id", "other"), ("client_secret", "guess")] {
        assert_eq!(
            app.exchange(&[("code", &code), wrong]).await["error"],
            "incorrect_client_credentials"
        );
    }
    let other = ("redirect_uri", "http://127.0.0.1:4567/auth/other");
    assert_eq!(
        app.exchange(&[("code", &code), other]).await["error"],
        "redirect_uri_mismatch"
    );
}

#[tokio::test]
async fn an_unregistered_redirect_goes_back_to_the_registered_callback() {
    let app = App::start().await;
    let query = [
        ("client_id", app.settings.client_id.as_str()),
        ("redirect_uri", "http://evil.example/auth/callback"),
    ];
    let response = app
        .http
        .get(app.github.url() + "/login/oauth/authorize")
        .query(&query)
        .send()
        .await
        .unwrap();
    let back = response.headers()["location"].to_str().unwrap().to_owned();
    assert!(
        back.starts_with(&app.settings.callback_url)
            && back.contains("error=redirect_uri_mismatch"),
        "{back}"
    );
}

#[tokio::test]
async fn cancel_denies_access() {
    let app = App::start().await;
    let back = app.choose(("cancel", "1"), &[]).await;
    assert_eq!(parameter(&back, "error").unwrap(), "access_denied");
    assert_eq!(parameter(&back, "state").unwrap(), "xyz");
}

#[tokio::test]
async fn the_token_endpoint_answers_a_form_unless_asked_for_json() {
    let app = App::start().await;
    let code = app.code("admin", &[]).await;
    let request = app
        .http
        .post(app.github.url() + "/login/oauth/access_token")
        .form(&[("code", &code)]);
    let request = request.basic_auth(&app.settings.client_id, Some(&app.settings.client_secret));
    let text = request.send().await.unwrap().text().await.unwrap();
    assert!(
        text.contains("access_token=gho_") && text.contains("scope=read%3Aorg%2Cread%3Auser"),
        "{text}"
    );
}

#[tokio::test]
async fn tokens_outlive_a_restart_with_a_state_file() {
    let directory = tempfile::tempdir().unwrap();
    let settings = Settings {
        state: Some(directory.path().join("tokens.json")),
        ..Settings::default()
    };
    let token = App::with(settings.clone()).await.token("admin", "read:org");
    let again = App::with(settings).await;
    assert_eq!(again.get("/user", &token).await.status(), StatusCode::OK);
}
