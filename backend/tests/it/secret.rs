//! The program itself, with every secret known, made to say as much as it can: none is in what it says.

use std::{collections::BTreeMap, fs::File, path::PathBuf, process::Stdio, time::Duration};

use base64::{Engine, prelude::*};
use github_stand_in::{Event, GitHub, Settings};
use reqwest::{Client, RequestBuilder, Response, redirect::Policy};
use serde_json::{Value, json};
use sundial::guard::{
    Pool,
    table::{access_rule::RoleName, tenant::Environment},
};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use url::{Url, form_urlencoded};

use crate::{
    app::{INGEST, PROD, batch, found, rule},
    database::{Database, Kind},
    durability::{free_addresses, kill},
    socket::Socket,
};

/// What must not be seen, by what it is.
#[derive(Default)]
struct Secrets(BTreeMap<String, String>);

impl Secrets {
    fn know(&mut self, what: &str, secret: impl Into<String>) -> String {
        let secret = secret.into();
        assert!(
            secret.len() >= 12,
            "{what}: {secret} could stand there by chance"
        );
        self.0.insert(what.to_owned(), secret.clone());
        secret
    }

    /// Each secret that is in `text`, and how it is written there.
    fn seen(&self, text: &str) -> Vec<String> {
        let lower = text.to_lowercase();
        let mut seen = Vec::new();
        for (what, secret) in &self.0 {
            for (form, written) in forms(secret) {
                if text.contains(&written) || form == "hex" && lower.contains(&written) {
                    seen.push(format!("{what} ({form})"));
                }
            }
        }
        seen
    }
}

/// The ways in which a secret could be written: in Base64 at each of the three places in a group where it may begin.
fn forms(secret: &str) -> Vec<(&'static str, String)> {
    let percent: String = secret.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let list: Vec<String> = secret.bytes().map(|byte| byte.to_string()).collect();
    let mut forms = vec![
        ("plain", secret.to_owned()),
        (
            "form",
            form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
        ),
        ("percent", percent.clone()),
        ("hex", percent.replace('%', "").to_lowercase()),
        ("bytes", list.join(", ")),
        ("debug", format!("{secret:?}").trim_matches('"').to_owned()),
    ];
    for before in 0..3 {
        let bytes = [&vec![0; before], secret.as_bytes()].concat();
        // What depends on the neighbours is left out.
        let whole = bytes.len() / 3 * 3;
        let first = if before == 0 { 0 } else { 4 };
        forms.push((
            "base64",
            BASE64_STANDARD.encode(&bytes[..whole])[first..].to_owned(),
        ));
        forms.push((
            "base64url",
            BASE64_URL_SAFE.encode(&bytes[..whole])[first..].to_owned(),
        ));
    }
    forms
}

#[test]
fn secret_is_found_however_it_is_written() {
    let mut secrets = Secrets::default();
    let secret = secrets.know("it", "S3cret/with+signs?");
    assert!(secrets.seen("S3cret/with+sign").is_empty());
    for form in [
        secret.clone(),
        format!("{:?}", secret.as_bytes()),
        BASE64_STANDARD.encode(format!("id:{secret}")),
        BASE64_URL_SAFE_NO_PAD.encode(format!("{{\"t\":\"{secret}\"}}")),
        "S3cret%2Fwith%2Bsigns%3F".to_owned(),
        secret.bytes().map(|byte| format!("{byte:02X}")).collect(),
    ] {
        assert!(!secrets.seen(&format!("a {form} b")).is_empty(), "{form}");
    }
}

/// `sundial serve` with all that it knows of secrets, and everything it says in a file.
struct Program {
    child: Child,
    url: Url,
    management: Url,
    said: PathBuf,
    _folder: TempDir,
}

fn sundial(database: &str, github: &GitHub, settings: &Settings) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sundial"));
    command
        .env("SUNDIAL_DATABASE_URL", database)
        .env("SUNDIAL_GITHUB_URL", github.url())
        .env("SUNDIAL_GITHUB_API_URL", github.api_url())
        .env("SUNDIAL_GITHUB_CLIENT_ID", &settings.client_id)
        .env("SUNDIAL_GITHUB_CLIENT_SECRET", &settings.client_secret)
        .env("SUNDIAL_LOG", "trace")
        .env("RUST_LOG", "trace")
        .env("RUST_BACKTRACE", "full")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// All that a command says.
async fn said(mut command: Command) -> String {
    let output = command.output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    text(output.stdout) + &text(output.stderr)
}

impl Program {
    async fn start(mut command: Command) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("said");
        let file = File::create(&path).unwrap();
        let [listen, management] = free_addresses();
        let child = command
            .args(["serve", "--log-format", "json", "--listen", &listen])
            .args(["--management-listen", &management])
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        let program = Program {
            child,
            url: format!("http://{listen}").parse().unwrap(),
            management: format!("http://{management}").parse().unwrap(),
            said: path,
            _folder: folder,
        };
        for _ in 0..200 {
            let ready = program.management.join("/readyz").unwrap();
            if reqwest::get(ready)
                .await
                .is_ok_and(|answer| answer.status() == 200)
            {
                return program;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!(
            "not ready within 10 s: {}",
            std::fs::read_to_string(&program.said).unwrap()
        );
    }

    async fn stop(mut self) -> String {
        kill(self.child.id().unwrap(), "TERM").await;
        self.child.wait().await.unwrap();
        std::fs::read_to_string(&self.said).unwrap()
    }
}

/// A browser, and the bodies of all answers that it has got.
struct Browser {
    http: Client,
    url: Url,
    cookies: BTreeMap<String, String>,
    bodies: String,
}

impl Browser {
    fn new(url: &Url) -> Self {
        Browser {
            http: Client::builder().redirect(Policy::none()).build().unwrap(),
            url: url.clone(),
            cookies: BTreeMap::new(),
            bodies: String::new(),
        }
    }

    /// Sends a request, and gives its status and where it leads.
    async fn send(&mut self, request: RequestBuilder) -> (u16, Option<Url>) {
        let response: Response = request.send().await.unwrap();
        for cookie in response.headers().get_all("set-cookie") {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        let status = response.status().as_u16();
        let to = response.headers().get("location");
        let to = to.map(|to| self.url.join(to.to_str().unwrap()).unwrap());
        self.bodies += &response.text().await.unwrap();
        (status, to)
    }

    async fn get(&mut self, url: &Url) -> (u16, Option<Url>) {
        let pairs = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        let cookies = pairs.collect::<Vec<_>>().join("; ");
        self.send(self.http.get(url.clone()).header("cookie", cookies))
            .await
    }

    async fn ask(&mut self, header: (&str, &str), body: Value) -> u16 {
        let request = self.http.post(self.url.join("/graphql").unwrap());
        let request = request.header("sec-fetch-site", "same-origin");
        self.send(request.header(header.0, header.1).json(&body))
            .await
            .0
    }

    /// Chooses `login` on GitHub's page, and gives the address that GitHub sends the browser back to.
    async fn choose(&self, page: &Url, login: &str) -> Url {
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(page.query_pairs())
            .append_pair("login", login)
            .finish();
        let request = self.http.post(page.clone()).body(form);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let answer = request.send().await.unwrap();
        answer.headers()["location"]
            .to_str()
            .unwrap()
            .parse()
            .unwrap()
    }
}

fn parameter(url: &Url, name: &str) -> String {
    let mut pairs = url.query_pairs();
    pairs
        .find(|(known, _)| known == name)
        .unwrap()
        .1
        .into_owned()
}

/// The PKCE verifier in the cookie of a sign-in under way, opened as the server does.
fn verifier(cookie: &str, client_secret: &str) -> String {
    use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce, aead::Aead};
    let sealed = BASE64_URL_SAFE_NO_PAD.decode(cookie).unwrap();
    let mut key = chacha20poly1305::Key::default();
    hkdf::Hkdf::<sha2::Sha256>::new(None, client_secret.as_bytes())
        .expand(b"sundial: sign-in under way", &mut key)
        .unwrap();
    let text =
        XChaCha20Poly1305::new(&key).decrypt(XNonce::from_slice(&sealed[..24]), &sealed[24..]);
    let login: Value = serde_json::from_slice(&text.unwrap()).unwrap();
    login["verifier"].as_str().unwrap().to_owned()
}

struct World {
    secrets: Secrets,
    database: Database,
    /// The database's URL with a password of its own.
    url: Url,
    github: GitHub,
    settings: Settings,
    token: String,
    webhook: String,
    folder: TempDir,
}

impl World {
    async fn new(kind: Kind) -> Self {
        let mut secrets = Secrets::default();
        let database = Database::create(kind).await;
        let pool = Pool::open(&database.owner.clone().into(), 2).await.unwrap();
        let rules = vec![rule("mcce", "", RoleName::Admin)];
        let token = found(&pool, PROD, Environment::Prod, rules).await;
        pool.close().await;
        secrets.know("the ingest token", &token);
        let mut url = Url::parse(&database.url).unwrap();
        if kind == Kind::Postgres {
            let password = secrets.know("the database's password", "Data/base+Pass word");
            let sql = format!("ALTER ROLE {} PASSWORD '{password}'", url.username());
            database.execute(&sql).await;
            url.set_password(Some(&password)).unwrap();
            secrets.know("the same in a URL", url.password().unwrap());
        }
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings {
            client_secret: secrets.know("the client secret", "Client/secret+of Sundial"),
            state: Some(folder.path().join("tokens")),
            ..Settings::default()
        };
        let webhook = secrets.know("the webhook's secret", "Web/hook+of Sundial");
        let github = github_stand_in::start(settings.clone()).await.unwrap();
        World {
            secrets,
            database,
            url,
            github,
            settings,
            token,
            webhook,
            folder,
        }
    }

    fn command(&self, database: &str) -> Command {
        let mut command = sundial(database, &self.github, &self.settings);
        command.env("SUNDIAL_GITHUB_WEBHOOK_SECRET", &self.webhook);
        command
    }

    /// All that the server and its answers say in a long day.
    async fn serve(&mut self) -> String {
        let program = Program::start(self.command(self.url.as_str())).await;
        let mut browser = Browser::new(&program.url);
        self.sign_in(&mut browser).await;
        self.show(&mut browser).await;
        self.follow(&program.url).await;
        self.deliver(&mut browser).await;
        self.break_database(&mut browser).await;
        for page in ["/metrics", "/readyz", "/livez"] {
            browser.get(&program.management.join(page).unwrap()).await;
        }
        assert!(browser.bodies.contains("sundial_http_requests_total"));
        assert!(
            browser.bodies.contains("traceId"),
            "no database error was met"
        );
        for token in std::fs::read_to_string(self.settings.state.as_ref().unwrap())
            .unwrap()
            .split('"')
            .filter(|text| text.starts_with("gho_"))
        {
            self.secrets
                .know(&format!("the GitHub token {token}"), token);
        }
        let said = program.stop().await;
        assert!(said.contains("signed in admin"), "{said}");
        assert!(said.contains("refused proof of identity"), "{said}");
        said + &browser.bodies
    }

    async fn sign_in(&mut self, browser: &mut Browser) {
        let begin = browser.url.join("/auth/login?return_to=/").unwrap();
        for attempt in ["good", "altered", "forged code"] {
            let (_, page) = browser.get(&begin).await;
            let page = page.unwrap();
            self.secrets
                .know(&format!("{attempt}: state"), parameter(&page, "state"));
            let cookie = browser.cookies["sundial-login"].clone();
            let verifier = verifier(&cookie, &self.settings.client_secret);
            self.secrets.know(&format!("{attempt}: verifier"), verifier);
            self.secrets
                .know(&format!("{attempt}: login cookie"), cookie);
            let mut back = browser.choose(&page, "admin").await;
            let code = self
                .secrets
                .know(&format!("{attempt}: code"), parameter(&back, "code"));
            // GitHub sends browsers to the port that is registered.
            back.set_port(browser.url.port()).unwrap();
            let altered = match attempt {
                "altered" => back.as_str().replace("state=", "state=x"),
                "forged code" => back.as_str().replace(&code, "0123456789abcdef0123"),
                _ => back.to_string(),
            };
            self.secrets.know("the forged code", "0123456789abcdef0123");
            let (status, to) = browser.get(&altered.parse().unwrap()).await;
            assert_eq!(status, 303);
            assert_eq!(to.unwrap().path() == "/", attempt == "good", "{attempt}");
            browser.get(&back).await;
            let session = browser.cookies["sundial"].clone();
            self.secrets
                .know(&format!("{attempt}: session cookie"), session);
        }
        // The exchange fails in GitHub's own way, too.
        let (_, page) = browser.get(&begin).await;
        let mut back = browser.choose(&page.unwrap(), "viewer").await;
        back.set_port(browser.url.port()).unwrap();
        self.secrets
            .know("unavailable: code", parameter(&back, "code"));
        self.github.fail_next(500, 1);
        browser.get(&back).await;
    }

    /// Has GitHub tell of a change, and somebody else too.
    async fn deliver(&mut self, browser: &mut Browser) {
        let event = || Event::Organization("member_removed", "mcce", Some("viewer"));
        for (secret, expected) in [(self.webhook.as_str(), 202), ("another", 401)] {
            let delivery = self.github.delivery(secret, event());
            let url = browser.url.join("/webhooks/github").unwrap();
            let mut request = browser.http.post(url).body(delivery.body);
            for (name, value) in delivery.headers {
                request = request.header(name, value);
            }
            assert_eq!(browser.send(request).await.0, expected);
        }
    }

    /// Shows good proof and bad.
    async fn show(&mut self, browser: &mut Browser) {
        let admin =
            self.github
                .issue_token("admin", "read:user read:org", &self.settings.client_id);
        let foreign = self
            .github
            .issue_token("admin", "read:user read:org", "another-app");
        let narrow = self
            .github
            .issue_token("admin", "read:user", &self.settings.client_id);
        let viewer =
            self.github
                .issue_token("viewer", "read:user read:org", &self.settings.client_id);
        let unknown = self.secrets.know("an unknown token", wrong(&self.token));
        let garbled = self
            .secrets
            .know("a garbled token", format!("{}x", self.token));
        let personal = self
            .secrets
            .know("a personal token", "ghp_0123456789personal0123456789");
        let query =
            json!({ "query": "{ viewer { login } tenant(slug: \"mcce-g1-prod\") { id } }" });
        let broken = json!({ "query": "{ viewer { logn " });
        for (token, expected) in [
            (&self.token, 200),
            (&admin, 200),
            (&foreign, 401),
            (&narrow, 401),
            (&unknown, 401),
            (&garbled, 401),
            (&personal, 401),
        ] {
            let header = format!("Bearer {token}");
            let status = browser.ask(("authorization", &header), query.clone()).await;
            assert_eq!(status, expected);
            browser
                .ask(("authorization", &header), broken.clone())
                .await;
        }
        self.github.fail_next(502, 8);
        let header = format!("Bearer {viewer}");
        assert_eq!(
            browser.ask(("authorization", &header), query.clone()).await,
            503
        );
        self.github.fail_next(502, 0);
        for header in [
            format!("Basic {}", BASE64_STANDARD.encode(&personal)),
            personal,
        ] {
            assert_eq!(
                browser.ask(("authorization", &header), query.clone()).await,
                401
            );
        }
        let session = browser.cookies["sundial"].clone();
        let header = format!("sundial={session}");
        assert_eq!(browser.ask(("cookie", &header), query.clone()).await, 200);
        let forged = self.secrets.know(
            "a forged cookie",
            "Zm9yZ2VkZm9yZ2VkZm9yZ2VkZm9yZ2VkZm9yZ2VkZm8",
        );
        let header = format!("sundial={forged}");
        assert_eq!(browser.ask(("cookie", &header), query.clone()).await, 401);
        let logout = browser.http.post(browser.url.join("/auth/logout").unwrap());
        browser.send(logout.header("cookie", header)).await;
    }

    /// The same over WebSocket.
    async fn follow(&self, url: &Url) {
        let endpoint = url.join("/graphql").unwrap();
        let mut socket = Socket::introduced(&endpoint, &self.token).await;
        socket.follow("1", PROD, &["*"], json!(null)).await;
        let variables = json!({ "tenant": PROD, "batches": [batch("a", &[(1, 1.0)])] });
        let payload = json!({ "query": INGEST, "variables": variables });
        socket
            .send(json!({ "id": "2", "type": "subscribe", "payload": payload }))
            .await;
        socket.next().await;
        for token in [wrong(&self.token), format!("{}x", self.token)] {
            let mut socket = Socket::open(&endpoint).await;
            socket.init(&token).await;
            assert_eq!(socket.close_code().await, 4401);
        }
    }

    /// Has the database fail under the server.
    async fn break_database(&mut self, browser: &mut Browser) {
        for table in ["session", "ingest_token"] {
            self.database
                .execute(&format!("ALTER TABLE {table} RENAME TO gone_{table}"))
                .await;
        }
        let query = json!({ "query": "{ viewer { login } }" });
        let session = format!("sundial={}", browser.cookies["sundial"]);
        let token = format!("Bearer {}", self.token);
        for header in [
            ("cookie", session.as_str()),
            ("authorization", token.as_str()),
        ] {
            assert_eq!(browser.ask(header, query.clone()).await, 500);
        }
        let begin = browser.url.join("/auth/login").unwrap();
        let (_, page) = browser.get(&begin).await;
        let mut back = browser.choose(&page.unwrap(), "admin").await;
        back.set_port(browser.url.port()).unwrap();
        assert_eq!(browser.get(&back).await.0, 500);
        for table in ["session", "ingest_token"] {
            self.database
                .execute(&format!("ALTER TABLE gone_{table} RENAME TO {table}"))
                .await;
        }
    }

    /// All that the other commands say, with settings that are right and wrong.
    async fn command_lines(&mut self) -> String {
        let mut all = String::new();
        let right = self.url.to_string();
        let mut wrong = vec![right.replace("sqlite:", "sqlite:/nowhere/")];
        if self.url.scheme() == "postgres" {
            let mut url = self.url.clone();
            let password = self.secrets.know("a wrong password", "Wrong-Pass-word!");
            url.set_password(Some(&password)).unwrap();
            let whole = url.to_string();
            wrong = vec![
                whole.clone(),
                whole.replace("127.0.0.1:", "127.0.0.1:no"),
                whole.replace("127.0.0.1:", "127.0.0.1:1"),
                whole.replace("postgres:", "postgre:"),
                whole.replace("@127.0.0.1", "@@:127.0.0.1:x"),
                whole.replace("://", ":"),
                format!("{whole}?pasword={password}&sslmode={password}"),
            ];
        }
        let file = self.folder.path().join("tenants.yaml");
        std::fs::write(&file, "tenants: []\n").unwrap();
        let file = file.to_str().unwrap();
        for database in [&right].into_iter().chain(&wrong) {
            for arguments in [
                &["check"][..],
                &["migrate", "status"],
                &["token", "list", "--tenant", PROD],
                &["apply", file],
                &["--help"],
                &["serve", "--help"],
                &["serve", "--listen", "nowhere"],
                &["serve", "--nothing"],
            ] {
                let mut command = self.command(database);
                all += &said({
                    command.args(arguments);
                    command
                })
                .await;
            }
        }
        for database in &wrong {
            let [listen, management] = free_addresses();
            let mut command = self.command(database);
            command.args([
                "serve",
                "--listen",
                &listen,
                "--management-listen",
                &management,
            ]);
            let serve = tokio::time::timeout(Duration::from_secs(20), said(command));
            all += &serve.await.unwrap();
        }
        if self.url.scheme() == "postgres" {
            all += &self.bound_role().await;
        }
        all += &self.kept_token().await;
        all + &self.files(&right).await
    }

    /// What is said of a token that goes to a file, and the second time, when it is there.
    async fn kept_token(&mut self) -> String {
        let file = self.folder.path().join("kept.token");
        let owner = self.database.owner.clone();
        let mut kept = Vec::new();
        let mut all = String::new();
        for _ in 0..2 {
            let mut command = self.command(&owner);
            let arguments = ["token", "create", "--tenant", PROD, "--name", "kept"];
            command.args(arguments).arg("--file").arg(&file);
            all += &said(command).await;
            kept.push(std::fs::read_to_string(&file).unwrap());
        }
        assert_eq!(kept[0], kept[1], "{all}");
        assert!(all.contains("no token was made"), "{all}");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = file.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        self.secrets.know("a token in a file", kept[0].trim());
        all
    }

    /// What is said while a role is bound to a tenant, and when that is not allowed.
    async fn bound_role(&mut self) -> String {
        let password = self
            .secrets
            .know("the bound role's password", "Role-Pass/word+1234");
        let file = self.folder.path().join("role.password");
        std::fs::write(&file, password).unwrap();
        let role = format!("{}_bound", self.url.username());
        let (mut all, mut done) = (String::new(), Vec::new());
        for database in [
            self.database.superuser.as_str(),
            self.database.owner.as_str(),
            self.url.as_str(),
        ] {
            let mut command = self.command(database);
            command.args([
                "migrate",
                "up",
                "--tenant",
                PROD,
                "--application-role",
                &role,
            ]);
            command.arg("--application-password-file").arg(&file);
            let output = command.output().await.unwrap();
            done.push(output.status.success());
            all += &String::from_utf8_lossy(&[output.stdout, output.stderr].concat());
        }
        assert_eq!((done[0], done[2]), (true, false), "{all}");
        all
    }

    /// What is said of a file of settings that holds secrets, whole and broken.
    async fn files(&self, database: &str) -> String {
        let mut all = String::new();
        let secret = &self.settings.client_secret;
        for text in [
            format!("database-url = \"{database}\"\ngithub-client-secret = \"{secret}\"\n"),
            format!("database-url = \"{database}\ngithub-client-secret = \"{secret}\n"),
            format!("github-client-secret = {secret}"),
            format!("database-url = {{ \"{database}\" }}"),
            format!("github-client-secrets = \"{secret}\"\n"),
        ] {
            let file = self.folder.path().join("sundial.toml");
            std::fs::write(&file, text).unwrap();
            for arguments in [&["check"][..], &["serve", "--help"]] {
                let mut command = self.command(database);
                command
                    .env_remove("SUNDIAL_DATABASE_URL")
                    .env_remove("SUNDIAL_GITHUB_CLIENT_SECRET");
                command.arg("--config").arg(&file).args(arguments);
                all += &said(command).await;
            }
        }
        all
    }
}

/// A token as well made as `token`, which nobody has.
fn wrong(token: &str) -> String {
    let random: String = token[4..47].chars().rev().collect();
    let mut rest = crc32fast::hash(random.as_bytes());
    let digits = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut sum = [b'0'; 6];
    for digit in sum.iter_mut().rev() {
        *digit = digits[(rest % 62) as usize];
        rest /= 62;
    }
    format!("sdl_{random}{}", String::from_utf8(sum.to_vec()).unwrap())
}

async fn no_secret_is_said(kind: Kind) {
    let mut world = World::new(kind).await;
    let all = world.serve().await + &world.command_lines().await;
    let mut leaks = Vec::new();
    for line in all.lines() {
        let seen = world.secrets.seen(line);
        if !seen.is_empty() {
            leaks.push(format!("{seen:?}: {line}"));
        }
    }
    assert!(leaks.is_empty(), "{}", leaks.join("\n"));
    // That it would be seen: the one command whose business it is to show a secret.
    let mut create = world.command(world.url.as_str());
    create.args(["token", "create", "--tenant", PROD, "--name", "shown"]);
    let shown = said(create).await;
    let token = shown
        .split_whitespace()
        .find(|word| word.starts_with("sdl_"));
    world.secrets.know("the new token", token.unwrap());
    assert_eq!(
        world.secrets.seen(&shown),
        [
            "the new token (plain)",
            "the new token (form)",
            "the new token (debug)"
        ]
    );
}

#[tokio::test]
async fn no_secret_is_said_on_sqlite() {
    no_secret_is_said(Kind::Sqlite).await;
}

#[tokio::test]
async fn no_secret_is_said_on_postgres() {
    no_secret_is_said(Kind::Postgres).await;
}
