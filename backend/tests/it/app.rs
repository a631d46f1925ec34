//! A server of its own for each test: three tenants of two organisations, a token of each, and a GitHub.

use github_stand_in::{GitHub, Settings};
use reqwest::{Client, RequestBuilder, Response, header::AUTHORIZATION};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sundial::{
    App,
    access::store::set_access_rules,
    api::{
        limit::{Allowances, Limits},
        listen,
    },
    config::GithubConfig,
    guard::{
        Admin, Pool, TenantScope, system,
        table::{
            access_rule::{self, RoleName},
            tenant::Environment,
        },
    },
    identity::{Identity, Lifetimes, TokenName, create_token},
    point::store::compact,
    request::now,
};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use url::Url;

use crate::database::{Database, Kind};

/// Most connections of one address.
pub const CONNECTIONS: usize = 64;

pub const PROD: &str = "mcce-g1-prod";
pub const TEST: &str = "mcce-g1-test";
/// A tenant of another organisation.
pub const FOREIGN: &str = "other-g9-prod";
/// A tenant that does not exist, whose name is as long as the foreign one's.
pub const ABSENT: &str = "other-g9-none";

/// By which GitHub signs what it tells the server unasked.
pub const WEBHOOK_SECRET: &str = "of the webhook";

pub const INGEST: &str = "mutation ($tenant: String!, $batches: [SeriesBatch!]!, $key: String) {
    ingest(tenant: $tenant, batches: $batches, idempotencyKey: $key) { id points series replayed at }
}";

/// A running server and what is around it.
pub struct TestApp {
    pub url: Url,
    pub database: Database,
    /// Beside the server's own.
    pub pool: Pool,
    pub github: GitHub,
    pub http: Client,
    /// An ingest token of each tenant.
    pub prod: String,
    pub test: String,
    pub foreign: String,
    config: GithubConfig,
    client_id: String,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Another server on the same database.
pub struct Replica {
    pub url: Url,
    _stop: watch::Sender<bool>,
    server: JoinHandle<()>,
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl TestApp {
    /// A server that limits nobody.
    pub async fn start(kind: Kind) -> Self {
        TestApp::with(kind, Lifetimes::default(), Allowances::default(), 0).await
    }

    /// A server that allows so much, behind so many proxies.
    pub async fn limited(kind: Kind, allowances: Allowances, proxies: usize) -> Self {
        TestApp::with(kind, Lifetimes::default(), allowances, proxies).await
    }

    /// A server that believes GitHub for as long as `lifetimes` say.
    pub async fn believing(kind: Kind, lifetimes: Lifetimes) -> Self {
        TestApp::with(kind, lifetimes, Allowances::default(), 0).await
    }

    async fn with(
        kind: Kind,
        lifetimes: Lifetimes,
        allowances: Allowances,
        proxies: usize,
    ) -> Self {
        let database = Database::create(kind).await;
        let pool = Pool::open(&database.url.clone().into(), 4).await.unwrap();
        // As the role that owns the tables: the server's own only reads which tenants there are.
        let owner = Pool::open(&database.owner.clone().into(), 2).await.unwrap();
        let (prod, test, foreign) = found_tenants(&owner).await;
        owner.close().await;
        let settings = Settings::default();
        let github = github_stand_in::start(settings.clone()).await.unwrap();
        let config = GithubConfig {
            url: github.url().parse().unwrap(),
            api_url: github.api_url().parse().unwrap(),
            client_id: Some(settings.client_id.clone()),
            client_secret: Some(settings.client_secret.as_str().into()),
            client_secret_file: None,
            webhook_secret: Some(WEBHOOK_SECRET.into()),
            webhook_secret_file: None,
        };
        let (stop, stopping) = watch::channel(false);
        let identity =
            |url| Identity::with_lifetimes(&config, url, pool.clone(), lifetimes).unwrap();
        let limits = Limits::new(allowances, proxies);
        let (url, server) = serve(pool.clone(), identity, limits, Vec::new(), stopping).await;
        TestApp {
            url,
            database,
            pool,
            github,
            http: Client::new(),
            prod,
            test,
            foreign,
            config,
            client_id: settings.client_id,
            stop,
            server,
        }
    }

    /// Another server on the same database, by the same GitHub.
    pub async fn replica(&self) -> Replica {
        self.replica_by(&self.database.url).await
    }

    /// The same, which reaches the database by `url`.
    pub async fn replica_by(&self, url: &str) -> Replica {
        self.replica_with(url, Vec::new()).await
    }

    /// Another server on the same database, for pages of these origins too.
    pub async fn replica_for(&self, origins: Vec<String>) -> Replica {
        self.replica_with(&self.database.url, origins).await
    }

    async fn replica_with(&self, url: &str, origins: Vec<String>) -> Replica {
        let pool = Pool::open(&url.to_owned().into(), 4).await.unwrap();
        let (stop, stopping) = watch::channel(false);
        let identity = |url| Identity::new(&self.config, url, pool.clone()).unwrap();
        let limits = Limits::new(Allowances::default(), 0);
        let (url, server) = serve(pool.clone(), identity, limits, origins, stopping).await;
        let url = url.join("/graphql").unwrap();
        Replica {
            url,
            _stop: stop,
            server,
        }
    }

    /// A GitHub token of the account named `login`, issued to the server's own OAuth app.
    pub fn person(&self, login: &str) -> String {
        self.github
            .issue_token(login, "read:user read:org", &self.client_id)
    }

    /// The same, and it may not be used to read memberships.
    pub fn narrow_person(&self, login: &str) -> String {
        self.github.issue_token(login, "read:user", &self.client_id)
    }

    /// Who may be behind a request to this server.
    pub fn identity(&self) -> Identity {
        Identity::new(&self.config, self.url.clone(), self.pool.clone()).unwrap()
    }

    /// Tells the server to stop.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    pub fn endpoint(&self) -> Url {
        self.url.join("/graphql").unwrap()
    }

    /// A request with a JSON body, with `token` unless it is empty.
    pub fn post(&self, token: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
        let request = self.http.post(self.endpoint());
        let request = request.header("content-type", "application/json");
        let request = match token {
            "" => request,
            token => request.header(AUTHORIZATION, format!("Bearer {token}")),
        };
        request.body(body)
    }

    /// The answer to a query, errors and all.
    pub async fn ask(&self, token: &str, query: &str, variables: Value) -> Value {
        let body = json!({ "query": query, "variables": variables }).to_string();
        let response = self.post(token, body).send().await.unwrap();
        json_of(response).await
    }

    /// The data of a query that has no errors.
    pub async fn data(&self, token: &str, query: &str, variables: Value) -> Value {
        let mut answer = self.ask(token, query, variables).await;
        assert!(answer.get("errors").is_none(), "{answer}");
        answer["data"].take()
    }

    /// The answer to an ingest of `batches`, each `{ series, times, values }`.
    pub async fn try_ingest(&self, token: &str, tenant: &str, batches: Value) -> Value {
        let variables = json!({ "tenant": tenant, "batches": batches });
        self.ask(token, INGEST, variables).await
    }

    /// The receipt of an ingest into one series.
    pub async fn ingest(
        &self,
        token: &str,
        tenant: &str,
        series: &str,
        points: &[(i64, f64)],
    ) -> Value {
        let batches = json!([batch(series, points)]);
        let mut answer = self.try_ingest(token, tenant, batches).await;
        assert!(answer.get("errors").is_none(), "{answer}");
        answer["data"]["ingest"].take()
    }

    /// Every point that `token` can read in the tenant, by series.
    pub async fn points(&self, token: &str, tenant: &str) -> Vec<(String, Vec<(i64, f64)>)> {
        let query =
            "query ($tenant: String!) { tenant(slug: $tenant) { series(first: 500) { nodes {
            key samples(range: { from: 0, to: 7258118400000000 }) { times values } } } } }";
        let data = self.data(token, query, json!({ "tenant": tenant })).await;
        let nodes = data["tenant"]["series"]["nodes"].as_array();
        let nodes = nodes.unwrap_or_else(|| panic!("{tenant} is not open: {data}"));
        let series = |node: &Value| {
            let key = node["key"].as_str().unwrap().to_owned();
            (key, columns(&node["samples"]))
        };
        nodes.iter().map(series).collect()
    }

    /// Makes chunks of all that was written to the tenant.
    pub async fn compact(&self, tenant: &str) {
        while compact(self.operate(tenant).await, now())
            .await
            .unwrap()
            .more
        {}
    }

    /// The tenant numbered as the database has it, as its administrator.
    pub async fn operate(&self, tenant: &str) -> TenantScope<Admin> {
        system::operate(&self.pool, tenant).await.unwrap()
    }
}

async fn serve(
    pool: Pool,
    identity: impl Fn(Url) -> Identity,
    limits: Limits,
    origins: Vec<String>,
    stopping: watch::Receiver<bool>,
) -> (Url, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let app = App::new(pool, identity(url.clone()), limits, stopping).allowing(&origins);
    let server = tokio::spawn(async move {
        let waiting = app.clone();
        let stop = async move { waiting.stopping().await };
        tokio::select! {
            () = app.live.clone().exchange(app.pool.clone()) => {}
            () = listen::serve(listener, sundial::app(app.clone()), CONNECTIONS, stop) => {}
        }
    });
    (url, server)
}

/// One batch of an ingest.
pub fn batch(series: &str, points: &[(i64, f64)]) -> Value {
    let (times, values): (Vec<i64>, Vec<f64>) = points.iter().copied().unzip();
    json!({ "series": series, "times": times, "values": values })
}

/// The points in `{ times, values }`.
pub fn columns(samples: &Value) -> Vec<(i64, f64)> {
    let list = |name: &str| samples[name].as_array().unwrap().clone();
    let (times, values) = (list("times"), list("values"));
    assert_eq!(times.len(), values.len());
    let numbers = times.iter().zip(&values);
    numbers
        .map(|(time, value)| (time.as_i64().unwrap(), value.as_f64().unwrap()))
        .collect()
}

/// The code of an answer's only error.
pub fn code(answer: &Value) -> &str {
    assert_eq!(
        answer["errors"].as_array().map(Vec::len),
        Some(1),
        "{answer}"
    );
    answer["errors"][0]["extensions"]["code"].as_str().unwrap()
}

/// The words of an answer's first error.
pub fn message(answer: &Value) -> &str {
    answer["errors"][0]["message"]
        .as_str()
        .unwrap_or_else(|| panic!("no error: {answer}"))
}

pub async fn json_of(response: Response) -> Value {
    let text = response.text().await.unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

pub fn rule(organization: &str, team: &str, role: RoleName) -> access_rule::Model {
    access_rule::Model {
        tenant_id: 0,
        organization: organization.into(),
        team: team.into(),
        role,
    }
}

/// The tenants of `tools/demo.yaml`, and one of another organisation; an ingest token of each.
async fn found_tenants(pool: &Pool) -> (String, String, String) {
    let admins = rule("mcce", "g1-admins", RoleName::Admin);
    let viewers = rule("mcce", "g1-viewers", RoleName::Viewer);
    let others = rule("other", "", RoleName::Admin);
    let prod = found(pool, PROD, Environment::Prod, vec![admins.clone(), viewers]).await;
    let test = found(pool, TEST, Environment::Test, vec![admins]).await;
    let foreign = found(pool, FOREIGN, Environment::Prod, vec![others]).await;
    (prod, test, foreign)
}

pub async fn found(
    pool: &Pool,
    slug: &str,
    environment: Environment,
    rules: Vec<access_rule::Model>,
) -> String {
    let group = slug.rsplit_once('-').map_or(slug, |(group, _)| group);
    let (scope, before) = system::found(pool, slug, slug, group, environment, 0)
        .await
        .unwrap();
    assert!(before.is_none(), "{slug} was there before");
    set_access_rules(&scope, &rules, 0).await.unwrap();
    let name = TokenName::try_from("clock".to_owned()).unwrap();
    let (_, token) = create_token(&scope, &name, None, None, 0).await.unwrap();
    scope.commit().await.unwrap();
    token.expose_secret().to_owned()
}
