//! Everything the stand-in remembers. Tokens outlive it in the state file, if it has one; the rest is in memory.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use jiff::Timestamp;
use rand::Rng;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use url::Url;

use crate::{Limit, Settings};

/// GitHub's limit: the eleventh token for the same account, app and scopes revokes the first.
const TOKENS_PER_GRANT: usize = 10;

/// Scopes that GitHub knows and that matter here; it drops others without a word.
const SCOPES: [&str; 8] = [
    "user",
    "read:user",
    "user:email",
    "admin:org",
    "write:org",
    "read:org",
    "repo",
    "gist",
];

pub type Shared = Arc<State>;

pub struct State {
    pub settings: Settings,
    pub callback: Url,
    /// The stand-in's own address, for links in answers.
    pub url: String,
    inner: Mutex<Inner>,
}

#[derive(Default)]
pub struct Inner {
    pub accounts: Vec<Account>,
    pub tokens: Vec<Token>,
    pub codes: HashMap<String, Code>,
    pub devices: HashMap<String, Device>,
    pub requests: HashMap<String, u64>,
    pub failure: Option<(StatusCode, u32)>,
    pub limit: Option<Limit>,
    /// Organisations that demand single sign-on, which nobody here has done.
    pub sign_on: Vec<String>,
    /// Organisations that have not approved the app.
    pub unapproved: Vec<String>,
    pub ahead: Duration,
    /// Account id → start of its hour (Unix seconds), requests in it.
    pub used: HashMap<u64, (i64, u32)>,
}

#[derive(Clone)]
pub struct Account {
    pub id: u64,
    pub login: String,
    pub name: String,
    pub memberships: Vec<Membership>,
    pub teams: Vec<Team>,
    /// Organisations that it shows to everybody that it belongs to.
    pub public: Vec<String>,
}

#[derive(Clone)]
pub struct Membership {
    pub organization: String,
    pub active: bool,
}

#[derive(Clone)]
pub struct Team {
    pub organization: String,
    pub slug: String,
}

#[derive(Clone, Serialize, Deserialize)]
pub struct Token {
    pub token: String,
    pub account: u64,
    pub client_id: String,
    pub scopes: Vec<String>,
    pub created_at: Timestamp,
}

impl Token {
    /// Whether a scope is there, itself or within a wider one.
    pub fn allows(&self, scope: &str) -> bool {
        let wider: &[&str] = match scope {
            "read:org" => &["read:org", "write:org", "admin:org"],
            "read:user" => &["read:user", "user"],
            _ => &[],
        };
        self.scopes
            .iter()
            .any(|held| held == scope || wider.contains(&held.as_str()))
    }
}

/// A code of the web flow, waiting to be exchanged.
pub struct Code {
    pub account: u64,
    pub scopes: String,
    pub redirect_uri: Option<String>,
    pub challenge: Option<String>,
    pub expires_at: Timestamp,
}

/// A device waiting for its person.
pub struct Device {
    pub user_code: String,
    pub scopes: String,
    pub expires_at: Timestamp,
    pub interval: i64,
    pub polled_at: Option<Timestamp>,
    pub answer: Option<Answer>,
}

#[derive(Clone, Copy)]
pub enum Answer {
    Granted(u64),
    Denied,
}

impl State {
    pub fn open(settings: Settings, url: &str) -> io::Result<Self> {
        let callback = Url::parse(&settings.callback_url).map_err(|error| {
            io::Error::other(format!("callback URL {}: {error}", settings.callback_url))
        })?;
        let mut inner = Inner::default();
        for (id, login, name, memberships) in [
            (1001, "admin", "Ada Administrator", &["mcce/g1-admins"][..]),
            (1002, "viewer", "Vera Viewer", &["mcce/g1-viewers"][..]),
            (1003, "stranger", "Stefan Stranger", &[][..]),
        ] {
            inner.accounts.push(Account::new(id, login, name));
            inner.set_memberships(login, memberships);
        }
        if let Some(path) = settings.state.as_deref().filter(|path| path.exists()) {
            inner.tokens = serde_json::from_slice(&fs::read(path)?).map_err(|error| {
                io::Error::other(format!("state file {}: {error}", path.display()))
            })?;
        }
        Ok(Self {
            settings,
            callback,
            url: url.into(),
            inner: Mutex::new(inner),
        })
    }

    /// Does something with the state, nobody else being in it.
    pub fn with<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        act(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn now(&self) -> Timestamp {
        self.with(|inner| inner.now())
    }

    /// Writes the tokens to the state file. A failure is told, not fatal: the tokens still work in this process.
    pub fn save(&self) {
        if let Some(path) = &self.settings.state
            && let Err(error) = self.with(|inner| write(path, &inner.tokens))
        {
            eprintln!("github-stand-in: cannot write {}: {error}", path.display());
        }
    }
}

/// Written beside and renamed, so that a kill leaves the old state or the new one. Nobody else may read it.
fn write(path: &Path, tokens: &[Token]) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)?;
    file.write_all(&serde_json::to_vec(tokens)?)?;
    fs::rename(beside, path)
}

impl Account {
    fn new(id: u64, login: &str, name: &str) -> Self {
        Self {
            id,
            login: login.into(),
            name: name.into(),
            memberships: Vec::new(),
            teams: Vec::new(),
            public: Vec::new(),
        }
    }
}

impl Inner {
    pub fn now(&self) -> Timestamp {
        Timestamp::now() + self.ahead
    }

    pub fn account(&self, login: &str) -> Option<&Account> {
        self.accounts.iter().find(|account| account.login == login)
    }

    pub fn account_by_id(&self, id: u64) -> Option<&Account> {
        self.accounts.iter().find(|account| account.id == id)
    }

    pub fn account_or_new(&mut self, login: &str) -> &mut Account {
        let index = self
            .accounts
            .iter()
            .position(|account| account.login == login)
            .unwrap_or_else(|| {
                let id = 1001 + self.accounts.len() as u64;
                self.accounts.push(Account::new(id, login, login));
                self.accounts.len() - 1
            });
        &mut self.accounts[index]
    }

    pub fn set_memberships(&mut self, login: &str, memberships: &[&str]) {
        let account = self.account_or_new(login);
        account.memberships.clear();
        account.teams.clear();
        for membership in memberships {
            let (organization, team) = membership
                .split_once('/')
                .map_or((*membership, None), |(o, t)| (o, Some(t)));
            if !account
                .memberships
                .iter()
                .any(|known| known.organization == organization)
            {
                account.memberships.push(Membership {
                    organization: organization.into(),
                    active: true,
                });
            }
            account.teams.extend(team.map(|slug| Team {
                organization: organization.into(),
                slug: slug.into(),
            }));
        }
    }

    pub fn invite(&mut self, login: &str, organization: &str) {
        let account = self.account_or_new(login);
        account.memberships.push(Membership {
            organization: organization.into(),
            active: false,
        });
    }

    pub fn rename(&mut self, login: &str, to: &str) {
        self.account_or_new(login).login = to.into();
    }

    /// Issues a token, and revokes the oldest beyond GitHub's limit.
    pub fn issue(&mut self, login: &str, scopes: &str, client_id: &str) -> String {
        let account = self.account_or_new(login).id;
        let mut scopes: Vec<String> = scopes
            .split([' ', ','])
            .filter(|scope| SCOPES.contains(scope))
            .map(str::to_owned)
            .collect();
        scopes.sort();
        scopes.dedup();
        let token = format!(
            "gho_{}",
            random(
                36,
                b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
            )
        );
        let created_at = self.now();
        self.tokens.push(Token {
            token: token.clone(),
            account,
            client_id: client_id.into(),
            scopes,
            created_at,
        });
        let alike = |a: &Token, b: &Token| {
            (a.account, &a.client_id, &a.scopes) == (b.account, &b.client_id, &b.scopes)
        };
        if let Some(newest) = self.tokens.last()
            && self
                .tokens
                .iter()
                .filter(|known| alike(known, newest))
                .count()
                > TOKENS_PER_GRANT
            && let Some(oldest) = self.tokens.iter().position(|known| alike(known, newest))
        {
            self.tokens.remove(oldest);
        }
        token
    }

    /// Takes one request from an account's hour: `(used, reset)`, `reset` in Unix seconds.
    pub fn spend(&mut self, account: u64, requests: u32) -> (u32, i64) {
        let now = self.now().as_second();
        let hour = self.used.entry(account).or_insert((now, 0));
        if now - hour.0 >= 3600 {
            *hour = (now, 0);
        }
        hour.1 = hour.1.saturating_add(requests);
        (hour.1, hour.0 + 3600)
    }
}

/// `length` random characters of an alphabet.
pub fn random(length: usize, alphabet: &[u8]) -> String {
    let mut source = rand::rng();
    (0..length)
        .map(|_| char::from(alphabet[source.random_range(0..alphabet.len())]))
        .collect()
}

/// A stable number for a name, as organisations and teams have ids that no configuration here states.
pub fn stable_id(name: &str) -> u32 {
    let digest = Sha256::digest(name);
    u32::from_be_bytes([0, digest[0], digest[1], digest[2]]) + 1
}
