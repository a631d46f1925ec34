//! The whole of identity against a GitHub that is not GitHub's, over HTTP, on a database of its own.

mod change;
mod enterprise;
mod explain;
mod limit;
mod machine;
mod odd_github;
mod person;
mod sign_in;
mod sign_out;
mod webhook;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use github_stand_in::{GitHub, Settings};
use reqwest::{Client, Response, StatusCode, header::HeaderMap};
use secrecy::SecretString;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use url::{Url, form_urlencoded};

use super::*;
use crate::guard::Person;

/// A site, its database and its GitHub.
struct World {
    github: GitHub,
    settings: Settings,
    identity: Identity,
    pool: Pool,
    url: Url,
    server: JoinHandle<()>,
    _folder: TempDir,
}

impl Drop for World {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl World {
    async fn new() -> Self {
        World::with(Lifetimes::default(), |_| {}).await
    }

    async fn with(lifetimes: Lifetimes, change: impl FnOnce(&mut GithubConfig)) -> Self {
        let settings = Settings::default();
        let github = github_stand_in::start(settings.clone()).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let database = format!("sqlite:{}", folder.path().join("sundial.db").display());
        let pool = Pool::open(&database.into(), 4).await.unwrap();
        pool.migrate_up().await.unwrap();
        let mut config = GithubConfig {
            url: github.url().parse().unwrap(),
            api_url: github.api_url().parse().unwrap(),
            client_id: Some(settings.client_id.clone()),
            client_secret: Some(settings.client_secret.as_str().into()),
            client_secret_file: None,
            webhook_secret: None,
            webhook_secret_file: None,
        };
        change(&mut config);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let identity =
            Identity::with_lifetimes(&config, url.clone(), pool.clone(), lifetimes).unwrap();
        let router = identity.router();
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        World {
            github,
            settings,
            identity,
            pool,
            url,
            server,
            _folder: folder,
        }
    }

    /// What is set of GitHub.
    fn config(&self) -> GithubConfig {
        GithubConfig {
            url: self.github.url().parse().unwrap(),
            api_url: self.github.api_url().parse().unwrap(),
            client_id: Some(self.settings.client_id.clone()),
            client_secret: Some(self.settings.client_secret.as_str().into()),
            client_secret_file: None,
            webhook_secret: None,
            webhook_secret_file: None,
        }
    }

    fn browser(&self) -> Browser {
        Browser {
            http: github::client().unwrap(),
            site: self.url.clone(),
            cookies: BTreeMap::new(),
        }
    }

    /// A browser in which `login` has signed in.
    async fn signed_in(&self, login: &str) -> Browser {
        let mut browser = self.browser();
        let callback = browser.choose("/", &[("login", login)]).await;
        let back = browser.get(&callback).await;
        assert_eq!(location(&back), "/");
        browser
    }

    fn token(&self, login: &str) -> String {
        self.github
            .issue_token(login, "read:user read:org", &self.settings.client_id)
    }

    async fn bearer(&self, token: &str) -> Result<Person> {
        let proof = Proof::Bearer(token.into());
        Ok(person(self.identity.authenticate(&proof).await?))
    }

    /// The path of token checks.
    fn check_path(&self) -> String {
        format!("/applications/{}/token", self.settings.client_id)
    }

    async fn by_cookie(&self, browser: &Browser) -> Result<Option<Arc<Principal>>> {
        self.identity.authenticate(&browser.proof()).await
    }
}

/// Who is behind an answered proof, which must be a person.
fn person(principal: Option<Arc<Principal>>) -> Person {
    principal.unwrap().as_person().unwrap().clone()
}

fn words(result: Result<impl Sized>) -> &'static str {
    match result.err() {
        Some(Error::Unauthenticated(words)) => words,
        other => panic!("not a refusal: {other:?}"),
    }
}

fn location(response: &Response) -> &str {
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    response.headers()["location"].to_str().unwrap()
}

/// As much of a browser as a sign-in takes: it keeps cookies and shows where it is sent.
struct Browser {
    http: Client,
    site: Url,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    async fn get(&mut self, path: &str) -> Response {
        let request = self.http.get(self.site.join(path).unwrap());
        let response = request
            .header("cookie", self.cookie())
            .send()
            .await
            .unwrap();
        self.keep(response.headers());
        response
    }

    async fn post(&mut self, path: &str, headers: &[(&str, &str)]) -> Response {
        let mut request = self.http.post(self.site.join(path).unwrap());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request
            .header("cookie", self.cookie())
            .send()
            .await
            .unwrap();
        self.keep(response.headers());
        response
    }

    /// Begins a sign-in, sends GitHub's form with `answers`, and gives the callback's address.
    async fn choose(&mut self, return_to: &str, answers: &[(&str, &str)]) -> String {
        let mut path = String::from("/auth/login?return_to=");
        path.extend(form_urlencoded::byte_serialize(return_to.as_bytes()));
        let begun = self.get(&path).await;
        let github = Url::parse(location(&begun)).unwrap();
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(github.query_pairs())
            .extend_pairs(answers)
            .finish();
        let mut page = github;
        page.set_query(None);
        let request = self.http.post(page).body(form);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::FOUND);
        answer.headers()["location"].to_str().unwrap().to_owned()
    }

    fn keep(&mut self, headers: &HeaderMap) {
        for cookie in headers.get_all("set-cookie") {
            let cookie = cookie::Cookie::parse(cookie.to_str().unwrap().to_owned()).unwrap();
            if cookie.max_age() == Some(cookie::time::Duration::ZERO) {
                self.cookies.remove(cookie.name());
            } else {
                self.cookies
                    .insert(cookie.name().to_owned(), cookie.value().to_owned());
            }
        }
    }

    fn cookie(&self) -> String {
        let pairs = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        pairs.collect::<Vec<_>>().join("; ")
    }

    fn proof(&self) -> Proof {
        let mut headers = HeaderMap::new();
        headers.insert("cookie", self.cookie().parse().unwrap());
        Proof::of(&headers)
    }
}

/// Lifetimes short enough to outlive in a test.
fn short() -> Lifetimes {
    Lifetimes {
        standing: Duration::from_millis(200),
        refusal: Duration::from_millis(300),
        profile: Duration::from_millis(400),
    }
}

/// Until `done`, or for 10 s: what goes on beside a request ends some time.
async fn eventually<F: Future<Output = bool>>(mut done: impl FnMut() -> F) {
    for _ in 0..200 {
        if done().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it did not come to pass");
}

#[tokio::test]
async fn nobody_is_behind_a_request_that_shows_nothing() {
    let world = World::new().await;
    assert!(
        world
            .identity
            .authenticate(&Proof::Nothing)
            .await
            .unwrap()
            .is_none()
    );
    // Another site's name for the cookie is no cookie of ours.
    let foreign = Proof::Cookie("__Host-sundial=abc".into());
    assert!(
        world
            .identity
            .authenticate(&foreign)
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn without_an_app_only_ingest_tokens_count() {
    let world = World::with(Lifetimes::default(), |config| {
        config.client_id = None;
        config.client_secret = None;
    })
    .await;
    let mut browser = world.browser();
    for path in ["/auth/login", "/auth/callback?code=a&state=b"] {
        let answer = browser.get(path).await;
        assert_eq!(location(&answer), "/signin?error=not_configured");
    }
    let token = world.token("admin");
    assert!(words(world.bearer(&token).await).contains("SUNDIAL_GITHUB_CLIENT_ID"));
    assert!(words(world.bearer("sdl_x").await).contains("garbled"));
}

#[tokio::test]
async fn public_url_in_clear_text_is_refused_in_words() {
    let world = World::new().await;
    let config = GithubConfig {
        url: world.github.url().parse().unwrap(),
        api_url: world.github.api_url().parse().unwrap(),
        client_id: None,
        client_secret: None,
        client_secret_file: None,
        webhook_secret: None,
        webhook_secret_file: None,
    };
    let url = Url::parse("http://sundial.example.org").unwrap();
    let refused = Identity::new(&config, url, world.pool.clone())
        .err()
        .unwrap();
    assert!(refused.to_string().contains("--public-url"), "{refused}");
}
