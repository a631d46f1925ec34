//! Three tenants that are alike in all but their marks, and everybody who may ask of them.

use std::fmt::Write;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::header::HeaderMap;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sundial::{
    guard::table::access_rule::RoleName,
    identity::{TokenName, create_token, revoke_token},
    scalar::seal,
};

use crate::{
    app::{ABSENT, FOREIGN, INGEST, PROD, TEST, TestApp, batch},
    browser::Browser,
    github::{deliver, end_memberships},
    socket::{START, Socket},
};

pub const TENANTS: [&str; 3] = [PROD, TEST, FOREIGN];

/// Somebody who asks.
pub struct Asker {
    pub name: &'static str,
    /// A token, a session's cookie, or nothing.
    pub proof: String,
    /// Whether the proof counts, and so says who it is.
    pub counts: bool,
    roles: &'static [(&'static str, RoleName)],
}

impl Asker {
    pub fn role(&self, tenant: &str) -> Option<RoleName> {
        let of = self.roles.iter().find(|(slug, _)| *slug == tenant);
        of.map(|(_, role)| *role)
    }

    pub fn is_anonymous(&self) -> bool {
        self.proof.is_empty()
    }

    pub fn is_machine(&self) -> bool {
        self.proof.starts_with("sdl_")
    }

    /// The cookie of a browser.
    fn cookie(&self) -> Option<&str> {
        Some(self.proof.as_str()).filter(|proof| proof.starts_with("sundial="))
    }

    /// Whether they are in an organisation to which the tenant is open, and in none of the teams.
    pub fn is_colleague(&self, tenant: &str) -> bool {
        ["viewer", "viewer's browser"].contains(&self.name) && tenant == TEST
    }

    /// The tenant in which they have a role, or one that is not there.
    pub fn home(&self) -> &'static str {
        self.roles.first().map_or(ABSENT, |(slug, _)| slug)
    }

    /// The tenants in which they have none.
    pub fn closed(&self) -> impl Iterator<Item = &'static str> {
        let closed = TENANTS.into_iter();
        closed.filter(|tenant| self.role(tenant).is_none())
    }
}

/// An answer, by all that a client could tell it from another one by.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Of HTTP, or by which the connection is ended; 0 for a message of a connection that goes on.
    pub status: u16,
    headers: String,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// With `shown`, which the asker gave and may be given back, left out.
    pub fn without(mut self, shown: &str) -> Self {
        let shown = json!(shown).to_string();
        let shown = shown.trim_matches('"');
        if !shown.is_empty() && self.body.contains(shown) {
            self.body = self.body.replace(shown, "…");
            let told = self.headers.lines();
            let told = told.filter(|line| !line.starts_with("content-length"));
            self.headers = told.collect::<Vec<_>>().join("\n");
        }
        self
    }

    /// The code of the error that is all there is.
    pub fn code(&self) -> String {
        let answer = self.json();
        let errors = match &answer["payload"] {
            Value::Null => &answer["errors"],
            payload => payload,
        };
        assert_eq!(errors.as_array().map(Vec::len), Some(1), "{self:?}");
        let code = errors[0]["extensions"]["code"].as_str();
        code.unwrap_or_else(|| panic!("{self:?}")).to_owned()
    }
}

pub struct World {
    pub app: TestApp,
    pub askers: Vec<Asker>,
    /// The id of a session of the administrator's.
    pub session: String,
}

/// What the browser of that session calls itself.
pub const ADMINISTRATORS_BROWSER: &str = "Firefox of the administrator";

impl World {
    /// With nothing in any tenant.
    pub async fn new(app: TestApp) -> Self {
        use RoleName::{Admin, Editor, Viewer};
        app.github.set_memberships("other", &["other"]);
        app.github.set_memberships("left", &["mcce/g1-admins"]);
        let left = app.person("left");
        // Known as a member until GitHub tells otherwise.
        app.points(&left, PROD).await;
        deliver(&app, end_memberships(&app, "left")).await;
        let revoked = revoked_token(&app, PROD).await;
        let person = |login| app.person(login);
        // Of accounts of their own, so that no other asker ends their sessions.
        app.github.set_memberships("reader", &["mcce/g1-viewers"]);
        app.github.set_memberships("foreign", &["other"]);
        app.github.set_memberships("nobody", &[]);
        let reading = Browser::sign_in(&app, "reader", "Firefox").await;
        let foreign = Browser::sign_in(&app, "foreign", "Firefox").await;
        let ended = Browser::sign_in(&app, "nobody", "Firefox").await;
        let ending = "mutation { endSessions(keepCurrent: false) }";
        ended.ask(ending, json!({})).await;
        let strange = Browser::sign_in(&app, "nobody", "Firefox").await;
        let of = |name, proof, roles| Asker {
            name,
            proof,
            roles,
            counts: true,
        };
        let refused = |name, proof| Asker {
            name,
            proof,
            roles: &[],
            counts: false,
        };
        let askers = vec![
            of("anonymous", String::new(), &[]),
            of("stranger", person("stranger"), &[]),
            of("viewer", person("viewer"), &[(PROD, Viewer)]),
            of("editor", app.prod.clone(), &[(PROD, Editor)]),
            of(
                "administrator",
                person("admin"),
                &[(PROD, Admin), (TEST, Admin)],
            ),
            of("foreign token", app.foreign.clone(), &[(FOREIGN, Editor)]),
            of(
                "foreign administrator",
                person("other"),
                &[(FOREIGN, Admin)],
            ),
            of("former member", left, &[]),
            of("viewer's browser", reading.cookie, &[(PROD, Viewer)]),
            of(
                "foreign administrator's browser",
                foreign.cookie,
                &[(FOREIGN, Admin)],
            ),
            of("stranger's browser", strange.cookie, &[]),
            refused("revoked token", revoked),
            refused("forged token", forged()),
            refused("garbled token", "sdl_garbled".to_owned()),
            refused("forged GitHub token", "gho_neverissued".to_owned()),
            refused("ended session", ended.cookie),
            refused("forged session", format!("sundial={}", "F".repeat(43))),
        ];
        let browser = Browser::sign_in(&app, "admin", ADMINISTRATORS_BROWSER).await;
        let own = browser
            .ask("{ viewer { sessions { id } } }", json!({}))
            .await;
        let session = own["data"]["viewer"]["sessions"][0]["id"].as_str().unwrap();
        World {
            session: session.to_owned(),
            app,
            askers,
        }
    }

    pub fn asker(&self, name: &str) -> &Asker {
        self.askers.iter().find(|asker| asker.name == name).unwrap()
    }

    /// Writes what tells a tenant from the others: points at `common` places, and a series that only it has.
    pub async fn fill(&self, tenant: &str) {
        let place = TENANTS.iter().position(|known| *known == tenant).unwrap();
        let tokens = [&self.app.prod, &self.app.test, &self.app.foreign];
        let mark = mark(tenant);
        if tenant != PROD {
            revoked_token(&self.app, tenant).await;
        }
        let points: Vec<(i64, f64)> = (1..)
            .take(place + 2)
            .map(|time| (time, mark.value))
            .collect();
        let own = format!("own_seconds{{of=\"{}\"}}", mark.label);
        for (key, batches) in [
            ("walk", json!([batch("walked", &[(1, 1.0)])])),
            (
                &mark.key,
                json!([batch("common", &points), batch(&own, &points)]),
            ),
            ("only", json!([batch(&mark.only, &points)])),
        ] {
            let variables = json!({ "tenant": tenant, "batches": batches, "key": key });
            self.app.data(tokens[place], INGEST, variables).await;
        }
        // The run's words bear the mark, and the producer's name says nothing.
        let produce = "mutation ($tenant: String!, $only: String!, $words: String!) {
            walked: setProducer(tenant: $tenant, name: \"walked\", schedule: \"0 0 1 1 *\") { id }
            only: setProducer(tenant: $tenant, name: $only, schedule: \"0 0 1 1 *\") { id }
            gone: setProducer(tenant: $tenant, name: \"gone\", schedule: \"0 0 1 1 *\") { id }
            ended: finishRun(tenant: $tenant, producer: \"walked\", slot: 5, outcome: { points: 5 }) { id }
            failed: finishRun(tenant: $tenant, producer: $only, slot: 5, outcome: { error: $words }) { id } }";
        let variables = json!({ "tenant": tenant, "only": mark.only, "words": mark.label });
        self.app.data(tokens[place], produce, variables).await;
    }

    /// The answer to `document` about `tenant`, with `it` where the document has `$it`.
    pub async fn ask(&self, asker: &Asker, document: &str, tenant: &str, it: &str) -> Answer {
        let variables = json!({
            "tenant": tenant,
            "node": seal(["tenant", tenant]),
            // `common` is the second series that each tenant got.
            "series": seal(["series", tenant, "2"]),
            "token": seal(["token", tenant, "1"]),
            "old": seal(["token", tenant, "2"]),
            "producer": seal(["producer", tenant, "2"]),
            "run": seal(["run", tenant, "2", "5"]),
            "gone": seal(["producer", tenant, "3"]),
            "session": self.session,
            "after": START,
            "change": seal(["change", "0.0.0"]),
            "it": it,
        });
        if document.starts_with("subscription") {
            return self.hear(asker, document, variables).await;
        }
        let body = json!({ "query": document, "variables": variables }).to_string();
        let request = match asker.cookie() {
            Some(cookie) => {
                let request = self.app.post("", body).header("cookie", cookie);
                request.header("sec-fetch-site", "same-origin")
            }
            None => self.app.post(&asker.proof, body),
        };
        let response = request.send().await.unwrap();
        Answer {
            status: response.status().as_u16(),
            headers: shown(response.headers()),
            body: response.text().await.unwrap(),
        }
    }

    /// The first message to whoever follows, or the end of the connection.
    async fn hear(&self, asker: &Asker, document: &str, variables: Value) -> Answer {
        let endpoint = self.app.endpoint();
        let mut socket = match asker.cookie() {
            Some(cookie) => Socket::of_browser(&endpoint, cookie).await,
            None => Socket::open(&endpoint).await,
        };
        if asker.is_anonymous() || asker.cookie().is_some() {
            socket.send(json!({ "type": "connection_init" })).await;
        } else {
            socket.init(&asker.proof).await;
        }
        let ended = |status| Answer {
            status,
            headers: String::new(),
            body: String::new(),
        };
        if !asker.counts {
            return ended(socket.close_code().await);
        }
        assert_eq!(socket.next().await["type"], "connection_ack");
        let payload = json!({ "query": document, "variables": variables });
        let operation = json!({ "id": "1", "type": "subscribe", "payload": payload });
        socket.send(operation).await;
        Answer {
            body: socket.next().await.to_string(),
            ..ended(0)
        }
    }

    /// Whether `answer` shows anything of `tenant`, opaque texts included.
    pub fn reveals(&self, answer: &Answer, tenant: &str) -> bool {
        let mut told = answer.body.clone();
        for text in answer.body.split('"') {
            let opened = URL_SAFE_NO_PAD.decode(text).ok();
            if let Some(opened) = opened.and_then(|bytes| String::from_utf8(bytes).ok()) {
                told += &opened;
            }
        }
        let mark = mark(tenant);
        let marks = [tenant.to_owned(), mark.label, mark.value.to_string()];
        marks.iter().any(|mark| told.contains(mark))
    }
}

/// What only one tenant has.
pub struct Mark {
    pub label: String,
    pub value: f64,
    /// An idempotency key.
    pub key: String,
    /// A series, whose name says nothing.
    pub only: String,
}

pub fn mark(tenant: &str) -> Mark {
    let place = TENANTS.iter().position(|known| *known == tenant).unwrap();
    Mark {
        label: format!("mark-{place}"),
        value: [1111.5, 2222.5, 3333.5][place],
        key: format!("key-{place}"),
        only: format!("only.{place}"),
    }
}

/// All headers but the time of day, a line each.
fn shown(headers: &HeaderMap) -> String {
    let mut shown: Vec<String> = headers
        .iter()
        .filter(|(name, _)| *name != "date")
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    shown.sort();
    shown.join("\n")
}

/// A token of the tenant that was revoked. It bears the tenant's mark, and so does what the audit log has of it.
async fn revoked_token(app: &TestApp, tenant: &str) -> String {
    let scope = app.operate(tenant).await;
    let name = TokenName::try_from(mark(tenant).label).unwrap();
    let (id, token) = create_token(&scope, &name, None, None, 0).await.unwrap();
    revoke_token(&scope, id, 1).await.unwrap();
    scope.commit().await.unwrap();
    token.expose_secret().to_owned()
}

/// A token that is well-formed, and was never given.
fn forged() -> String {
    const DIGITS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let random = "F".repeat(43);
    let mut sum = crc32fast::hash(random.as_bytes()) as usize;
    let mut digits = Vec::new();
    for _ in 0..6 {
        digits.push(char::from(DIGITS[sum % 62]));
        sum /= 62;
    }
    let mut token = format!("sdl_{random}");
    for digit in digits.iter().rev() {
        token.write_char(*digit).unwrap();
    }
    token
}
