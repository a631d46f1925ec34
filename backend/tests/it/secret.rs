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

use self::{program::said, world::World};
use crate::{
    app::{INGEST, PROD, batch, found, rule},
    database::{Database, Kind},
    durability::{free_addresses, kill},
    socket::Socket,
};

mod program;
mod world;

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
