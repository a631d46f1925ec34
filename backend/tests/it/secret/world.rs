//! All that can be done with the program, by somebody who knows its secrets.

use super::{
    program::{Browser, Program, parameter, said, sundial, verifier},
    *,
};

pub(super) struct World {
    pub(super) secrets: Secrets,
    database: Database,
    /// The database's URL with a password of its own.
    pub(super) url: Url,
    github: GitHub,
    settings: Settings,
    token: String,
    webhook: String,
    folder: TempDir,
}

impl World {
    pub(super) async fn new(kind: Kind) -> Self {
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

    pub(super) fn command(&self, database: &str) -> Command {
        let mut command = sundial(database, &self.github, &self.settings);
        command.env("SUNDIAL_GITHUB_WEBHOOK_SECRET", &self.webhook);
        command
    }

    /// All that the server and its answers say in a long day.
    pub(super) async fn serve(&mut self) -> String {
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
    pub(super) async fn command_lines(&mut self) -> String {
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
