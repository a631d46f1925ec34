//! The program and the browser that are listened to.

use super::*;

/// `sundial serve` with all that it knows of secrets, and everything it says in a file.
pub(super) struct Program {
    child: Child,
    pub(super) url: Url,
    pub(super) management: Url,
    said: PathBuf,
    _folder: TempDir,
}

pub(super) fn sundial(database: &str, github: &GitHub, settings: &Settings) -> Command {
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
pub(super) async fn said(mut command: Command) -> String {
    let output = command.output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    text(output.stdout) + &text(output.stderr)
}

impl Program {
    pub(super) async fn start(mut command: Command) -> Self {
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

    pub(super) async fn stop(mut self) -> String {
        kill(self.child.id().unwrap(), "TERM").await;
        self.child.wait().await.unwrap();
        std::fs::read_to_string(&self.said).unwrap()
    }
}

/// A browser, and the bodies of all answers that it has got.
pub(super) struct Browser {
    pub(super) http: Client,
    pub(super) url: Url,
    pub(super) cookies: BTreeMap<String, String>,
    pub(super) bodies: String,
}

impl Browser {
    pub(super) fn new(url: &Url) -> Self {
        Browser {
            http: Client::builder().redirect(Policy::none()).build().unwrap(),
            url: url.clone(),
            cookies: BTreeMap::new(),
            bodies: String::new(),
        }
    }

    /// Sends a request, and gives its status and where it leads.
    pub(super) async fn send(&mut self, request: RequestBuilder) -> (u16, Option<Url>) {
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

    pub(super) async fn get(&mut self, url: &Url) -> (u16, Option<Url>) {
        let pairs = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        let cookies = pairs.collect::<Vec<_>>().join("; ");
        self.send(self.http.get(url.clone()).header("cookie", cookies))
            .await
    }

    pub(super) async fn ask(&mut self, header: (&str, &str), body: Value) -> u16 {
        let request = self.http.post(self.url.join("/graphql").unwrap());
        let request = request.header("sec-fetch-site", "same-origin");
        self.send(request.header(header.0, header.1).json(&body))
            .await
            .0
    }

    /// Chooses `login` on GitHub's page, and gives the address that GitHub sends the browser back to.
    pub(super) async fn choose(&self, page: &Url, login: &str) -> Url {
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

pub(super) fn parameter(url: &Url, name: &str) -> String {
    let mut pairs = url.query_pairs();
    pairs
        .find(|(known, _)| known == name)
        .unwrap()
        .1
        .into_owned()
}

/// The PKCE verifier in the cookie of a sign-in under way, opened as the server does.
pub(super) fn verifier(cookie: &str, client_secret: &str) -> String {
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
